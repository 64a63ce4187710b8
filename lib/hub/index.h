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

/// The connections that share one user, token, tenant or channel; or all of them. There may be a group for every
/// stream (a user each), so that it is one small allocation, name included, as long as it has one member.
class Group {
 public:
  /// Owned by whoever calls; destroy() it.
  static Group* create(std::string_view name);
  static void destroy(Group* group);
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), name_size_}; }
  std::span<Connection* const> members() const { return {capacity_ == 0 ? &one_ : many_, size_}; }
  std::size_t size() const { return size_; }
  /// Returns where it stands.
  std::uint32_t add(Connection* connection);
  /// The last member takes the place; returns it, null when `position` was the last.
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

/// The name under which a message of that kind was for a connection with these names of the indexes.
std::string recipient_name(const std::array<std::string, kIndexes>& names, event::TargetKind kind);

/// Where a connection stands in each index, so that it leaves in O(1). Most have a user and nothing else.
class Membership {
 public:
  /// Null when it is in none of that kind.
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

/// Name → connections, for each kind of target. Loop thread only.
class Indexes {
 public:
  Indexes() = default;
  ~Indexes();
  Indexes(const Indexes&) = delete;
  Indexes& operator=(const Indexes&) = delete;

  /// Puts the connection under `name`; nothing for an empty name (but for kAll, which has the one name "").
  void join(Connection& connection, event::TargetKind kind, std::string_view name);
  void leave_all(Connection& connection);
  /// Null when nobody is there.
  const Group* find(event::TargetKind kind, std::string_view name) const {
    return groups_.at(static_cast<std::size_t>(kind)).find(name);
  }
  /// Name of the group the connection is in; empty for none.
  static std::string_view name_of(const Connection& connection, event::TargetKind kind);
  std::vector<std::string> names(event::TargetKind kind) const;
  /// How many different names there are.
  std::size_t count(event::TargetKind kind) const { return groups_.at(static_cast<std::size_t>(kind)).size(); }

 private:
  struct ByName {
    static std::string_view key(const Group& group) { return group.name(); }
    static std::uint64_t hash(std::string_view name) { return std::hash<std::string_view>{}(name); }
  };

  std::array<PointerTable<Group, ByName>, kIndexes> groups_;
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
