#include "hub/departed.h"

#include <algorithm>
#include <utility>

#include "base/step_count.h"

namespace sse::hub {
namespace {

using event::TargetKind;

constexpr std::chrono::minutes kKept{5};
// Of what holds a stream in the list and the two tables together.
constexpr std::size_t kOverhead = 256;

const std::string& name_of(const Departed::Stream& stream, TargetKind kind) {
  return stream.names.at(static_cast<std::size_t>(kind));
}

}  // namespace

Departed::View Departed::key_of(const Stream& stream) {
  return {name_of(stream, TargetKind::kUser), name_of(stream, TargetKind::kTenant), stream.client};
}

void Departed::add(Stream stream, SteadyTime now) {
  const std::size_t bytes = stream.bytes();
  bytes_ += bytes;
  const Place place = kept_.insert(kept_.end(), {std::move(stream), now + kKept, bytes});
  by_connection_[place->stream.connection.value()] = place;
  const auto [user, tenant, client] = key_of(place->stream);
  auto known = by_client_.find(View(user, tenant, client));
  if (known == by_client_.end())
    known = by_client_.emplace(Key(std::string(user), std::string(tenant), std::string(client)), 0).first;
  known->second.push_back(place);
  if (!client.empty() && known->second.size() > kMaxStreamsPerClient) drop(known->second.front());
  while (bytes_ > kMaxBytes) drop(kept_.begin());
}

std::size_t Departed::Stream::bytes() const {
  std::size_t sum = sizeof(Kept) + kOverhead + client.capacity() + in_flight.memory_bytes();
  for (const std::string& name : names) sum += name.capacity();
  // The table knows who it was, too.
  return sum + name_of(*this, TargetKind::kUser).size() + name_of(*this, TargetKind::kTenant).size() + client.size();
}

std::deque<Departed::Place>* Departed::streams_of(const Owner& owner, const std::string& client) {
  count_steps();
  const auto known = by_client_.find(View(owner.user, owner.tenant, client));
  return client.empty() || known == by_client_.end() ? nullptr : &known->second;
}

std::optional<std::vector<Confirmed>> Departed::confirm(const Owner& owner, ConnectionId connection,
                                                        const std::vector<MessageId>& messages) {
  const auto named = by_connection_.find(connection.value());
  if (named == by_connection_.end()) return std::nullopt;
  Stream& stream = named->second->stream;
  if (name_of(stream, TargetKind::kUser) != owner.user || name_of(stream, TargetKind::kTenant) != owner.tenant)
    return std::nullopt;
  std::vector<Confirmed> confirmed;
  confirm(stream, messages, confirmed);
  if (const std::deque<Place>* streams = streams_of(owner, stream.client)) {
    for (const Place other : *streams) {
      if (&other->stream != &stream) confirm(other->stream, messages, confirmed);
    }
  }
  return confirmed;
}

std::vector<Confirmed> Departed::confirm_client(const Owner& owner, const std::string& client,
                                                const std::vector<MessageId>& messages) {
  std::vector<Confirmed> confirmed;
  if (const std::deque<Place>* streams = streams_of(owner, client)) {
    for (const Place place : *streams) confirm(place->stream, messages, confirmed);
  }
  return confirmed;
}

std::vector<Confirmed> Departed::confirm_through(const Owner& owner, const std::string& client, std::uint64_t event) {
  std::vector<Confirmed> confirmed;
  const std::deque<Place>* streams = streams_of(owner, client);
  if (streams == nullptr) return confirmed;
  for (const Place place : *streams) {
    Stream& stream = place->stream;
    for (const auto& [message, recipient] : stream.in_flight.confirm_through(event))
      confirmed.push_back({message, recipient, recipient_name(stream.names, recipient), stream.connection});
  }
  return confirmed;
}

void Departed::confirm(Stream& stream, const std::vector<MessageId>& messages, std::vector<Confirmed>& confirmed) {
  const auto note = [&](const InFlight::Entry& entry) {
    confirmed.push_back(
        {entry.message, entry.recipient, recipient_name(stream.names, entry.recipient), stream.connection});
  };
  for (const MessageId message : messages) {
    // Most streams of a client that confirms everything at once have nothing left after a few of them.
    if (stream.in_flight.empty()) return;
    if (const auto entry = stream.in_flight.confirm(message)) note(*entry);
  }
}

bool Departed::knows(const std::string& user) const {
  const auto first = by_client_.lower_bound(View(user, {}, {}));
  return first != by_client_.end() && std::get<0>(first->first) == user;
}

bool Departed::knows(const Owner& owner, const std::string& client) const {
  return !client.empty() && by_client_.contains(View(owner.user, owner.tenant, client));
}

void Departed::expire(SteadyTime now) {
  while (!kept_.empty() && kept_.front().until <= now) drop(kept_.begin());
}

// The oldest of its client.
void Departed::drop(Place place) {
  bytes_ -= place->bytes;
  by_connection_.erase(place->stream.connection.value());
  const auto known = by_client_.find(key_of(place->stream));
  known->second.pop_front();
  if (known->second.empty()) by_client_.erase(known);
  kept_.erase(place);
}

}  // namespace sse::hub
