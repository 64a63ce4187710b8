#include "hub/index.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "hub/connection.h"

namespace sse::hub {

using event::TargetKind;

namespace {

constexpr std::array kKinds{TargetKind::kUser, TargetKind::kToken, TargetKind::kTenant, TargetKind::kChannel,
                            TargetKind::kAll};
static_assert(kKinds.size() == kIndexes);

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

void Indexes::join(Connection& connection, TargetKind kind, std::string_view name) {
  if (name.empty() && kind != TargetKind::kAll) return;
  auto& groups = groups_.at(static_cast<std::size_t>(kind));
  Group* group = groups.find(name);
  if (group == nullptr) {
    group = Group::create(name);
    groups.insert(group);
  }
  connection.membership.place(kind) = {group, group->add(&connection)};
}

void Indexes::leave(Connection& connection, TargetKind kind) {
  Group* group = connection.membership.group(kind);
  if (group == nullptr) return;
  Membership::Place& place = connection.membership.place(kind);
  if (Connection* moved = group->remove(place.position)) moved->membership.place(kind).position = place.position;
  place.group = nullptr;
  if (group->size() == 0) {
    groups_.at(static_cast<std::size_t>(kind)).erase(group);
    Group::destroy(group);
  }
}

void Indexes::leave_all(Connection& connection) {
  for (const TargetKind kind : kKinds) leave(connection, kind);
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
