// Shard: timers, for heartbeats, stream lifetimes and the checks of TCP acknowledgements.
#include <algorithm>
#include <utility>
#include <vector>

#include "hub/shard.h"

namespace sse::hub {

using net::CloseReason;

namespace {

// Grows from 2 ms to 250 ms.
std::chrono::milliseconds ack_delay(std::size_t round) {
  return std::min(std::chrono::milliseconds(2 << round), std::chrono::milliseconds(250));
}

}  // namespace

void Shard::check_written() {
  for (const ConnectionId id : written_awaiting_) {
    if (Connection* connection = connections_.find(id.value())) check_acknowledged(*connection, 0);
  }
  written_awaiting_.clear();
}

void Shard::check_round(std::size_t round) {
  std::vector<ConnectionId> streams = std::exchange(ack_rounds_.at(round).streams, {});
  // A stream that returned to the last round may be in it more than once.
  if (round + 1 == kAckRounds) {
    std::ranges::sort(streams);
    streams.erase(std::unique(streams.begin(), streams.end()), streams.end());
  }
  for (const ConnectionId id : streams) {
    Connection* connection = connections_.find(id.value());
    if (connection != nullptr && connection->ack_round == round)
      check_acknowledged(*connection, std::min(round + 1, kAckRounds - 1));
  }
}

void Shard::check_acknowledged(Connection& connection, std::size_t next_round) {
  if (!connection.check_acknowledged()) {
    connection.ack_round = Connection::kAckNone;
    return;
  }
  connection.ack_round = static_cast<std::uint8_t>(next_round);
  AckRound& next = ack_rounds_.at(next_round);
  next.streams.push_back(connection.id);
  if (std::exchange(next.timer, true)) return;
  loop_.run_after(ack_delay(next_round), [this, next_round] {
    ack_rounds_.at(next_round).timer = false;
    check_round(next_round);
  });
}

void Shard::schedule_check(Connection& connection) {
  SteadyTime due = connection.expires(loop_.now());
  if (options_.heartbeat.count() != 0)
    due = std::min(due, std::max(connection.last_write() + options_.heartbeat, loop_.now()));
  if (due != SteadyTime::max()) wheel_.add(connection.id.value(), due);
}

void Shard::tick() {
  loop_.assert_in_loop_thread();
  // Release memory that only a burst needed.
  if (dirty_.empty() && dirty_.capacity() > 1024) dirty_.shrink_to_fit();
  if (closed_.empty() && closed_.capacity() > 1024) closed_.shrink_to_fit();
  if (written_awaiting_.empty() && written_awaiting_.capacity() > 1024) written_awaiting_.shrink_to_fit();
  redeliver_overdue();
  retry_read();
  expire_replayed();
  wheel_.advance(loop_.now(), [this](std::uint64_t key) {
    Connection* found = connections_.find(key);
    if (found == nullptr || found->closed()) return;
    Connection& connection = *found;
    const SteadyTime now = loop_.now();
    if (!connection.indexed) {
      SteadyTime& finish_by = connection.rare().finish_by;
      if (finish_by > now) return;
      if (!connection.end()) {
        connection.abort(CloseReason::kServerClosed);
      } else if (!connection.closed()) {
        finish_by = now + kFinishTime;
        wheel_.add(connection.id.value(), finish_by);
      }
      return;
    }
    if (connection.expires(now) <= now) {
      end_lifetime(connection);
      return;
    }
    if (options_.heartbeat.count() != 0 && connection.last_write() + options_.heartbeat <= now &&
        connection.backlog_bytes() == 0) {
      connection.net::Stream::append(heartbeat_);
      metrics_.heartbeats.add();
    }
    connection.trim();
    schedule_check(connection);
  });
}

}  // namespace sse::hub
