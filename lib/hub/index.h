#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "event/target.h"

namespace sse::hub {

struct Connection;

/// The connections that share one user, token, tenant or channel; or all of them.
struct Group {
  std::string_view name;  // the index' key
  std::vector<Connection*> members;
};

inline constexpr std::size_t kIndexes = 5;

/// Where a connection stands in each index, so that it leaves in O(1).
struct Membership {
  std::array<Group*, kIndexes> groups{};
  std::array<std::uint32_t, kIndexes> positions{};
};

/// Name → connections, for each kind of target. Loop thread only.
class Indexes {
 public:
  /// Puts the connection under `name`; nothing for an empty name (but for kAll, which has the one name "").
  void join(Connection& connection, event::TargetKind kind, const std::string& name);
  void leave_all(Connection& connection);
  /// Null when nobody is there.
  const Group* find(event::TargetKind kind, const std::string& name) const;
  /// Name of the group the connection is in; empty for none.
  static std::string_view name_of(const Connection& connection, event::TargetKind kind);
  std::vector<std::string> names(event::TargetKind kind) const;
  /// How many different names there are.
  std::size_t count(event::TargetKind kind) const { return groups_.at(static_cast<std::size_t>(kind)).size(); }

 private:
  std::array<std::unordered_map<std::string, Group>, kIndexes> groups_;
};

using ListenerSet = std::set<std::string, std::less<>>;

/// Pages of one kind listen to the same events: every distinct set is kept once. Loop thread only.
class ListenerSets {
 public:
  /// The set kept for these names; release() it once for every intern().
  const ListenerSet* intern(const ListenerSet& names);
  void release(const ListenerSet* set);
  std::size_t size() const { return references_.size(); }

 private:
  std::map<ListenerSet, std::size_t> references_;
};

}  // namespace sse::hub
