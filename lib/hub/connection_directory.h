#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "event/target.h"
#include "hub/client_key.h"
#include "hub/closed_stream_log.h"
#include "hub/connection.h"
#include "hub/delivery_state.h"

namespace sse::hub {

class Shard;
class Shards;

/// What is known about the connections of one service, over all event loops; it changes nothing. Queries with filters
/// stand in hub/connection_scan.h. Thread safe. Every function but the counts waits for the loops; where that would
/// never end it throws Error, see Hub::check_may_wait(). Connections that open or close meanwhile may or may not be
/// included.
class ConnectionDirectory {
 public:
  /// `shards` and `clock` must outlive this.
  ConnectionDirectory(const Shards& shards, const Clock& clock) : shards_(shards), clock_(clock) {}
  ConnectionDirectory(const ConnectionDirectory&) = delete;
  ConnectionDirectory& operator=(const ConnectionDirectory&) = delete;

  const Clock& clock() const { return clock_; }

  /// Snapshots, in the order of `ids`, without connections that have closed.
  std::vector<ConnectionInfo> describe(const std::vector<ConnectionId>& ids) const;
  std::optional<ConnectionInfo> describe(ConnectionId id) const;
  /// The streams that ended last, newest first; a bounded number per loop.
  std::vector<ClosedConnection> recently_closed() const;
  /// Whether a stream of `owner` with this id is one of them.
  bool has_recently_closed(ConnectionId id, const Identity& owner) const;
  /// The users, tokens, tenants or channels that have a connection, sorted.
  std::vector<std::string> names(event::TargetKind kind) const;
  /// The open streams of each client.
  std::vector<std::vector<ConnectionId>> connections_of(const std::vector<ClientKey>& clients) const;
  /// Finds the delivery state of pending messages: fills in `state` and `connection`.
  void find_delivery_states(std::vector<DeliveryState>& messages) const;

  /// Runs `use(shard, number)` on the loop of every shard; with a user only on the loop of that user. Waits until all
  /// are done. `use` must be short, because the streams of that loop wait.
  void visit(const UserId& user, const std::function<void(Shard&, std::size_t)>& use) const;
  /// The number of shards.
  std::size_t shards() const;

  // Counts, as of the last turn of each loop.
  std::size_t connections() const;
  std::size_t users() const;
  /// Open sockets, including those of closing streams.
  std::size_t sockets() const;
  /// Backlog of all streams, in bytes.
  std::uint64_t backlog_bytes() const;

 private:
  const Shards& shards_;
  const Clock& clock_;
};

}  // namespace sse::hub
