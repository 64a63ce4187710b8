#include <algorithm>
#include <random>
#include <utility>

#include "base/error.h"
#include "cluster/core/cluster.h"
#include "cluster/core/discovery.h"
#include "cluster/mesh/http_bus.h"
#include "observe/log.h"

// The sending side of HttpBus: the queue of each peer, and the handling of responses.
namespace sse::cluster {
namespace {

constexpr std::size_t kBytesInOnePost = std::size_t{4} << 20;
// Each link is a thread, and a sender may add one: bounded by the possible number of nodes, doubled for a rolling
// restart.
constexpr std::size_t kMaxLinks = 2 * kNodeNumbers;

// Moves the items that fit into one post; the first always fits.
template <class Item, class Size>
void take(std::deque<Item>& from, std::size_t& queued, std::size_t& bytes, Size size, std::vector<Item>& to) {
  while (!from.empty() && (bytes == 0 || bytes + size(from.front()) <= kBytesInOnePost)) {
    const std::size_t n = size(from.front());
    bytes += n;
    queued -= std::min(queued, n);
    to.push_back(std::move(from.front()));
    from.pop_front();
  }
}

}  // namespace

// Whether the peer is a member: it has not been silent for too long, and has sent no leave notice.
bool HttpBus::is_member(const PeerLink& link, SteadyTime now) const {
  if (link.departed) return false;
  if (options_.give_up.count() == 0 || link.state != PeerLink::State::kDown) return true;
  return now - std::max(link.last_heard, peer_subscriptions_.last_heard(link.address)) < options_.give_up;
}

PeerLink& HttpBus::link_to(const Peer& peer) {
  auto found = links_.find(peer.address);
  if (found == links_.end()) {
    if (links_.size() >= kMaxLinks) {
      throw Error(ErrorCode::kLimitExceeded,
                  "more than " + std::to_string(kMaxLinks) + " addresses of nodes are already known here");
    }
    PeerLink::Owner& owner = *this;
    const auto fresh = std::make_shared<PeerLink>(owner, options_.link, peer.address, peer.secret, clock_);
    fresh->announcer.start_over();
    fresh->start();
    found = links_.emplace(peer.address, fresh).first;
  }
  const std::shared_ptr<PeerLink>& link = found->second;
  if (!peer.secret.empty() && link->secret != peer.secret) {
    link->secret = peer.secret;
    link->due = SteadyTime{};
    link->wake.notify_all();
  }
  if (!peer.id.empty()) link->id = peer.id;
  return *link;
}

void HttpBus::set_peers(const std::vector<Peer>& peers) {
  TopicBarriers completed;
  std::vector<std::shared_ptr<PeerLink>> ended;
  {
    const MutexLock lock(mutex_);
    if (stopping_) return;
    wanted_.clear();
    for (const Peer& peer : peers) {
      if (peer.address == address_ || own_.contains(peer.address)) continue;
      wanted_.insert(peer.address);
      try {
        link_to(peer);
      } catch (const Error& e) {
        observe::log_error("another node's address cannot be used", {{"node", peer.id}, {"error", e.what()}});
      }
    }
    const SteadyTime now = clock_.steady_now();
    std::vector<std::string> forgotten;
    for (const auto& [address, link] : links_) {
      if (wanted_.contains(address)) continue;
      if (link->departed ||
          now - std::max({link->last_heard, link->since, peer_subscriptions_.last_heard(address)}) > options_.lease)
        forgotten.push_back(address);
    }
    for (const std::string& address : forgotten) {
      links_.at(address)->announcer.lost(completed);
      forget(address);
    }
    std::erase_if(gone_, [&](const std::shared_ptr<PeerLink>& link) {
      if (!link->finished) return false;
      ended.push_back(link);
      return true;
    });
  }
  for (const auto& barrier : completed) barrier->on_subscribed(barrier->good);
  notice_down();
}

void HttpBus::forget(const std::string& address) {
  const auto found = links_.find(address);
  if (found == links_.end()) return;
  PeerLink& link = *found->second;
  link.ending = true;
  lose(address, link.commands);
  link.commands.clear();
  link.wake.notify_all();
  peer_subscriptions_.forget(address);
  gone_.push_back(std::move(found->second));
  links_.erase(found);
}

void HttpBus::set_hello(event::Json hello) {
  const MutexLock lock(mutex_);
  hello_ = std::move(hello);
  ++hellos_;
}

void HttpBus::set_hold(std::chrono::milliseconds hold) {
  const MutexLock lock(mutex_);
  hold_ = hold;
}

void HttpBus::announce(event::Json hello, std::chrono::milliseconds timeout) {
  set_hello(std::move(hello));
  const SteadyTime deadline = clock_.steady_now() + timeout;
  const MutexLock lock(mutex_);
  const std::uint64_t mine = hellos_;
  urgent_hello_ = mine;
  const auto knows = [&](const auto& entry) {
    return entry.second->state == PeerLink::State::kDown || entry.second->acked_hello >= mine;
  };
  for (const auto& [address, link] : links_) {
    if (link->state == PeerLink::State::kDown) continue;
    link->due = SteadyTime{};
    link->wake.notify_all();
  }
  while (!stopping_ && !std::ranges::all_of(links_, knows)) {
    if (!changed_.wait_until(mutex_, deadline, clock_)) return;
  }
}

std::vector<HttpBus::Seen> HttpBus::seen() const {
  std::vector<Seen> all;
  const MutexLock lock(mutex_);
  for (const auto& [address, link] : links_) {
    if (link->departed) continue;
    all.push_back({address, link->secret, !link->id.empty() ? link->id : node_of(link->name), link->name, link->hello,
                   std::max(link->last_heard, peer_subscriptions_.last_heard(address)),
                   link->state == PeerLink::State::kUp, link->why});
  }
  return all;
}

std::vector<HttpBus::Seen> HttpBus::unreachable() const {
  std::vector<Seen> down = seen();
  std::erase_if(down, [](const Seen& one) { return one.up || one.why.empty(); });
  return down;
}

bool HttpBus::settle(std::chrono::milliseconds timeout) {
  const SteadyTime deadline = clock_.steady_now() + timeout;
  const MutexLock lock(mutex_);
  for (;;) {
    const bool settled = std::ranges::all_of(links_, [](const auto& entry) {
      return entry.second->announced || entry.second->state == PeerLink::State::kDown;
    });
    if (settled) return true;
    if (!changed_.wait_until(mutex_, deadline, clock_)) return false;
  }
}

bool HttpBus::write_post(PeerLink& link, MeshMessage& post, std::string& secret) {
  const MutexLock lock(mutex_);
  bool down = false;
  for (;;) {
    down = link.state == PeerLink::State::kDown;
    if (link.ending || (link.leave_notice && down)) {
      link.finished = true;
      changed_.notify_all();
      return false;
    }
    if (link.leave_notice) {
      link.ending = true;
      post.stopping = true;
      break;
    }
    const bool work = !link.commands.empty() || !link.answers.empty() || (mesh_server_ && link.announcer.urgent());
    if ((work && !down) || link.due <= clock_.steady_now()) break;
    link.wake.wait_until(mutex_, link.due, clock_);
  }
  post.from = options_.node;
  link.posted_since = true;
  secret = link.secret;
  if (mesh_server_) {
    post.address = address_;
    post.secret = options_.secret;
    post.hello = hello_;
    link.sent_hello = hellos_;
    // Send no topics to a peer that is down, only a ping: each attempt would copy a piece of all topics.
    link.announcer.write(post, topics_, down ? 0 : SubscriptionAnnouncer::kTopicsInOnePost);
  } else {
    post.hold = hold_;
  }
  std::size_t bytes = 0;
  const auto size = [](const auto& item) { return size_of(item); };
  take(link.commands, link.queued, bytes, size, post.commands);
  take(link.answers, link.queued, bytes, size, post.answers);
  return true;
}

void HttpBus::on_response(PeerLink& link, const MeshMessage& post, MeshMessage response) {
  TopicBarriers completed;
  bool came_up = false;
  {
    const MutexLock lock(mutex_);
    if (response.from == options_.node) {
      own_.insert(link.address);
      wanted_.erase(link.address);
      link.announcer.lost(completed);
      for (const MeshMessage::Command& command : post.commands) tracker_.excused(link.address, command.number);
      forget(link.address);
    } else {
      const SteadyTime now = clock_.steady_now();
      // The subscriptions of an earlier run at the same address do not apply to this one.
      if (!link.name.empty() && link.name != response.from) peer_subscriptions_.forget(link.address);
      link.name = response.from;
      link.hello = std::move(response.hello);
      link.acked_hello = link.sent_hello;
      link.last_heard = now;
      link.state = PeerLink::State::kUp;
      link.departed = response.stopping || (link.departed && !link.posted_since);
      link.why.clear();
      link.attempts = 0;
      // If announce() was called during the post, do not wait for the next ping.
      link.due = link.acked_hello < urgent_hello_ ? now : now + options_.ping;
      if (response.resync) {
        link.announcer.start_over();
        link.due = now;
      } else {
        link.announcer.confirmed(completed);
        came_up = !link.announced && (!mesh_server_ || link.announcer.complete());
        link.announced = link.announced || came_up;
      }
      for (MeshMessage::Answer& answer : response.answers)
        tracker_.answered_by(link.address, answer.number, response.from, std::move(answer.bytes));
      for (const std::uint64_t number : response.excused) tracker_.excused(link.address, number);
    }
    changed_.notify_all();
  }
  tracker_.run_ready();
  for (const auto& barrier : completed) barrier->on_subscribed(barrier->good);
  notice_down();
  // Before start() no command can be missed.
  Receiver* receiver = receiver_.load();
  if (came_up && receiver != nullptr) receiver->bus_up();
}

void HttpBus::failed(PeerLink& link, const MeshMessage& post, const std::string& why) {
  TopicBarriers completed;
  bool news = false;
  std::string label;
  {
    const MutexLock lock(mutex_);
    news = link.state != PeerLink::State::kDown && !link.departed && !link.ending;
    link.state = PeerLink::State::kDown;
    link.why = why;
    link.announced = false;
    const auto grown = options_.link.backoff_least * (std::int64_t{1} << std::min<std::size_t>(link.attempts, 10));
    const auto pause = std::min<std::chrono::milliseconds>(grown, options_.link.backoff_most);
    ++link.attempts;
    // Half of it random, so that nodes that lost each other together do not reconnect together.
    std::random_device random;
    link.due = clock_.steady_now() + pause / 2 +
               std::chrono::milliseconds(random() % static_cast<std::uint64_t>(pause.count() / 2 + 1));
    for (const MeshMessage::Command& command : post.commands) tracker_.lost(link.address, command.number);
    lose(link.address, link.commands);
    link.commands.clear();
    link.answers.clear();
    link.queued = 0;
    link.announcer.lost(completed);
    link.announcer.start_over();
    // The peer may have changed its subscriptions without noticing that this node missed it.
    peer_subscriptions_.invalidate(link.address);
    label = link.label();
    changed_.notify_all();
  }
  tracker_.run_ready();
  if (news) {
    observe::log_warn("another node cannot be reached", {{"node", label}, {"address", link.address}, {"error", why}});
  }
  for (const auto& barrier : completed) barrier->on_subscribed(barrier->good);
  notice_down();
}

}  // namespace sse::cluster
