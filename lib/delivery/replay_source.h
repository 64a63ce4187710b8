#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "delivery/channel_history.h"
#include "delivery/read_failure_log.h"
#include "hub/hub_delegate.h"
#include "net/worker_pool.h"
#include "observe/metrics.h"
#include "store/message_repository.h"

namespace sse::delivery {

/// Reads the pending messages of streams that open, a page at a time, on threads of its own, because a read blocks on
/// the store. For a stream that catches up with a channel it merges them with the retained events of that channel, a
/// page at a time, too. Thread safe.
class ReplaySource {
 public:
  /// The answer to a request.
  using Page = hub::ReplayPage;
  /// Passes a page to the hub. Called on a thread of this object.
  using Deliver = std::function<void(const hub::ReplayRequest& request, Page page)>;

  /// Reads retained events of a channel, at most so many. Called on a thread of this object.
  using ReadHistory = std::function<ChannelHistoryPage(const hub::ChannelCatchUp& wanted, std::size_t limit)>;

  /// `repository`, `metrics`, `clock` and `failures` must outlive this object.
  ReplaySource(const ServiceName& service, store::MessageRepository& repository, observe::Registry& metrics,
               const Clock& clock, ReadFailureLog& failures, Deliver deliver, ReadHistory read_history = {});

  /// Reads a page and delivers it later. False when there is nothing to read, or after stop(): no page will follow.
  /// Never blocks.
  bool request(const hub::ReplayRequest& request);
  /// Delivers the pages requested so far, and ends the threads. Idempotent.
  void stop() { readers_.stop(); }

 private:
  Page read(const hub::ReplayRequest& request);
  void read_store(const hub::ReplayRequest& request, Page& page);
  void add_history(const hub::ChannelCatchUp& wanted, Page& page) const;
  std::vector<store::PendingMessage> pending(const hub::ReplayRequest& request, bool& failed);
  void add_frame(const hub::ReplayRequest& request, const store::PendingMessage& message, Page& page) const;

  const ServiceName service_;
  store::MessageRepository& repository_;
  const bool shared_;  ///< other nodes add messages to it
  const Clock& clock_;
  observe::Counter& replayed_;
  ReadFailureLog& failures_;
  const Deliver deliver_;
  const ReadHistory read_history_;
  net::WorkerPool readers_;
};

}  // namespace sse::delivery
