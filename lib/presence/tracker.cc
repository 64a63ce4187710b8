#include "presence/tracker.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/text.h"
#include "observe/log.h"

namespace sse::presence {

using std::chrono::milliseconds;

Tracker::Tracker(TrackerOptions options, const Clock& clock, observe::Registry& metrics, Occupancy::Report occupied)
    : options_(options),
      loop_("sse-presence", clock),
      channels_gauge_(metrics.gauge("sse_presence_channels", "Channels whose members are followed")),
      members_gauge_(metrics.gauge("sse_presence_members", "Members of these channels on this node, each per channel")),
      watchers_gauge_(metrics.gauge("sse_presence_watchers", "Streams that watch a channel, each per channel")),
      events_(metrics.counter("sse_presence_events_total", "Events about presence made for the streams that watch")),
      refused_streams_(metrics.counter("sse_presence_refused_total",
                                       "Watches refused, of streams and of other nodes (--presence-channels)",
                                       {{"by", "stream"}})),
      refused_nodes_(metrics.counter("sse_presence_refused_total",
                                     "Watches refused, of streams and of other nodes (--presence-channels)",
                                     {{"by", "node"}})) {
  if (occupied) occupancy_.emplace(options.grace, std::move(occupied));
  if (options.remote != nullptr)
    peers_.emplace(loop_, *options.remote, static_cast<Peers::Owner&>(*this), options.grace);
}

Tracker::~Tracker() = default;

void Tracker::add(hub::Hub& hub, std::size_t shards) {
  services_[hub.options().service.str()] = {&hub, shards};
}

void Tracker::start() {
  loop_.start();
  if (peers_) loop_.post([this] { peers_->start(); });
}

bool Tracker::take_place() {
  std::size_t taken = places_.load(std::memory_order_relaxed);
  while (taken < options_.max_channels) {
    if (places_.compare_exchange_weak(taken, taken + 1, std::memory_order_relaxed)) return true;
  }
  return false;
}

void Tracker::note_refused(observe::Counter& counter, const Key& key) {
  counter.add();
  if (const auto left_out = throttle_.line(loop_.clock().steady_now())) {
    observe::log_warn("the members of a channel are not followed: there are --presence-channels others",
                      {{"service", key.first},
                       {"channel", printable(key.second, 200)},
                       {"limit", std::to_string(options_.max_channels)},
                       {"leftOut", std::to_string(*left_out)}});
  }
}

event::FrameRef Tracker::watched(const ServiceName& service, const std::string& channel, hub::Watch how) {
  // What a shard knows as watched or followed has its place.
  const bool has_place = how == hub::Watch::kNew && take_place();
  if (how == hub::Watch::kNew && !has_place) {
    note_refused(refused_streams_, {service.str(), channel});
    return event::Frame::make(encode_refused(channel, hub::kPresenceLimit));
  }
  loop_.post([this, key = Key(service.str(), channel), how, has_place] {
    Channel& watched = open(key, has_place);
    if (how != hub::Watch::kAgain) {
      ++watched.watchers;
      watchers_gauge_.add(1);
    }
    watched.idle_since.reset();
    if (!watched.view) {
      pass_on_changes(watched);
      watched.view.emplace(key.second, options_.max_listed);
      watched.view->apply("", watched.roster.all());
      if (peers_ && peers_->any()) {
        // The first snapshot has the members of the other nodes, too, if they tell them soon.
        watched.next = std::max(watched.next, loop_.now() + kInterval);
        peers_->tell(key, true);
      }
    }
    watched.wants_snapshot = true;
    run_at(watched, watched.next);
  });
  return {};
}

void Tracker::unwatched(const ServiceName& service, const std::string& channel) {
  loop_.post([this, key = Key(service.str(), channel)] {
    Channel* const watched = find(key);
    if (watched == nullptr || watched->watchers == 0) return;
    watchers_gauge_.add(-1);
    if (--watched->watchers == 0) rest(*watched);
  });
}

void Tracker::rest(Channel& channel) {
  channel.idle_since = loop_.now();
  if (std::exchange(channel.closing, true)) return;
  loop_.run_after(kLinger, [this, key = channel.key] { close_idle(key); });
}

void Tracker::changed(const ServiceName& service, hub::PresenceReport report) {
  loop_.post([this, service = service.str(), report = std::move(report)]() mutable {
    Channel* const channel = find({service, report.channel});
    if (channel == nullptr || channel->round != report.round) return;
    for (hub::PresenceChange& change : report.changes) {
      const MemberId id{std::move(change.tenant), std::move(change.user)};
      if (change.kind == hub::PresenceChange::Kind::kJoined) {
        channel->roster.joined(id, member_profile(change.profile));
      } else {
        const bool hidden = change.kind == hub::PresenceChange::Kind::kHidden;
        channel->roster.left(id, loop_.now() + (hidden ? options_.hidden_grace : options_.grace));
      }
    }
    count_members(*channel);
    if (report.complete && channel->incomplete > 0) --channel->incomplete;
    run_at(*channel, channel->next);
  });
}

void Tracker::occupied(const ServiceName& service, const std::string& channel, bool occupied) {
  if (!occupancy_) return;
  loop_.post([this, service, channel, occupied] {
    occupancy_->shard_changed(service, channel, occupied, loop_.now());
    if (!occupancy_timer_) expire_occupancy();
  });
}

// A timer for the first channel whose grace ends; it may be that of one that is occupied again.
void Tracker::expire_occupancy() {
  occupancy_timer_.reset();
  occupancy_->expire(loop_.now());
  if (const auto next = occupancy_->next_expiry()) {
    occupancy_timer_ =
        loop_.run_after(std::chrono::ceil<milliseconds>(*next - loop_.now()), [this] { expire_occupancy(); });
  }
}

// `has_place`: one was taken for it.
Tracker::Channel& Tracker::open(const Key& key, bool has_place) {
  std::unique_ptr<Channel>& channel = channels_[key];
  // Another shard was first.
  if (channel && has_place) places_.fetch_sub(1, std::memory_order_relaxed);
  if (channel) return *channel;
  // It was forgotten before the shard that reported it knew.
  if (!has_place) places_.fetch_add(1, std::memory_order_relaxed);
  const Service& service = services_.at(key.first);
  channel = std::make_unique<Channel>(key, *service.hub, options_.max_listed);
  channel->round = ++last_round_;
  channel->incomplete = service.shards;
  channels_gauge_.set(static_cast<std::int64_t>(channels_.size()));
  channel->hub.follow_presence(key.second, channel->round);
  return *channel;
}

void Tracker::close_idle(const Key& key) {
  Channel* const channel = find(key);
  if (channel == nullptr) return;
  channel->closing = channel->idle_since && loop_.now() < *channel->idle_since + kLinger;
  if (channel->closing) loop_.run_after(kLinger, [this, key] { close_idle(key); });
  // It may be watched again since.
  if (channel->closing || channel->watchers != 0) return;
  if (channel->view) {
    channel->view.reset();
    if (peers_) peers_->tell(key, false);
  }
  if (!channel->peers.empty()) return;
  channel->hub.unfollow_presence(key.second);
  if (channel->timer) loop_.cancel(*channel->timer);
  members_gauge_.add(-static_cast<std::int64_t>(channel->members_counted));
  channels_.erase(key);
  places_.fetch_sub(1, std::memory_order_relaxed);
  if (peers_) peers_->can_take_more();
  channels_gauge_.set(static_cast<std::int64_t>(channels_.size()));
}

Tracker::Channel* Tracker::find(const Key& key) {
  const auto channel = channels_.find(key);
  return channel == channels_.end() ? nullptr : channel->second.get();
}

void Tracker::run_at(Channel& channel, SteadyTime due) {
  if (channel.timer && channel.timer->first <= due) return;
  if (channel.timer) loop_.cancel(*channel.timer);
  const auto delay = std::max(std::chrono::ceil<milliseconds>(due - loop_.now()), milliseconds(0));
  channel.timer = loop_.run_after(delay, [this, &channel] {
    channel.timer.reset();
    run(channel);
  });
}

void Tracker::run(Channel& channel) {
  channel.roster.expire(loop_.now());
  count_members(channel);
  pass_on_changes(channel);
  if (channel.view && channel.incomplete == 0) {
    if (const auto event = channel.view->take_event()) send(channel, *event, false);
    if (std::exchange(channel.wants_snapshot, false)) send(channel, channel.view->snapshot(), true);
    const bool large = channel.view->counts_only() || channel.watchers > options_.max_listed;
    channel.next = loop_.now() + (large ? kLargeInterval : kInterval);
    if (channel.view->waits()) run_at(channel, channel.next);
  }
  channel.next = std::max(channel.next, channel.peers.empty() ? channel.next : loop_.now() + kInterval);
  if (const auto expiry = channel.roster.next_expiry()) run_at(channel, std::max(*expiry, channel.next));
}

void Tracker::pass_on_changes(Channel& channel) {
  const RosterUpdate update = channel.roster.take_update();
  if (!update.empty()) {
    if (channel.view) channel.view->apply("", update);
    for (const std::string& node : channel.peers) {
      if (!channel.uninformed.contains(node)) inform(channel, node, update);
    }
  }
  if (channel.incomplete != 0) return;
  for (const std::string& node : std::exchange(channel.uninformed, {})) inform(channel, node, channel.roster.all());
}

void Tracker::send(Channel& channel, const PresenceEvent& event, bool is_snapshot) {
  events_.add();
  channel.hub.send_presence(channel.key.second, {event::Frame::make(event.text), event.version, is_snapshot});
}

void Tracker::count_members(Channel& channel) {
  const std::size_t now = channel.roster.size();
  members_gauge_.add(static_cast<std::int64_t>(now) - static_cast<std::int64_t>(channel.members_counted));
  channel.members_counted = now;
}

}  // namespace sse::presence
