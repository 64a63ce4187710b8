#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "event/frame.h"
#include "hub/client_limit.h"
#include "hub/connection.h"
#include "hub/in_flight.h"
#include "hub/recent_confirmations.h"
#include "hub/recently_closed_streams.h"

namespace sse::hub {

/// The messages in flight on the streams of a shard whose clients acknowledge by themselves (`ack=1`): on open streams,
/// and for a while on those that have ended. Tells which messages a confirmation is about and which ones are overdue.
/// Connection::in_flight says whether a stream has any, so that all others cost no lookup. Loop thread only.
class AckTracker {
 public:
  struct Options {
    std::chrono::milliseconds timeout{30000};  ///< a message is overdue after this time; 0: never
    bool in_cluster = false;                   ///< other nodes change the store, too
  };
  /// Returns null for a stream that is gone.
  using Find = std::function<Connection*(ConnectionId)>;
  using Owner = RecentlyClosedStreams::Owner;

  AckTracker(const Options& options, Find find) : options_(options), find_(std::move(find)) {}

  /// The user and tenant of the connection.
  static Owner owner_of(const Connection& connection);

  /// An event went into the stream of a client that acknowledges. Returns how often the stream got it while it was in
  /// flight; 0: not a message.
  int sent(Connection& connection, const event::Frame& frame, SteadyTime now);
  /// The client must confirm something before the next message is overdue. REQUIRES: Connection::in_flight.
  void expect_confirmation(const Connection& connection) { in_flight_.at(connection.id.value()).expect_confirmation(); }
  /// Whether it should have and has not. REQUIRES: Connection::in_flight.
  bool is_silent(const Connection& connection) const { return in_flight_.at(connection.id.value()).is_silent(); }
  /// The messages in flight on an open stream; null: none.
  const InFlight* in_flight(const Connection& connection) const;
  bool has_in_flight(const Connection& connection, MessageId message) const {
    const InFlight* log = in_flight(connection);
    return log != nullptr && log->contains(message);
  }
  /// The message is no longer pending.
  void forget(Connection& connection, MessageId message);

  /// The client acknowledges messages that it got on this open stream or on an earlier one that has ended.
  std::vector<Confirmed> confirm(Connection& connection, const std::vector<MessageId>& messages);
  /// The same for a stream that has ended; nullopt: `owner` had no such stream.
  std::optional<std::vector<Confirmed>> confirm_closed(const Owner& owner, ConnectionId connection,
                                                       const std::vector<MessageId>& messages) {
    return closed_.confirm(owner, connection, messages);
  }
  /// The client of a new stream has received everything up to `event` on one of its earlier streams: those that have
  /// ended, and those whose end the server has not seen yet. `clients` finds the latter.
  std::vector<Confirmed> confirm_earlier(const Connection& newest, const std::string& client, std::uint64_t event,
                                         const ClientLimit& clients);

  /// The stream has ended; its client may still confirm. Returns the number of messages in flight.
  std::size_t ended(Connection& connection, SteadyTime now);

  /// The open streams with overdue messages for which `is_idle` returns true, at most about eight times per timeout. To
  /// be called regularly: it also forgets what is too old.
  template <class IsIdle>
  std::vector<Connection*> streams_overdue(SteadyTime now, IsIdle is_idle) {
    closed_.expire(now);
    std::vector<Connection*> late;
    if (!is_due(now)) return late;
    for (auto log = in_flight_.begin(); log != in_flight_.end();) {
      Connection& connection = *find_(ConnectionId(log->first));
      if (log->second.empty()) {
        connection.in_flight = false;
        log = in_flight_.erase(log);
        continue;
      }
      if (log->second.next_due() <= now && is_idle(connection)) late.push_back(&connection);
      ++log;
    }
    return late;
  }
  /// The overdue messages of the stream, ascending. REQUIRES: Connection::in_flight.
  std::vector<MessageId> overdue(const Connection& connection, SteadyTime now) {
    return in_flight_.at(connection.id.value()).due(now);
  }

  /// Remembers a confirmation on a stream, in a cluster: without other nodes, which change the store, no stream reads
  /// it again.
  void remember(ConnectionId connection, MessageId message) {
    if (options_.in_cluster) recent_.add(connection, message);
  }
  /// The latest of them, sorted.
  std::vector<RecentConfirmations::Entry> recent() const { return recent_.sorted(); }

 private:
  bool is_due(SteadyTime now);

  const Options options_;
  const Find find_;
  std::unordered_map<std::uint64_t, InFlight> in_flight_;  // by connection id
  RecentlyClosedStreams closed_;
  RecentConfirmations recent_;
  SteadyTime next_check_;
};

}  // namespace sse::hub
