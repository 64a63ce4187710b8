#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "cluster/cluster.h"
#include "cluster/raw_http.h"
#include "cluster/redis_cluster.h"

namespace sse::cluster {

/// A program without a server that has a cluster do something: its requests to the admin API go to one of the nodes,
/// which carries them out for all. Thread safe.
class ClusterClient {
 public:
  /// Throws Error as open_redis_cluster().
  explicit ClusterClient(const RedisClusterOptions& options);
  ~ClusterClient();
  ClusterClient(const ClusterClient&) = delete;
  ClusterClient& operator=(const ClusterClient&) = delete;

  /// Throws Error: kUnavailable when there is no node, kTimeout without an answer in time.
  RawResponse handle(const RawRequest& request, std::chrono::milliseconds patience);

 private:
  // Nothing is ever sent to a client.
  struct Deaf final : Bus::Receiver {
    void received(std::vector<Bus::Incoming>) override {}
  };

  const std::string address_;
  Deaf deaf_;
  RedisBus bus_;
  RedisDiscovery discovery_;
};

}  // namespace sse::cluster
