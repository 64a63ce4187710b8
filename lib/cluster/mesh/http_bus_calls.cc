#include <utility>

#include "cluster/mesh/http_bus.h"

// The part of HttpBus that subscribes, and queues commands and replies for its peers.
namespace sse::cluster {

void HttpBus::subscribe(const std::vector<std::string>& topics, std::function<void(bool)> on_subscribed) {
  const auto barrier = std::make_shared<TopicBarrier>();
  {
    const MutexLock lock(mutex_);
    topics_.insert(topics.begin(), topics.end());
    for (const auto& [address, link] : links_) {
      link->announcer.add(true, topics);
      if (link->departed) continue;
      if (link->state == PeerLink::State::kDown || stopping_) {
        barrier->good = false;
        continue;
      }
      link->announcer.wait(barrier);
      link->wake.notify_all();
    }
    if (barrier->open != 0) {
      barrier->on_subscribed = std::move(on_subscribed);
      return;
    }
  }
  on_subscribed(barrier->good);
}

void HttpBus::unsubscribe(const std::vector<std::string>& topics) {
  const MutexLock lock(mutex_);
  for (const std::string& topic : topics) topics_.erase(topic);
  for (const auto& [address, link] : links_) link->announcer.add(false, topics);
}

std::shared_ptr<PendingCall> HttpBus::start_call(const std::vector<Command>& commands) {
  const auto [first, pending_call] = tracker_.open(commands.size());
  const SteadyTime now = clock_.steady_now();
  const MutexLock lock(mutex_);
  const std::string down = stopping_ ? "this node is stopping" : why_down_locked();
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const std::uint64_t number = first + i;
    if (!down.empty()) {
      tracker_.failed(number, down);
      continue;
    }
    std::vector<RequestTracker::Expected> expected;
    std::vector<std::string> lost;
    for (const auto& [address, link] : links_) {
      if (!is_member(*link, now) || !peer_subscriptions_.wants(address, commands[i].topic, now)) continue;
      expected.push_back({address, link->label()});
      MeshMessage::Command command{number, commands[i].topic, commands[i].bytes};
      if (link->state == PeerLink::State::kDown || link->queued + size_of(command) > options_.link.max_queued) {
        lost.push_back(address);
        continue;
      }
      link->queued += size_of(command);
      link->commands.push_back(std::move(command));
      link->wake.notify_all();
    }
    tracker_.expect(number, std::move(expected));
    for (const std::string& address : lost) tracker_.lost(address, number);
  }
  return pending_call;
}

std::string HttpBus::why_down_locked() const {
  const SteadyTime now = clock_.steady_now();
  std::string why;
  for (const auto& [address, link] : links_) {
    if (!is_member(*link, now)) continue;
    if (link->state != PeerLink::State::kDown) return "";
    if (why.empty()) why = "cannot reach node '" + link->label() + "' at " + address + ": " + link->why;
  }
  return why;
}

std::string HttpBus::why_down() const {
  const MutexLock lock(mutex_);
  return why_down_locked();
}

void HttpBus::notice_down() {
  std::string why;
  {
    const MutexLock lock(mutex_);
    why = why_down_locked();
    if (why.empty() != down_) return;
    down_ = !why.empty();
  }
  Receiver* receiver = receiver_.load();
  if (!why.empty() && receiver != nullptr) receiver->bus_down(why);
}

void HttpBus::lose(const std::string& address, const std::deque<MeshMessage::Command>& commands) {
  for (const MeshMessage::Command& command : commands) tracker_.lost(address, command.number);
}

void HttpBus::answer_later(const std::string& address, std::uint64_t number, std::string bytes) {
  const MutexLock lock(mutex_);
  const auto found = links_.find(address);
  if (found == links_.end() || found->second->state == PeerLink::State::kDown) return;
  PeerLink& link = *found->second;
  MeshMessage::Answer answer{number, std::move(bytes)};
  if (link.queued + size_of(answer) > options_.link.max_queued) return;
  link.queued += size_of(answer);
  link.answers.push_back(std::move(answer));
  link.wake.notify_all();
}

}  // namespace sse::cluster
