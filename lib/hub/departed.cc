#include "hub/departed.h"

#include <algorithm>
#include <utility>

namespace sse::hub {
namespace {

constexpr std::chrono::minutes kKept{5};
// Of an event in the log of a stream, and of what holds a stream and its turn together.
constexpr std::size_t kEventBytes = 32;
constexpr std::size_t kOverhead = 128;

}  // namespace

void Departed::add(Stream stream, SteadyTime now) {
  const std::string& user = stream.names.at(static_cast<std::size_t>(event::TargetKind::kUser));
  const std::size_t bytes = stream.bytes();
  order_.push_back({now + kKept, user, bytes});
  bytes_ += bytes;
  by_user_[user].push_back(std::move(stream));
  while (bytes_ > kMaxBytes) drop_oldest();
}

std::size_t Departed::Stream::bytes() const {
  std::size_t sum = sizeof(Stream) + sizeof(Turn) + kOverhead + client.capacity() + in_flight.length() * kEventBytes;
  for (const std::string& name : names) sum += name.capacity();
  // The turn and the index know the user, too.
  return sum + 2 * names.at(static_cast<std::size_t>(event::TargetKind::kUser)).size();
}

std::optional<std::vector<Confirmed>> Departed::confirm(const Owner& owner, ConnectionId connection,
                                                        const std::vector<MessageId>& messages) {
  const auto known = by_user_.find(owner.user);
  if (known == by_user_.end()) return std::nullopt;
  const auto named = std::ranges::find(known->second, connection, &Stream::connection);
  if (named == known->second.end() || !is_of(*named, owner)) return std::nullopt;
  std::vector<Confirmed> confirmed;
  confirm(*named, messages, confirmed);
  if (named->client.empty()) return confirmed;
  for (Stream& stream : known->second) {
    if (stream.client == named->client && is_of(stream, owner)) confirm(stream, messages, confirmed);
  }
  return confirmed;
}

std::vector<Confirmed> Departed::confirm_client(const Owner& owner, const std::string& client,
                                                const std::vector<MessageId>& messages) {
  std::vector<Confirmed> confirmed;
  const auto known = by_user_.find(owner.user);
  if (known == by_user_.end() || client.empty()) return confirmed;
  for (Stream& stream : known->second) {
    if (stream.client == client && is_of(stream, owner)) confirm(stream, messages, confirmed);
  }
  return confirmed;
}

std::vector<Confirmed> Departed::confirm_through(const Owner& owner, const std::string& client, std::uint64_t event) {
  std::vector<Confirmed> confirmed;
  const auto known = by_user_.find(owner.user);
  if (known == by_user_.end() || client.empty()) return confirmed;
  for (Stream& stream : known->second) {
    if (stream.client != client || !is_of(stream, owner)) continue;
    for (const auto& [message, recipient] : stream.in_flight.confirm_through(event)) {
      confirmed.push_back({message, recipient, recipient_name(stream.names, recipient), stream.connection});
    }
  }
  return confirmed;
}

bool Departed::is_of(const Stream& stream, const Owner& owner) {
  return stream.names.at(static_cast<std::size_t>(event::TargetKind::kTenant)) == owner.tenant;
}

void Departed::confirm(Stream& stream, const std::vector<MessageId>& messages, std::vector<Confirmed>& confirmed) {
  for (const MessageId message : messages) {
    if (const auto entry = stream.in_flight.confirm(message)) {
      confirmed.push_back(
          {message, entry->recipient, recipient_name(stream.names, entry->recipient), stream.connection});
    }
  }
}

bool Departed::knows(const Owner& owner, const std::string& client) const {
  const auto known = by_user_.find(owner.user);
  return known != by_user_.end() && !client.empty() && std::ranges::any_of(known->second, [&](const Stream& stream) {
           return stream.client == client && is_of(stream, owner);
         });
}

void Departed::expire(SteadyTime now) {
  while (!order_.empty() && order_.front().until <= now) drop_oldest();
}

void Departed::drop_oldest() {
  const Turn oldest = std::move(order_.front());
  order_.pop_front();
  bytes_ -= oldest.bytes;
  const auto known = by_user_.find(oldest.user);
  known->second.pop_front();
  if (known->second.empty()) by_user_.erase(known);
}

}  // namespace sse::hub
