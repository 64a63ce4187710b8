#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "cluster/http_cluster.h"
#include "cluster/raw_http.h"
#include "cluster/redis_cluster.h"
#include "observe/metrics.h"

namespace sse::cluster {

/// A program without a server that has a cluster do something: its requests to the admin API go to one of the nodes,
/// which carries them out for all. Thread safe.
class ClusterClient {
 public:
  /// Throws Error as open_redis_cluster().
  explicit ClusterClient(const RedisClusterOptions& options);
  /// Throws Error(kInvalidArgument).
  explicit ClusterClient(const HttpClusterOptions& options);
  ~ClusterClient();
  ClusterClient(const ClusterClient&) = delete;
  ClusterClient& operator=(const ClusterClient&) = delete;

  /// Throws Error: kUnavailable when there is no node, kTimeout without an answer in time.
  RawResponse handle(const RawRequest& request, std::chrono::milliseconds patience);

 private:
  // Nothing is ever sent to a client.
  struct Deaf final : Bus::Receiver {
    void received(std::vector<Bus::Incoming>, Bus::Together) override {}
  };

  std::vector<Node> find_nodes(std::chrono::milliseconds patience);

  const std::string address_;
  const std::string option_;  // that names it
  Deaf deaf_;
  observe::Registry metrics_;
  std::unique_ptr<Bus> bus_;
  HttpBus* mesh_ = nullptr;  // the same, where it is one
  std::unique_ptr<Discovery> discovery_;
};

}  // namespace sse::cluster
