#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "presence/member.h"
#include "presence/presence_events.h"

namespace sse::presence {

/// The members of one channel on all nodes, and what the streams that watch it on this node have been told of them.
/// A member that is on several nodes is one member, except where a node has too many to list them. Not thread safe.
class ChannelView {
 public:
  /// `max_listed`: with more members events have only their number.
  ChannelView(std::string channel, std::size_t max_listed) : channel_(std::move(channel)), max_listed_(max_listed) {}
  ChannelView(const ChannelView&) = delete;
  ChannelView& operator=(const ChannelView&) = delete;

  /// `node`: whose members they are; empty: this one's.
  void apply(const std::string& node, const RosterUpdate& update);
  /// A node is gone, and its members with it.
  void remove(const std::string& node);
  bool has(const std::string& node) const { return nodes_.contains(node); }

  /// The next event for those that have had a snapshot; nullopt: they know everything. If both joins and leaves wait,
  /// they take turns.
  std::optional<PresenceEvent> take_event();
  /// Whether take_event() has more to tell.
  bool waits() const;
  /// For those that have not had a snapshot, of the version of the last event.
  PresenceEvent snapshot() const;
  /// Whether events have only the number of members.
  bool counts_only() const { return !listed_; }
  std::size_t size() const { return members_.size() + counted_; }

 private:
  struct Node {
    std::size_t listed = 0;  // members
    std::size_t count = 0;   // not listed
  };
  struct Entry {
    std::string profile;
    std::vector<const Node*> nodes;  // of nodes_; few: it has streams there
    bool known = false;              // an event has told that it joined
  };

  void add(Node& node, const Member& member);
  void drop(Node& node, const MemberId& id);
  void keep_only(Node& node, const std::set<MemberId>& kept);
  bool can_list() const;

  const std::string channel_;
  const std::size_t max_listed_;
  std::map<MemberId, Entry> members_;
  std::map<std::string, Node> nodes_;
  std::size_t bytes_ = 0;     // of members_
  std::size_t counted_ = 0;   // sum of Node::count
  std::size_t counting_ = 0;  // nodes that do not list their members
  // Since the last event that told of them; empty while events have only numbers.
  std::set<MemberId> joined_;
  std::set<MemberId> left_;
  bool joins_first_ = true;
  bool listed_ = true;    // by the last event
  std::size_t told_ = 0;  // the number in it, if not listed
  std::uint64_t version_ = 1;
};

}  // namespace sse::presence
