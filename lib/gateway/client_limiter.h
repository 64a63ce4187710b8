#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "base/ids.h"
#include "base/mutex.h"
#include "cluster/cluster.h"
#include "gateway/page_routes.h"
#include "hub/client_key.h"

namespace sse::gateway {

/// Keeps the streams of one client in the whole cluster below client_max_connections: whoever takes one of its streams
/// asks those who hold its user how many they have, and ends the oldest ones, which may be the newcomer itself: streams
/// that open at once at several nodes are judged there by the same order, so that all agree on which ones stay. Asking
/// for many clients at once, so that a storm of newcomers costs few round trips. Thread safe.
class ClientLimiter {
 public:
  /// References outlive stop().
  ClientLimiter(cluster::Cluster& cluster, const std::vector<Service>& services)
      : cluster_(cluster), services_(services) {}
  ~ClientLimiter() { stop(); }
  ClientLimiter(const ClientLimiter&) = delete;
  ClientLimiter& operator=(const ClientLimiter&) = delete;

  void start();
  void stop() EXCLUDES(mutex_);
  /// Does not wait.
  void opened(const ServiceName& service, const hub::ClientKey& client, ConnectionId connection) EXCLUDES(mutex_);

 private:
  struct Newcomer {
    ServiceName service;
    hub::ClientKey client;
    ConnectionId connection;
  };

  void run() EXCLUDES(mutex_);
  void limit(const std::vector<Newcomer>& newcomers);
  void end(const Service& service, const std::vector<ConnectionId>& ids);

  cluster::Cluster& cluster_;
  const std::vector<Service>& services_;
  std::thread thread_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Newcomer> queue_ GUARDED_BY(mutex_);
  std::size_t queue_bytes_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
};

/// Those to end: of all, `newcomer` included, as many of the oldest as there are too many. Whoever knows only some of
/// them ends none that one who knows all would keep.
std::vector<ConnectionId> too_many(std::vector<ConnectionId> streams, ConnectionId newcomer, std::size_t most);

}  // namespace sse::gateway
