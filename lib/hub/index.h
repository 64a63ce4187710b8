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
#include <type_traits>
#include <vector>

#include "event/target.h"
#include "hub/channel_review.h"
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

/// The position of a connection in each index, so that it leaves in O(1), and the channels in time proportional to
/// their number. Most connections have only a user.
///
/// A connection may be in several channels. The first one has a place like the other names; that of a further one takes
/// 12 bytes.
class Membership {
 public:
  /// Null when the connection is in no group of that kind. Of channels the first one; it may be in others without it.
  Group* group(event::TargetKind kind) const {
    if (kind == event::TargetKind::kUser) return user_.group;
    if (kind == event::TargetKind::kAll) return all_.group;
    return more_ ? more_->places.at(static_cast<std::size_t>(kind) - 1).group : nullptr;
  }
  /// Its position in the group, of channels in that of the first one.
  std::uint32_t position(event::TargetKind kind) const {
    if (kind == event::TargetKind::kUser) return user_.position;
    if (kind == event::TargetKind::kAll) return all_.position;
    return more_ ? more_->places.at(static_cast<std::size_t>(kind) - 1).position : 0;
  }
  /// Whether it is in a group of that kind. `group` is not null.
  bool is_in(event::TargetKind kind, const Group* group) const {
    return this->group(kind) == group || (kind == event::TargetKind::kChannel && find_further(group) != nullptr);
  }
  /// Channels that it is in besides the first one.
  std::size_t further_channels() const { return more_ ? more_->further : 0; }
  /// Calls `use(group, source)` for each channel, the first one first.
  template <class Use>
  void for_each_channel(Use use) const {
    if (!more_) return;
    if (const Place& first = more_->places[kChannelPlace]; first.group != nullptr) use(*first.group, source_of(first));
    for (std::size_t i = 0; i < more_->further; ++i) use(*more_->rest()[i].group, source_of(more_->rest()[i]));
  }

 private:
  friend class Indexes;
  // Packed: it is 12 bytes, not 16.
  struct [[gnu::packed, gnu::aligned(4)]] Place {
    Group* group = nullptr;
    std::uint32_t position : 30 = 0;
    std::uint32_t source : 2 = 0;  // a ChannelSource
  };
  static constexpr std::size_t kChannelPlace = static_cast<std::size_t>(event::TargetKind::kChannel) - 1;
  // The places of further channels follow it in the same allocation.
  struct More {
    std::array<Place, 3> places{};  // token, tenant, channel
    std::uint16_t further = 0;
    std::uint16_t capacity = 0;

    Place* rest() { return reinterpret_cast<Place*>(this + 1); }
    const Place* rest() const { return reinterpret_cast<const Place*>(this + 1); }
  };
  static_assert(sizeof(Place) == 12 && sizeof(More) == 40 && std::is_trivially_destructible_v<More>);
  struct Free {
    void operator()(More* more) const { ::operator delete(more); }
  };

  static ChannelSource source_of(const Place& place) { return static_cast<ChannelSource>(place.source); }
  Place& place(event::TargetKind kind) {
    if (kind == event::TargetKind::kUser) return user_;
    if (kind == event::TargetKind::kAll) return all_;
    if (!more_) reserve_further(0);
    return more_->places.at(static_cast<std::size_t>(kind) - 1);
  }
  Place& place_in(event::TargetKind kind, const Group* group);
  const Place* find_further(const Group* group) const;
  void reserve_further(std::size_t capacity);
  Place& add_further();
  void remove_further(const Place* place);

  Place user_;
  Place all_;
  std::unique_ptr<More, Free> more_;
};

/// Maps names to connections, for each kind of target. Loop thread only.
class Indexes {
 public:
  Indexes() = default;
  ~Indexes();
  Indexes(const Indexes&) = delete;
  Indexes& operator=(const Indexes&) = delete;

  /// Adds the connection to the group `name`. Does nothing for an empty name, except for kAll, whose only name is "".
  /// REQUIRES: it is in no group of that kind; of kChannel, it has no first channel.
  void join(Connection& connection, event::TargetKind kind, std::string_view name,
            ChannelSource source = ChannelSource::kLasting);
  /// Removes the connection from its group of that kind; from its first channel only.
  void leave(Connection& connection, event::TargetKind kind);
  /// The connection joins a channel besides the first one. REQUIRES: it is not in it; fewer than 65,535 are.
  void join_further(Connection& connection, std::string_view channel, ChannelSource source);
  /// Makes room for so many further channels at once.
  static void reserve_further(Connection& connection, std::size_t channels);
  /// Removes the connection from a channel, whichever place it has. Returns whether it was in it.
  bool leave_channel(Connection& connection, std::string_view channel);
  void leave_all(Connection& connection);
  /// Null when no connection has that name.
  const Group* find(event::TargetKind kind, std::string_view name) const {
    return groups_.at(static_cast<std::size_t>(kind)).find(name);
  }
  /// Name of the group the connection is in; empty for none. Of channels that of the first one.
  static std::string_view name_of(const Connection& connection, event::TargetKind kind);
  std::vector<std::string> names(event::TargetKind kind) const;
  /// The number of distinct names.
  std::size_t count(event::TargetKind kind) const { return groups_.at(static_cast<std::size_t>(kind)).size(); }

 private:
  struct ByName {
    static std::string_view key(const Group& group) { return group.name(); }
    static std::uint64_t hash(std::string_view name) { return std::hash<std::string_view>{}(name); }
  };

  Group& group_of(event::TargetKind kind, std::string_view name);
  void leave(event::TargetKind kind, const Membership::Place& place);

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
