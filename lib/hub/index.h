#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "event/target.h"
#include "hub/pointer_table.h"

namespace sse::hub {

struct Connection;

/// The connections of one user, token, tenant or channel, or all connections. There may be a group per stream (each of
/// another user), so a group with one member is a single small allocation that includes the name.
class Group {
 public:
  /// The caller owns the group and must destroy() it.
  static Group* create(std::string_view name);
  static void destroy(Group* group);
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), name_size_}; }
  std::span<Connection* const> members() const { return {capacity_ == 0 ? &one_ : many_, size_}; }
  std::size_t size() const { return size_; }
  /// Returns the position of the connection.
  std::uint32_t add(Connection* connection);
  /// Moves the last member to `position` and returns it; null when `position` was the last.
  Connection* remove(std::uint32_t position);

 private:
  explicit Group(std::uint32_t name_size) : name_size_(name_size) {}
  void reserve(std::uint32_t capacity);

  union {
    Connection* one_ = nullptr;  // while capacity_ is 0
    Connection** many_;
  };
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
  std::uint32_t name_size_;
};

inline constexpr std::size_t kIndexes = 5;

/// The name by which a message of that kind was addressed to a connection with these index names.
std::string recipient_name(const std::array<std::string, kIndexes>& names, event::TargetKind kind);

/// The position of a connection in each index, so that it leaves in O(1). Most connections have only a user.
class Membership {
 public:
  /// Null when the connection is in no group of that kind.
  Group* group(event::TargetKind kind) const {
    if (kind == event::TargetKind::kUser) return user_.group;
    if (kind == event::TargetKind::kAll) return all_.group;
    return more_ ? more_->at(static_cast<std::size_t>(kind) - 1).group : nullptr;
  }
  std::uint32_t position(event::TargetKind kind) const {
    if (kind == event::TargetKind::kUser) return user_.position;
    if (kind == event::TargetKind::kAll) return all_.position;
    return more_ ? more_->at(static_cast<std::size_t>(kind) - 1).position : 0;
  }

 private:
  friend class Indexes;
  // Packed: the pair is 12 bytes, not 16.
  struct [[gnu::packed, gnu::aligned(4)]] Place {
    Group* group = nullptr;
    std::uint32_t position = 0;
  };
  Place& place(event::TargetKind kind) {
    if (kind == event::TargetKind::kUser) return user_;
    if (kind == event::TargetKind::kAll) return all_;
    if (!more_) more_ = std::make_unique<std::array<Place, 3>>();
    return more_->at(static_cast<std::size_t>(kind) - 1);
  }

  Place user_;
  Place all_;
  std::unique_ptr<std::array<Place, 3>> more_;  // token, tenant, channel
};

/// Maps names to connections, for each kind of target. Loop thread only.
class Indexes {
 public:
  Indexes() = default;
  ~Indexes();
  Indexes(const Indexes&) = delete;
  Indexes& operator=(const Indexes&) = delete;

  /// Adds the connection to the group `name`. Does nothing for an empty name, except for kAll, whose only name is "".
  void join(Connection& connection, event::TargetKind kind, std::string_view name);
  void leave(Connection& connection, event::TargetKind kind);
  void leave_all(Connection& connection);
  /// Null when no connection has that name.
  const Group* find(event::TargetKind kind, std::string_view name) const {
    return groups_.at(static_cast<std::size_t>(kind)).find(name);
  }
  /// Name of the group the connection is in; empty for none.
  static std::string_view name_of(const Connection& connection, event::TargetKind kind);
  std::vector<std::string> names(event::TargetKind kind) const;
  /// The number of distinct names.
  std::size_t count(event::TargetKind kind) const { return groups_.at(static_cast<std::size_t>(kind)).size(); }

 private:
  struct ByName {
    static std::string_view key(const Group& group) { return group.name(); }
    static std::uint64_t hash(std::string_view name) { return std::hash<std::string_view>{}(name); }
  };

  std::array<PointerTable<Group, ByName>, kIndexes> groups_;
};

using ListenerSet = std::set<std::string, std::less<>>;

/// Interns sets of event names: pages of one kind listen to the same events, so each distinct set is stored once. Loop
/// thread only.
class ListenerSets {
 public:
  /// The shared set of these names; call release() once for every intern().
  const ListenerSet* intern(const ListenerSet& names);
  void release(const ListenerSet* set);
  std::size_t size() const { return references_.size(); }

 private:
  std::map<ListenerSet, std::size_t> references_;
};

}  // namespace sse::hub
