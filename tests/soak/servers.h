#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/process.h"
#include "support/redis.h"
#include "support/socket.h"

namespace sse::soak {

/// The servers under test: a single one, or the nodes of a cluster with a private Redis.
class Servers {
 public:
  /// `options`: for each server; a single server also has a history, which a cluster does not support. Returns when all
  /// nodes have discovered each other; throws std::runtime_error if they do not.
  Servers(std::size_t nodes, const std::vector<std::string>& options);

  std::size_t size() const { return nodes_.size(); }
  std::vector<testing::Endpoint> pages() const;
  testing::HttpClient& admin(std::size_t node) { return *nodes_.at(node).admin; }
  pid_t pid(std::size_t node) const { return nodes_.at(node).server->pid(); }
  /// Stops all servers; returns whether all stopped cleanly.
  bool stop();

 private:
  struct Node {
    std::unique_ptr<testing::TempFolder> folder;
    std::unique_ptr<testing::ServerProcess> server;
    std::unique_ptr<testing::HttpClient> admin;
  };

  std::optional<testing::RedisProcess> redis_;
  std::vector<Node> nodes_;
};

}  // namespace sse::soak
