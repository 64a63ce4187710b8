#include "hub/recently_closed_streams.h"

#include <algorithm>
#include <utility>

#include "base/step_count.h"

namespace sse::hub {
namespace {

using event::TargetKind;

constexpr std::chrono::minutes kKept{5};
// Approximate overhead of the list node and the two table entries of a stream.
constexpr std::size_t kOverhead = 256;

const std::string& name_of(const RecentlyClosedStreams::Stream& stream, TargetKind kind) {
  return stream.names.at(static_cast<std::size_t>(kind));
}

// The message counts for each of the names by which it was addressed to the stream.
void note(RecentlyClosedStreams::Stream& stream, const InFlight::Entry& entry, std::vector<Confirmed>& confirmed) {
  Names names = stream.message_recipients.take(entry.message);
  if (names.empty()) names.emplace_back(entry.recipient, recipient_name(stream.names, entry.recipient));
  for (auto& [kind, name] : names) confirmed.push_back({entry.message, kind, std::move(name), stream.connection});
}

}  // namespace

RecentlyClosedStreams::View RecentlyClosedStreams::key_of(const Stream& stream) {
  return {name_of(stream, TargetKind::kUser), name_of(stream, TargetKind::kTenant), stream.client};
}

void RecentlyClosedStreams::add(Stream stream, SteadyTime now) {
  const std::size_t bytes = stream.bytes();
  bytes_ += bytes;
  const Place place = streams_.insert(streams_.end(), {std::move(stream), now + kKept, bytes});
  by_connection_[place->stream.connection.value()] = place;
  const auto [user, tenant, client] = key_of(place->stream);
  auto known = by_client_.find(View(user, tenant, client));
  if (known == by_client_.end())
    known = by_client_.emplace(Key(std::string(user), std::string(tenant), std::string(client)), 0).first;
  known->second.push_back(place);
  if (!client.empty() && known->second.size() > kMaxStreamsPerClient) drop(known->second.front());
  while (bytes_ > kMaxBytes) drop(streams_.begin());
}

std::size_t RecentlyClosedStreams::Stream::bytes() const {
  std::size_t sum =
      sizeof(Kept) + kOverhead + client.capacity() + in_flight.memory_bytes() + message_recipients.memory_bytes();
  for (const std::string& name : names) sum += name.capacity();
  // The key of the table contains the names, too.
  return sum + name_of(*this, TargetKind::kUser).size() + name_of(*this, TargetKind::kTenant).size() + client.size();
}

std::deque<RecentlyClosedStreams::Place>* RecentlyClosedStreams::streams_of(const Owner& owner,
                                                                            const std::string& client) {
  count_steps();
  const auto known = by_client_.find(View(owner.user, owner.tenant, client));
  return client.empty() || known == by_client_.end() ? nullptr : &known->second;
}

std::optional<std::vector<Confirmed>> RecentlyClosedStreams::confirm(const Owner& owner, ConnectionId connection,
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

std::vector<Confirmed> RecentlyClosedStreams::confirm_client(const Owner& owner, const std::string& client,
                                                             const std::vector<MessageId>& messages) {
  std::vector<Confirmed> confirmed;
  if (const std::deque<Place>* streams = streams_of(owner, client)) {
    for (const Place place : *streams) confirm(place->stream, messages, confirmed);
  }
  return confirmed;
}

std::vector<Confirmed> RecentlyClosedStreams::confirm_through(const Owner& owner, const std::string& client,
                                                              std::uint64_t event) {
  std::vector<Confirmed> confirmed;
  const std::deque<Place>* streams = streams_of(owner, client);
  if (streams == nullptr) return confirmed;
  for (const Place place : *streams) {
    Stream& stream = place->stream;
    for (const InFlight::Entry& entry : stream.in_flight.confirm_through(event)) note(stream, entry, confirmed);
  }
  return confirmed;
}

void RecentlyClosedStreams::confirm(Stream& stream, const std::vector<MessageId>& messages,
                                    std::vector<Confirmed>& confirmed) {
  for (const MessageId message : messages) {
    // When a client confirms everything at once, most of its streams are empty after a few messages.
    if (stream.in_flight.empty()) return;
    if (const auto entry = stream.in_flight.confirm(message)) note(stream, *entry, confirmed);
  }
}

bool RecentlyClosedStreams::knows(const std::string& user) const {
  const auto first = by_client_.lower_bound(View(user, {}, {}));
  return first != by_client_.end() && std::get<0>(first->first) == user;
}

bool RecentlyClosedStreams::knows(const Owner& owner, const std::string& client) const {
  return !client.empty() && by_client_.contains(View(owner.user, owner.tenant, client));
}

void RecentlyClosedStreams::expire(SteadyTime now) {
  while (!streams_.empty() && streams_.front().until <= now) drop(streams_.begin());
}

// REQUIRES: `place` is the oldest stream of its client.
void RecentlyClosedStreams::drop(Place place) {
  bytes_ -= place->bytes;
  by_connection_.erase(place->stream.connection.value());
  const auto known = by_client_.find(key_of(place->stream));
  known->second.pop_front();
  if (known->second.empty()) by_client_.erase(known);
  streams_.erase(place);
}

}  // namespace sse::hub
