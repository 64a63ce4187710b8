#include "presence/channel_view.h"

#include <algorithm>
#include <utility>

namespace sse::presence {
namespace {

// A list of this size fits into the backlog of a stream, whatever else is in it.
constexpr std::size_t kMaxListBytes = std::size_t{256} * 1024;

}  // namespace

void ChannelView::add(Node& node, const Member& member) {
  const auto [entry, is_new] = members_.try_emplace(member.id);
  if (std::ranges::find(entry->second.nodes, &node) == entry->second.nodes.end()) {
    entry->second.nodes.push_back(&node);
    ++node.listed;
  }
  const bool changed = is_new || (!member.profile.empty() && member.profile != entry->second.profile);
  if (!changed) return;
  if (!is_new) bytes_ -= Member{member.id, entry->second.profile}.bytes();
  entry->second.profile = member.profile;
  bytes_ += member.bytes();
  if (!listed_) return;
  if (is_new && left_.erase(member.id) != 0) entry->second.known = true;
  joined_.insert(member.id);
}

void ChannelView::drop(Node& node, const MemberId& id) {
  const auto entry = members_.find(id);
  if (entry == members_.end() || std::erase(entry->second.nodes, &node) == 0) return;
  --node.listed;
  if (!entry->second.nodes.empty()) return;
  if (listed_) {
    joined_.erase(id);
    if (entry->second.known) left_.insert(id);
  }
  bytes_ -= Member{id, entry->second.profile}.bytes();
  members_.erase(entry);
}

void ChannelView::keep_only(Node& node, const std::set<MemberId>& kept) {
  if (node.listed == 0) return;
  std::vector<MemberId> gone;
  for (const auto& [id, entry] : members_) {
    if (std::ranges::find(entry.nodes, &node) != entry.nodes.end() && !kept.contains(id)) gone.push_back(id);
  }
  for (const MemberId& id : gone) drop(node, id);
}

void ChannelView::apply(const std::string& name, const RosterUpdate& update) {
  Node& node = nodes_[name];
  if (update.count) {
    keep_only(node, {});
    if (node.count == 0) ++counting_;
    counted_ += *update.count - std::exchange(node.count, *update.count);
    if (node.count == 0) --counting_;
    return;
  }
  if (update.all) {
    if (node.count != 0) --counting_;
    counted_ -= std::exchange(node.count, 0);
    std::set<MemberId> named;
    for (const Member& member : update.joined) named.insert(member.id);
    keep_only(node, named);
  }
  for (const Member& member : update.joined) add(node, member);
  for (const MemberId& id : update.left) drop(node, id);
}

void ChannelView::remove(const std::string& name) {
  const auto node = nodes_.find(name);
  if (node == nodes_.end()) return;
  apply(name, {.all = true});
  nodes_.erase(node);
}

bool ChannelView::can_list() const {
  const std::size_t percent = listed_ ? 100 : kBackToListsPercent;
  return counting_ == 0 && members_.size() <= max_listed_ * percent / 100 && bytes_ <= kMaxListBytes * percent / 100;
}

PresenceEvent ChannelView::snapshot() const {
  PresenceEvent event{.kind = PresenceEvent::Kind::kSnapshot, .version = version_};
  if (!listed_) {
    event.text = encode_count(channel_, version_, size());
    event.kind = PresenceEvent::Kind::kCount;
    return event;
  }
  std::vector<Member> members;
  for (const auto& [id, entry] : members_) members.push_back({id, entry.profile});
  event.text = encode_snapshot(channel_, version_, members);
  return event;
}

bool ChannelView::waits() const {
  return can_list() != listed_ || (listed_ ? !joined_.empty() || !left_.empty() : told_ != size());
}

std::optional<PresenceEvent> ChannelView::take_event() {
  if (!waits()) return std::nullopt;
  const bool was_listed = std::exchange(listed_, can_list());
  ++version_;
  if (!listed_ || !was_listed) {
    joined_.clear();
    left_.clear();
    told_ = size();
    for (auto& [id, entry] : members_) entry.known = true;
    return snapshot();
  }
  const bool joins = !joined_.empty() && (joins_first_ || left_.empty());
  joins_first_ = !joins;
  if (joins) {
    std::vector<Member> members;
    for (const MemberId& id : std::exchange(joined_, {})) {
      Entry& entry = members_.at(id);
      entry.known = true;
      members.push_back({id, entry.profile});
    }
    return PresenceEvent{PresenceEvent::Kind::kJoin, version_, encode_join(channel_, version_, members, size())};
  }
  const std::set<MemberId> left = std::exchange(left_, {});
  return PresenceEvent{PresenceEvent::Kind::kLeave, version_, encode_leave(channel_, version_, left, size())};
}

}  // namespace sse::presence
