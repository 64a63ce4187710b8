// Shard: timers, for heartbeats and stream lifetimes.
#include <algorithm>

#include "hub/shard.h"

namespace sse::hub {

void Shard::schedule_check(Connection& connection) {
  SteadyTime due = connection.expires(loop_.now());
  if (options_.heartbeat.count() != 0)
    due = std::min(due, connection.pings ? loop_.now() + options_.heartbeat
                                         : std::max(connection.last_write() + options_.heartbeat, loop_.now()));
  if (due != SteadyTime::max()) wheel_.add(connection.id.value(), due);
}

void Shard::tick() {
  loop_.assert_in_loop_thread();
  // Release memory that only a burst needed.
  writes_.trim();
  if (closed_.empty() && closed_.capacity() > 1024) closed_.shrink_to_fit();
  tcp_acks_.trim();
  redeliver_overdue();
  retry_reads();
  replayed_.expire(loop_.now(), [this](ConnectionId id) { return registry_.find_any(id); });
  channels_.expire();
  wheel_.advance(loop_.now(), [this](std::uint64_t key) {
    Connection* found = registry_.find_any(ConnectionId(key));
    if (found == nullptr || found->closed()) return;
    Connection& connection = *found;
    const SteadyTime now = loop_.now();
    if (!connection.indexed) {
      if (connection.rare().finish_by <= now) finish_closing(connection);
      return;
    }
    if (connection.expires(now) <= now) {
      end_lifetime(connection);
      return;
    }
    if (options_.heartbeat.count() != 0 && connection.pings) {
      // Whatever else flows: the client sees only events that it has a listener for. One that does not fit is no loss.
      connection.net::Stream::append(ping_);
      metrics_.heartbeats.add();
    } else if (options_.heartbeat.count() != 0 && connection.last_write() + options_.heartbeat <= now &&
               connection.backlog_bytes() == 0) {
      connection.net::Stream::append(heartbeat_);
      metrics_.heartbeats.add();
    }
    connection.trim();
    schedule_check(connection);
  });
}

}  // namespace sse::hub
