#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "cluster/cluster.h"
#include "gateway/page_routes.h"
#include "hub/client_key.h"

namespace sse::gateway {

/// Keeps the streams of one client in the whole cluster below client_max_connections: whoever takes one of its streams
/// asks those who hold its user how many they have, and ends the oldest ones, which may be the newcomer itself: streams
/// that open at once at several nodes are judged there by the same order, so that all agree on which ones stay. Asking
/// for many clients at once, so that a storm of newcomers costs few round trips. A node that does not answer is asked
/// again, ever less often, for some minutes. Thread safe.
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
    unsigned tries = 0;
  };

  void run() EXCLUDES(mutex_);
  /// Returns those of which some node did not say what it has.
  std::vector<Newcomer> limit(std::vector<Newcomer> newcomers);
  void look_again(std::vector<Newcomer> newcomers) EXCLUDES(mutex_);
  void end(const Service& service, const std::vector<ConnectionId>& ids);

  cluster::Cluster& cluster_;
  const std::vector<Service>& services_;
  std::thread thread_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Newcomer> queue_ GUARDED_BY(mutex_);
  std::multimap<SteadyTime, Newcomer> later_ GUARDED_BY(mutex_);  // once more, from then on
  std::size_t queue_bytes_ GUARDED_BY(mutex_) = 0;                // of both
  bool stopping_ GUARDED_BY(mutex_) = false;
};

/// Those to end: of all, `newcomer` included, as many of the oldest as there are too many. Whoever knows only some of
/// them ends none that one who knows all would keep.
std::vector<ConnectionId> too_many(std::vector<ConnectionId> streams, ConnectionId newcomer, std::size_t most);

}  // namespace sse::gateway
