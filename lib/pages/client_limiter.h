#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "application/service.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "cluster/core/cluster.h"
#include "hub/client_key.h"
#include "pages/page_routes.h"

namespace sse::pages {

/// Limits the streams of one client in the whole cluster to client_max_connections. The node that accepts a stream
/// queries the nodes with streams of the same user, and ends the client's oldest streams, possibly the new one itself.
/// Nodes that accept streams of one client at the same time all use the same order, so that they agree on which streams
/// stay. A query covers many clients, so that a burst of new streams costs few round trips. A node that does not reply
/// is queried again for some minutes, with growing pauses. Thread safe.
class ClientLimiter {
 public:
  /// References outlive stop().
  ClientLimiter(cluster::Cluster& cluster, const std::vector<application::Service>& services)
      : cluster_(cluster), services_(services) {}
  ~ClientLimiter() { stop(); }
  ClientLimiter(const ClientLimiter&) = delete;
  ClientLimiter& operator=(const ClientLimiter&) = delete;

  void start();
  void stop() EXCLUDES(mutex_);
  /// Queues the stream for the limiter's thread; does not block.
  void opened(const ServiceName& service, const hub::ClientKey& client, ConnectionId connection) EXCLUDES(mutex_);

 private:
  struct OpenedStream {
    ServiceName service;
    hub::ClientKey client;
    ConnectionId connection;
    unsigned tries = 0;
  };

  void run() EXCLUDES(mutex_);
  /// Returns the streams for which a node did not reply.
  std::vector<OpenedStream> limit(std::vector<OpenedStream> newcomers);
  void refresh_pending(std::vector<OpenedStream> newcomers) EXCLUDES(mutex_);
  void end(const application::Service& service, const std::vector<ConnectionId>& ids);

  cluster::Cluster& cluster_;
  const std::vector<application::Service>& services_;
  std::thread thread_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<OpenedStream> queue_ GUARDED_BY(mutex_);
  std::multimap<SteadyTime, OpenedStream> retries_ GUARDED_BY(mutex_);  // retries and when they are due
  std::size_t queue_bytes_ GUARDED_BY(mutex_) = 0;                      // of both containers
  bool stopping_ GUARDED_BY(mutex_) = false;
};

/// The streams to end: all of `streams` and `newcomer` except the newest `max_streams`. A node that knows only some
/// streams of a client ends none that a node with the complete list would keep.
std::vector<ConnectionId> streams_to_end(std::vector<ConnectionId> streams, ConnectionId newcomer,
                                         std::size_t max_streams);

}  // namespace sse::pages
