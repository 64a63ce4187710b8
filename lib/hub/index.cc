#include "hub/index.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "hub/connection.h"

namespace sse::hub {

using event::TargetKind;

namespace {

constexpr std::array kKinds{TargetKind::kUser, TargetKind::kToken, TargetKind::kTenant, TargetKind::kChannel,
                            TargetKind::kAll};
static_assert(kKinds.size() == kIndexes);
constexpr std::uint32_t kMaxPosition = (1U << 30U) - 1;

}  // namespace

Group* Group::create(std::string_view name) {
  void* memory = ::operator new(sizeof(Group) + name.size());
  Group* group = new (memory) Group(static_cast<std::uint32_t>(name.size()));
  if (!name.empty()) std::memcpy(static_cast<void*>(group + 1), name.data(), name.size());
  return group;
}

void Group::destroy(Group* group) {
  if (group->capacity_ != 0) delete[] group->many_;
  group->~Group();
  ::operator delete(group);
}

void Group::reserve(std::uint32_t capacity) {
  auto* fresh = new Connection*[capacity];
  std::ranges::copy(members(), fresh);
  if (capacity_ != 0) delete[] many_;
  many_ = fresh;
  capacity_ = capacity;
}

std::uint32_t Group::add(Connection* connection) {
  if (size_ == 0 && capacity_ == 0) {
    one_ = connection;
  } else {
    if (size_ >= capacity_) reserve(std::max(4U, size_ + size_ / 2));
    many_[size_] = connection;
  }
  return size_++;
}

Connection* Group::remove(std::uint32_t position) {
  --size_;
  if (capacity_ == 0) return nullptr;
  Connection* last = many_[size_];
  many_[position] = last;
  if (capacity_ > 64 && capacity_ > 4 * size_) reserve(capacity_ / 2);
  return position == size_ ? nullptr : last;
}

Indexes::~Indexes() {
  for (const auto& groups : groups_) groups.for_each([](Group& group) { Group::destroy(&group); });
}

std::string recipient_name(const std::array<std::string, kIndexes>& names, TargetKind kind) {
  const auto of = [&](TargetKind one) -> const std::string& { return names.at(static_cast<std::size_t>(one)); };
  return kind == TargetKind::kMember ? event::member_name(of(TargetKind::kUser), of(TargetKind::kTenant)) : of(kind);
}

Membership::Place& Membership::place_in(TargetKind kind, const Group* group) {
  Place& first = place(kind);
  if (first.group == group) return first;
  return const_cast<Place&>(*find_further(group));
}

const Membership::Place* Membership::find_further(const Group* group) const {
  if (!more_) return nullptr;
  // At most kMaxChannels, in one piece of memory.
  const std::span<const Place> rest(more_->rest(), more_->further);
  const auto found = std::ranges::find_if(rest, [&](const Place& one) { return one.group == group; });
  return found == rest.end() ? nullptr : &*found;
}

void Membership::reserve_further(std::size_t capacity) {
  if (more_ && capacity <= more_->capacity) return;
  void* const memory = ::operator new(sizeof(More) + capacity * sizeof(Place));
  std::unique_ptr<More, Free> fresh(new (memory) More);
  if (more_) {
    fresh->places = more_->places;
    fresh->further = more_->further;
    std::uninitialized_copy_n(more_->rest(), more_->further, fresh->rest());
  }
  fresh->capacity = static_cast<std::uint16_t>(capacity);
  more_ = std::move(fresh);
}

// Grows by one: a stream that joins many channels at once has reserved them.
Membership::Place& Membership::add_further() {
  const std::size_t further = further_channels();
  reserve_further(further + 1);
  ++more_->further;
  return *new (more_->rest() + further) Place;
}

void Membership::remove_further(const Place* place) {
  Place* const gone = more_->rest() + (place - more_->rest());
  std::copy(gone + 1, more_->rest() + more_->further, gone);
  --more_->further;
}

void Indexes::reserve_further(Connection& connection, std::size_t channels) {
  connection.membership.reserve_further(channels);
}

Group& Indexes::group_of(TargetKind kind, std::string_view name) {
  auto& groups = groups_.at(static_cast<std::size_t>(kind));
  Group* group = groups.find(name);
  if (group == nullptr) {
    group = Group::create(name);
    groups.insert(group);
  }
  return *group;
}

void Indexes::join(Connection& connection, TargetKind kind, std::string_view name, ChannelSource source) {
  if (name.empty() && kind != TargetKind::kAll) return;
  Group& group = group_of(kind, name);
  Membership::Place& place = connection.membership.place(kind);
  place.group = &group;
  place.position = group.add(&connection) & kMaxPosition;
  place.source = static_cast<std::uint32_t>(source) & 3U;
}

void Indexes::join_further(Connection& connection, std::string_view channel, ChannelSource source) {
  Group& group = group_of(TargetKind::kChannel, channel);
  Membership::Place& place = connection.membership.add_further();
  place.group = &group;
  place.position = group.add(&connection) & kMaxPosition;
  place.source = static_cast<std::uint32_t>(source) & 3U;
}

void Indexes::leave(TargetKind kind, const Membership::Place& place) {
  Group* const group = place.group;
  const std::uint32_t position = place.position;
  if (Connection* moved = group->remove(position))
    moved->membership.place_in(kind, group).position = position & kMaxPosition;
  if (group->size() == 0) {
    groups_.at(static_cast<std::size_t>(kind)).erase(group);
    Group::destroy(group);
  }
}

void Indexes::leave(Connection& connection, TargetKind kind) {
  if (connection.membership.group(kind) == nullptr) return;
  Membership::Place& place = connection.membership.place(kind);
  leave(kind, place);
  place.group = nullptr;
}

bool Indexes::leave_channel(Connection& connection, std::string_view channel) {
  const Group* const group = find(TargetKind::kChannel, channel);
  if (group == nullptr) return false;
  if (connection.membership.group(TargetKind::kChannel) == group) {
    leave(connection, TargetKind::kChannel);
    return true;
  }
  const Membership::Place* const place = connection.membership.find_further(group);
  if (place == nullptr) return false;
  leave(TargetKind::kChannel, *place);
  connection.membership.remove_further(place);
  return true;
}

void Indexes::leave_all(Connection& connection) {
  for (const TargetKind kind : kKinds) leave(connection, kind);
  for (std::size_t i = connection.membership.further_channels(); i > 0; --i) {
    const Membership::Place* const last = connection.membership.more_->rest() + (i - 1);
    leave(TargetKind::kChannel, *last);
    connection.membership.remove_further(last);
  }
}

std::string_view Indexes::name_of(const Connection& connection, TargetKind kind) {
  const Group* group = connection.membership.group(kind);
  return group == nullptr ? std::string_view() : group->name();
}

std::vector<std::string> Indexes::names(TargetKind kind) const {
  std::vector<std::string> names;
  names.reserve(count(kind));
  groups_.at(static_cast<std::size_t>(kind)).for_each([&](const Group& group) { names.emplace_back(group.name()); });
  return names;
}

const ListenerSet* ListenerSets::intern(const ListenerSet& names) {
  const auto entry = references_.try_emplace(names, 0).first;
  ++entry->second;
  return &entry->first;
}

void ListenerSets::release(const ListenerSet* set) {
  if (set == nullptr) return;
  const auto entry = references_.find(*set);
  if (--entry->second == 0) references_.erase(entry);
}

}  // namespace sse::hub
