#include "hub/ack_tracker.h"

#include <algorithm>
#include <utility>

#include "event/event.h"
#include "hub/names.h"

namespace sse::hub {
namespace {

using event::TargetKind;

std::string client_of(const Connection& connection) {
  return form_value(connection.unpacked_attributes().query, "clientId");
}

}  // namespace

AckTracker::Owner AckTracker::owner_of(const Connection& connection) {
  return {std::string(Indexes::name_of(connection, TargetKind::kUser)),
          std::string(Indexes::name_of(connection, TargetKind::kTenant))};
}

int AckTracker::sent(Connection& connection, const event::Frame& frame, SteadyTime now) {
  if (!frame.message().valid()) {
    if (connection.in_flight) in_flight_.at(connection.id.value()).sent(event::id_of(frame.bytes()));
    return 0;
  }
  connection.in_flight = true;
  return in_flight_[connection.id.value()].sent(frame.message(), frame.recipient(), now, options_.timeout);
}

const InFlight* AckTracker::in_flight(const Connection& connection) const {
  return connection.in_flight ? &in_flight_.at(connection.id.value()) : nullptr;
}

void AckTracker::forget(Connection& connection, MessageId message) {
  if (connection.in_flight) in_flight_.at(connection.id.value()).forget(message);
  const Connection::Rare* rare = connection.rare_or_null();
  if (rare != nullptr && rare->message_recipients) rare->message_recipients->forget(message);
}

std::vector<Confirmed> AckTracker::confirm(Connection& connection, const std::vector<MessageId>& messages) {
  std::vector<Confirmed> confirmed;
  std::vector<MessageId> others;
  InFlight* log = connection.in_flight ? &in_flight_.at(connection.id.value()) : nullptr;
  for (const MessageId message : messages) {
    if (const auto entry = log == nullptr ? std::nullopt : log->confirm(message)) {
      for (auto& [kind, name] : take_recipients(connection, entry->recipient, message))
        confirmed.push_back({message, kind, std::move(name), connection.id});
    } else {
      others.push_back(message);
    }
  }
  if (!others.empty() && connection.confirms && !closed_.empty()) {
    const auto earlier = closed_.confirm_client(owner_of(connection), client_of(connection), others);
    confirmed.insert(confirmed.end(), earlier.begin(), earlier.end());
  }
  return confirmed;
}

std::vector<Confirmed> AckTracker::confirm_earlier(const Connection& newest, const std::string& client,
                                                   std::uint64_t event, const ClientLimit& clients) {
  if (client.empty()) return {};
  std::vector<Confirmed> confirmed = closed_.confirm_through(owner_of(newest), client, event);
  clients.for_each(
      newest, client, [](const Connection& other) { return other.in_flight; },
      [&](Connection& other) {
        for (const auto& [message, recipient] : in_flight_.at(other.id.value()).confirm_through(event)) {
          for (auto& [kind, name] : take_recipients(other, recipient, message))
            confirmed.push_back({message, kind, std::move(name), other.id});
        }
      });
  return confirmed;
}

std::size_t AckTracker::ended(Connection& connection, SteadyTime now) {
  if (!connection.confirms) return 0;
  InFlight log;
  if (std::exchange(connection.in_flight, false)) log = std::move(in_flight_.extract(connection.id.value()).mapped());
  const std::size_t messages = log.size();
  const Owner owner = owner_of(connection);
  // A stream with nothing in flight is remembered only where its client may use its id to confirm messages of other
  // streams.
  if (log.empty() && !closed_.knows(owner.user)) return 0;
  std::string client = client_of(connection);
  if (log.empty() && !closed_.knows(owner, client)) return 0;
  RecentlyClosedStreams::Stream gone{connection.id, std::move(client), {}, {}, std::move(log)};
  if (const Connection::Rare* rare = connection.rare_or_null(); rare != nullptr && rare->message_recipients)
    gone.message_recipients = std::move(*rare->message_recipients);
  for (std::size_t i = 0; i < kIndexes; ++i) gone.names.at(i) = recipient_name(connection, static_cast<TargetKind>(i));
  closed_.add(std::move(gone), now);
  return messages;
}

bool AckTracker::is_due(SteadyTime now) {
  if (options_.timeout.count() == 0 || now < next_check_) return false;
  next_check_ = now + std::clamp<SteadyTime::duration>(options_.timeout / 8, std::chrono::milliseconds(10),
                                                       std::chrono::seconds(1));
  return true;
}

}  // namespace sse::hub
