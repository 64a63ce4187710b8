#include "hub/shard_presence.h"

#include <algorithm>
#include <utility>

#include "hub/index.h"
#include "hub/names.h"
#include "hub/slice.h"

namespace sse::hub {

using event::TargetKind;

ShardPresence::ShardPresence(net::EventLoop& loop, const HubOptions& options, ConnectionRegistry& registry,
                             std::function<void(Connection&, const event::FrameRef&)> append)
    : loop_(loop), options_(options), registry_(registry), append_(std::move(append)) {}

void ShardPresence::change(Followed& followed, const std::string& channel, const Connection& connection,
                           PresenceChange::Kind kind) {
  // A stream without a user is no member.
  const std::string_view user = Indexes::name_of(connection, TargetKind::kUser);
  if (user.empty()) return;
  PresenceChange one{kind, std::string(user), std::string(Indexes::name_of(connection, TargetKind::kTenant))};
  if (kind == PresenceChange::Kind::kJoined) {
    std::string profile = connection.unpacked_attributes().profile;
    if (profile.find("\"presence\"") != std::string::npos) one.profile = std::move(profile);
  }
  followed.changes.push_back(std::move(one));
  changed_.insert(channel);
}

void ShardPresence::joined(const Connection& connection, std::string_view channel) {
  loop_.assert_in_loop_thread();
  if (options_.reports_occupied) {
    const Group* group = registry_.group(TargetKind::kChannel, channel);
    if (group != nullptr && group->size() == 1)
      options_.presence->occupied(options_.service, std::string(channel), true);
  }
  if (followed_.empty()) return;
  if (const auto followed = followed_.find(std::string(channel)); followed != followed_.end())
    change(followed->second, followed->first, connection, PresenceChange::Kind::kJoined);
}

void ShardPresence::leaving(Connection& connection, std::string_view channel) {
  loop_.assert_in_loop_thread();
  leave(connection, channel, PresenceChange::Kind::kLeft);
}

void ShardPresence::leaving_all(Connection& connection, bool hidden) {
  loop_.assert_in_loop_thread();
  if (followed_.empty() && !connection.watches_presence && !options_.reports_occupied) return;
  const PresenceChange::Kind kind = hidden ? PresenceChange::Kind::kHidden : PresenceChange::Kind::kLeft;
  connection.membership.for_each_channel(
      [&](const Group& group, ChannelSource) { leave(connection, group.name(), kind); });
}

void ShardPresence::leave(Connection& connection, std::string_view channel, PresenceChange::Kind kind) {
  if (options_.reports_occupied) {
    const Group* group = registry_.group(TargetKind::kChannel, channel);
    if (group != nullptr && group->size() == 1)
      options_.presence->occupied(options_.service, std::string(channel), false);
  }
  if (connection.watches_presence) unwatch(connection, std::string(channel));
  if (followed_.empty()) return;
  const auto followed = followed_.find(std::string(channel));
  if (followed == followed_.end()) return;
  // One that has not been reported yet never was a member.
  if (followed->second.unreported.erase(connection.id.value()) == 0)
    change(followed->second, followed->first, connection, kind);
}

bool ShardPresence::watch(Connection& connection, const std::string& channel) {
  loop_.assert_in_loop_thread();
  if (options_.presence == nullptr || !in_channel(connection, channel)) return true;
  // First, so that the snapshot has the stream itself, too.
  report();
  Watch how = followed_.contains(channel) ? Watch::kFurther : Watch::kNew;
  if (const auto watchers = watchers_.find(channel); watchers != watchers_.end())
    how = watchers->second.versions.contains(connection.id.value()) ? Watch::kAgain : Watch::kFurther;
  // Before anything is stored for it.
  if (const event::FrameRef refusal = options_.presence->watched(options_.service, channel, how)) {
    append_(connection, refusal);
    return false;
  }
  watchers_[channel].versions.insert_or_assign(connection.id.value(), 0);
  connection.watches_presence = true;
  return true;
}

void ShardPresence::unwatch(Connection& connection, const std::string& channel) {
  const auto watchers = watchers_.find(channel);
  if (watchers == watchers_.end() || watchers->second.versions.erase(connection.id.value()) == 0) return;
  if (watchers->second.versions.empty()) watchers_.erase(watchers);
  options_.presence->unwatched(options_.service, channel);
}

void ShardPresence::follow(const std::string& channel, std::uint64_t round) {
  loop_.assert_in_loop_thread();
  Followed& followed = followed_[channel];
  followed = Followed{.round = round};
  if (const Group* group = registry_.group(TargetKind::kChannel, channel)) {
    followed.unreported.reserve(group->size());
    for (const Connection* connection : group->members()) followed.unreported.insert(connection->id.value());
  }
  report_some(channel, round);
}

void ShardPresence::unfollow(const std::string& channel) {
  loop_.assert_in_loop_thread();
  followed_.erase(channel);
  changed_.erase(channel);
}

// A task of its own for each slice: the streams that leave meanwhile are not reported at all.
void ShardPresence::report_some(const std::string& channel, std::uint64_t round) {
  const auto found = followed_.find(channel);
  if (found == followed_.end() || found->second.round != round) return;
  Followed& followed = found->second;
  Slice slice(loop_.clock(), options_.slice);
  while (!followed.unreported.empty()) {
    const auto first = followed.unreported.begin();
    const Connection* const connection = registry_.find_any(ConnectionId(*first));
    followed.unreported.erase(first);
    if (connection != nullptr) change(followed, channel, *connection, PresenceChange::Kind::kJoined);
    if (slice.spend() && !followed.unreported.empty()) {
      loop_.post([this, channel, round] { report_some(channel, round); });
      return;
    }
  }
  // Its buckets are as many as there were streams.
  followed.unreported = {};
  followed.completed = true;
  changed_.insert(channel);
}

void ShardPresence::report() {
  if (changed_.empty()) return;
  for (const std::string& channel : std::exchange(changed_, {})) {
    const auto followed = followed_.find(channel);
    if (followed == followed_.end()) continue;
    PresenceReport report{channel, followed->second.round, std::exchange(followed->second.changes, {}),
                          std::exchange(followed->second.completed, false)};
    options_.presence->changed(options_.service, std::move(report));
  }
}

void ShardPresence::send(const std::string& channel, PresenceFrame frame) {
  loop_.assert_in_loop_thread();
  const auto watchers = watchers_.find(channel);
  if (watchers == watchers_.end()) return;
  watchers->second.frames.push_back(std::move(frame));
  if (watchers->second.frames.size() == 1) send_some(channel);
}

void ShardPresence::send_some(const std::string& channel) {
  const auto found = watchers_.find(channel);
  if (found == watchers_.end()) return;
  Watchers& watchers = found->second;
  Slice slice(loop_.clock(), options_.slice);
  while (!watchers.frames.empty()) {
    const PresenceFrame& frame = watchers.frames.front();
    auto next = watchers.versions.lower_bound(watchers.next);
    while (next != watchers.versions.end()) {
      auto& [id, version] = *next;
      watchers.next = id + 1;
      ++next;
      const bool is_for_it = frame.is_snapshot ? version == 0 : version != 0 && version < frame.version;
      Connection* const connection = is_for_it ? registry_.find(ConnectionId(id)) : nullptr;
      if (connection != nullptr) {
        version = frame.version;
        append_(*connection, frame.frame);
      }
      if (slice.spend() && next != watchers.versions.end()) {
        loop_.post([this, channel] { send_some(channel); });
        return;
      }
    }
    watchers.frames.erase(watchers.frames.begin());
    watchers.next = 0;
  }
}

}  // namespace sse::hub
