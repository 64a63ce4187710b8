#include "hub/index.h"

#include "hub/connection.h"

namespace sse::hub {

void Indexes::join(Connection& connection, event::TargetKind kind, const std::string& name) {
  if (name.empty() && kind != event::TargetKind::kAll) return;
  const auto index = static_cast<std::size_t>(kind);
  const auto [entry, fresh] = groups_.at(index).try_emplace(name);
  Group& group = entry->second;
  if (fresh) group.name = entry->first;
  connection.membership.groups.at(index) = &group;
  connection.membership.positions.at(index) = static_cast<std::uint32_t>(group.members.size());
  group.members.push_back(&connection);
}

void Indexes::leave_all(Connection& connection) {
  for (std::size_t index = 0; index < kIndexes; ++index) {
    Group* group = connection.membership.groups.at(index);
    if (group == nullptr) continue;
    const std::uint32_t position = connection.membership.positions.at(index);
    Connection* last = group->members.back();
    group->members.at(position) = last;
    last->membership.positions.at(index) = position;
    group->members.pop_back();
    connection.membership.groups.at(index) = nullptr;
    if (group->members.empty()) {
      groups_.at(index).erase(groups_.at(index).find(std::string(group->name)));
    } else if (group->members.capacity() > 64 && group->members.capacity() > 4 * group->members.size()) {
      group->members.shrink_to_fit();
    }
  }
}

const Group* Indexes::find(event::TargetKind kind, const std::string& name) const {
  const auto& groups = groups_.at(static_cast<std::size_t>(kind));
  const auto found = groups.find(name);
  return found == groups.end() ? nullptr : &found->second;
}

std::string_view Indexes::name_of(const Connection& connection, event::TargetKind kind) {
  const Group* group = connection.membership.groups.at(static_cast<std::size_t>(kind));
  return group == nullptr ? std::string_view() : group->name;
}

std::vector<std::string> Indexes::names(event::TargetKind kind) const {
  std::vector<std::string> names;
  for (const auto& [name, group] : groups_.at(static_cast<std::size_t>(kind))) names.push_back(name);
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
