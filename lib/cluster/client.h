#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "cluster/core/cluster.h"
#include "cluster/core/raw_http.h"
#include "cluster/http_cluster.h"
#include "cluster/redis/redis_cluster.h"
#include "observe/metrics.h"

namespace sse::cluster {

/// The client of a cluster for programs without a server: sends requests to the admin API to one of the nodes, which
/// carries them out for the whole cluster. Thread safe.
class ClusterClient {
 public:
  /// Throws Error as open_redis_cluster().
  explicit ClusterClient(const RedisClusterOptions& options);
  /// Throws Error(kInvalidArgument) for invalid options.
  explicit ClusterClient(const HttpClusterOptions& options);
  ~ClusterClient();
  ClusterClient(const ClusterClient&) = delete;
  ClusterClient& operator=(const ClusterClient&) = delete;

  /// Throws Error: kUnavailable if there is no node, kTimeout if no response arrives in time.
  RawResponse handle(const RawRequest& request, std::chrono::milliseconds timeout);

 private:
  // Other nodes never send commands to a client.
  struct IgnoreCommands final : Bus::Receiver {
    void received(std::vector<Bus::Incoming>, Bus::ReplyBatch) override {}
  };

  std::vector<Node> find_nodes(std::chrono::milliseconds timeout);
  /// For each node that cannot be reached, why; empty: there is none.
  std::string why_unreachable() const;

  const std::string address_;
  const std::string option_;  // the option with the address, for error messages
  IgnoreCommands ignore_commands_;
  observe::Registry metrics_;
  std::unique_ptr<Bus> bus_;
  HttpBus* mesh_ = nullptr;  // bus_, if it is a mesh; else null
  std::unique_ptr<Discovery> discovery_;
};

}  // namespace sse::cluster
