// Shard: acknowledgements of clients, and redelivery of messages that are not acknowledged in time.
#include <algorithm>
#include <utility>

#include "event/event.h"
#include "hub/shard.h"

namespace sse::hub {

using event::TargetKind;

void Shard::note_in_flight(Connection& connection, const event::FrameRef& frame) {
  const MessageId message = frame->message();
  if (!message.valid()) {
    if (connection.in_flight) in_flight_.at(connection.id.value()).sent(event::id_of(frame->bytes()));
    return;
  }
  connection.in_flight = true;
  in_flight_[connection.id.value()].sent(message, frame->recipient(), loop_.now(), options_.ack_timeout);
}

// Confirms on earlier streams of this client: those that have ended, and those whose end the server has not seen yet.
std::vector<MessageId> Shard::confirm_earlier(const Connection& new_connection, const std::string& client,
                                              std::uint64_t event) {
  if (client.empty()) return {};
  const Group* same_user = new_connection.membership.group(TargetKind::kUser);
  const RecentlyClosedStreams::Owner owner = owner_of(new_connection);
  std::vector<Confirmed> confirmed = recently_closed_.confirm_through(owner, client, event);
  const auto confirm_on = [&](const Connection& other) {
    if (!other.in_flight) return;
    for (const auto& [message, recipient] : in_flight_.at(other.id.value()).confirm_through(event))
      confirmed.push_back({message, recipient, recipient_name(other, recipient), other.id});
  };
  if (clients_.knows(*same_user)) {
    clients_.for_each(*same_user, owner.tenant, client, confirm_on);
  } else {
    for (const Connection* other : same_user->members()) {
      if (!other->in_flight || Indexes::name_of(*other, TargetKind::kTenant) != owner.tenant) continue;
      if (form_value(other->unpacked_attributes().query, "clientId") == client) confirm_on(*other);
    }
  }
  notify_confirmed(confirmed);
  std::vector<MessageId> messages;
  messages.reserve(confirmed.size());
  for (const Confirmed& one : confirmed) messages.push_back(one.message);
  std::ranges::sort(messages);
  return messages;
}

RecentlyClosedStreams::Owner Shard::owner_of(const Connection& connection) {
  return {std::string(Indexes::name_of(connection, TargetKind::kUser)),
          std::string(Indexes::name_of(connection, TargetKind::kTenant))};
}

bool Shard::owns(const Identity& caller, const Connection& connection) {
  return !caller.user.empty() && Indexes::name_of(connection, TargetKind::kUser) == caller.user.str() &&
         Indexes::name_of(connection, TargetKind::kTenant) == caller.tenant.str();
}

void Shard::notify_confirmed(const std::vector<Confirmed>& confirmed) {
  for (const auto& [message, recipient, name, connection] : confirmed) {
    note_confirmed(connection, message);
    delegate_.acknowledged(recipient, name, message, connection);
  }
}

// Only in a cluster: without other nodes that change the store, a stream does not read it again.
void Shard::note_confirmed(ConnectionId connection, MessageId message) {
  if (options_.in_cluster) recent_confirmations_.add(connection, message);
}

std::optional<std::size_t> Shard::acknowledge(ConnectionId id, const Identity& caller,
                                              const std::vector<MessageId>& messages) {
  loop_.assert_in_loop_thread();
  std::vector<Confirmed> confirmed;
  const RecentlyClosedStreams::Owner owner{caller.user.str(), caller.tenant.str()};
  Connection* connection = find(id);
  if (connection == nullptr || !owns(caller, *connection)) {
    auto late = recently_closed_.confirm(owner, id, messages);
    if (!late) return std::nullopt;
    confirmed = std::move(*late);
  } else {
    std::vector<MessageId> others;
    for (const MessageId message : messages) {
      const auto log = in_flight_.find(id.value());
      const auto entry = log == in_flight_.end() ? std::nullopt : log->second.confirm(message);
      if (entry) {
        if (connection->replay) connection->replay->cover(message);
        confirmed.push_back({message, entry->recipient, recipient_name(*connection, entry->recipient), id});
      } else {
        others.push_back(message);
      }
    }
    if (!others.empty() && connection->confirms && !recently_closed_.empty()) {
      const auto earlier = recently_closed_.confirm_client(
          owner, form_value(connection->unpacked_attributes().query, "clientId"), others);
      confirmed.insert(confirmed.end(), earlier.begin(), earlier.end());
    }
  }
  notify_confirmed(confirmed);
  metrics_.acks_ignored.add(messages.size() - std::min(messages.size(), confirmed.size()));
  return confirmed.size();
}

// Remembers the messages in flight for a while, because the client may still confirm them.
void Shard::remember_in_flight(Connection& connection) {
  if (!connection.confirms) return;
  InFlight log;
  if (std::exchange(connection.in_flight, false)) log = std::move(in_flight_.extract(connection.id.value()).mapped());
  metrics_.attempts_failed.add(log.size());
  const RecentlyClosedStreams::Owner owner = owner_of(connection);
  // A stream with nothing in flight is remembered only where its client may use its id to confirm messages of other
  // streams.
  if (log.empty() && !recently_closed_.knows(owner.user)) return;
  std::string client = form_value(connection.unpacked_attributes().query, "clientId");
  if (log.empty() && !recently_closed_.knows(owner, client)) return;
  RecentlyClosedStreams::Stream gone{connection.id, std::move(client), {}, std::move(log)};
  for (std::size_t i = 0; i < kIndexes; ++i)
    gone.names.at(i) = Indexes::name_of(connection, static_cast<TargetKind>(i));
  recently_closed_.add(std::move(gone), loop_.now());
}

// Redelivers messages that were not confirmed in time. They are read from the store page by page, like every replay.
void Shard::redeliver_overdue() {
  recently_closed_.expire(loop_.now());
  if (options_.ack_timeout.count() == 0 || loop_.now() < next_resend_) return;
  next_resend_ = loop_.now() + std::clamp<SteadyTime::duration>(options_.ack_timeout / 8, std::chrono::milliseconds(10),
                                                                std::chrono::seconds(1));
  std::vector<Connection*> late;
  for (auto log = in_flight_.begin(); log != in_flight_.end();) {
    Connection& connection = *connections_.find(log->first);
    if (log->second.empty()) {
      connection.in_flight = false;
      log = in_flight_.erase(log);
      continue;
    }
    if (log->second.next_due() <= loop_.now() && connection.open() && !connection.replay) {
      // While a backlog remains, the client has had no time to confirm.
      connection.flush();
      if (connection.open() && connection.backlog_bytes() == 0) late.push_back(&connection);
    }
    ++log;
  }
  for (Connection* connection : late) {
    std::vector<MessageId> messages = in_flight_.at(connection->id.value()).due(loop_.now());
    if (messages.empty()) continue;
    connection->replay = std::make_unique<Connection::Replay>();
    connection->replay->resend = true;
    connection->replay->cursor = MessageId(messages.front().value() - 1);
    connection->replay->late = std::move(messages);
    request_page(*connection);
    if (connection->replay) continue;
    // The messages are no longer pending.
    InFlight& log = in_flight_.at(connection->id.value());
    for (const MessageId message : log.due(loop_.now())) log.forget(message);
  }
}

}  // namespace sse::hub
