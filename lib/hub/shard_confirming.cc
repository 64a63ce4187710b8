// Shard: acknowledgements of clients, and redelivery of messages that are not acknowledged in time.
#include <algorithm>
#include <utility>

#include "hub/shard.h"
#include "observe/log.h"

namespace sse::hub {

using event::TargetKind;

void Shard::notify_confirmed(const std::vector<Confirmed>& confirmed) {
  for (const auto& [message, recipient, name, connection] : confirmed) {
    acks_.remember(connection, message);
    delegate_.acknowledged(recipient, name, message, connection);
  }
}

std::optional<std::size_t> Shard::acknowledge(ConnectionId id, const Identity& caller,
                                              const std::vector<MessageId>& messages) {
  loop_.assert_in_loop_thread();
  std::vector<Confirmed> confirmed;
  Connection* connection = find(id);
  if (connection == nullptr || !owns(caller, *connection)) {
    auto late = acks_.confirm_closed({caller.user.str(), caller.tenant.str()}, id, messages);
    if (!late) return std::nullopt;
    confirmed = std::move(*late);
  } else {
    confirmed = acks_.confirm(*connection, messages);
    if (connection->replay) {
      for (const Confirmed& one : confirmed) {
        if (one.connection == id) connection->replay->cover(one.message);
      }
    }
  }
  notify_confirmed(confirmed);
  // One that was sent to several channels of the stream is confirmed for each of them.
  const std::size_t recipients = confirmed.size();
  std::size_t count = recipients == 0 ? 0 : 1;
  for (std::size_t i = 1; i < recipients; ++i) {
    if (confirmed[i].message != confirmed[i - 1].message || confirmed[i].connection != confirmed[i - 1].connection)
      ++count;
  }
  metrics_.acks_ignored.add(messages.size() - std::min(messages.size(), count));
  return count;
}

// The client listens to the events and gets none of them, or its confirmations do not arrive: a new stream is the
// remedy for both.
void Shard::end_unconfirmed(Connection& connection) {
  observe::log_info("stream ended: its client confirms nothing",
                    {{"service", options_.service.str()},
                     {"connection", connection.id.str()},
                     {"user", std::string(Indexes::name_of(connection, TargetKind::kUser))}});
  end_for_reconnect(connection, net::CloseReason::kUnconfirmed, options_.reconnect_time);
}

// Redelivers messages that were not confirmed in time. They are read from the store page by page, like every replay.
void Shard::redeliver_overdue() {
  const auto is_idle = [](Connection& connection) {
    if (!connection.open() || connection.replay) return false;
    // While a backlog remains, the client has had no time to confirm.
    connection.flush();
    return connection.open() && connection.backlog_bytes() == 0;
  };
  for (Connection* connection : acks_.streams_overdue(loop_.now(), is_idle)) {
    std::vector<MessageId> messages = acks_.overdue(*connection, loop_.now());
    if (acks_.is_silent(*connection)) {
      end_unconfirmed(*connection);
      continue;
    }
    if (messages.empty()) continue;
    connection->replay = std::make_unique<ReplaySession>(std::move(messages));
    request_page(*connection);
    if (connection->replay) continue;
    // The messages are no longer pending.
    for (const MessageId message : acks_.overdue(*connection, loop_.now())) acks_.forget(*connection, message);
  }
}

}  // namespace sse::hub
