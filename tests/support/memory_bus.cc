#include "support/memory_bus.h"

#include <utility>

namespace sse::cluster {
namespace {

constexpr const char* kCut = "the connection between the nodes is cut";

}  // namespace

void MemoryExchange::cut(bool cut) {
  const MutexLock lock(mutex_);
  if (cut_ == cut) return;
  cut_ = cut;
  for (const auto& [name, node] : nodes_) {
    node->thread_.submit([receiver = node->receiver_, cut] {
      if (cut) {
        receiver->bus_down(kCut);
      } else {
        receiver->bus_up();
      }
    });
  }
}

MemoryBus::MemoryBus(std::shared_ptr<MemoryExchange> exchange, std::string node, const Clock& clock)
    : exchange_(std::move(exchange)),
      node_(std::move(node)),
      tracker_(std::make_shared<RequestTracker>(clock)),
      thread_("sse-bus", 0, 1, SIZE_MAX) {}

void MemoryBus::start(Receiver& receiver) {
  receiver_ = &receiver;
  const MutexLock lock(exchange_->mutex_);
  exchange_->nodes_[node_] = this;
}

void MemoryBus::stop() {
  {
    const MutexLock lock(exchange_->mutex_);
    exchange_->nodes_.erase(node_);
    for (auto& [topic, nodes] : exchange_->topics_) nodes.erase(node_);
  }
  thread_.stop();
  tracker_->stop();
}

void MemoryBus::subscribe(const std::vector<std::string>& topics, std::function<void(bool)> on_subscribed) {
  bool cut = false;
  {
    const MutexLock lock(exchange_->mutex_);
    for (const std::string& topic : topics) exchange_->topics_[topic].insert(node_);
    cut = exchange_->cut_;
  }
  on_subscribed(!cut);
}

void MemoryBus::unsubscribe(const std::vector<std::string>& topics) {
  const MutexLock lock(exchange_->mutex_);
  for (const std::string& topic : topics) {
    const auto found = exchange_->topics_.find(topic);
    if (found == exchange_->topics_.end()) continue;
    found->second.erase(node_);
    if (found->second.empty()) exchange_->topics_.erase(found);
  }
}

std::shared_ptr<PendingCall> MemoryBus::start_call(const std::vector<Command>& commands) {
  auto [first, asked] = tracker_->open(commands.size());
  const MutexLock lock(exchange_->mutex_);
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const std::uint64_t number = first + i;
    if (exchange_->cut_) {
      tracker_->failed(number, kCut);
      continue;
    }
    const auto found = exchange_->topics_.find(commands[i].topic);
    const std::set<std::string> receivers = found == exchange_->topics_.end() ? std::set<std::string>() : found->second;
    tracker_->reached(number, receivers.size());
    for (const std::string& name : receivers) {
      if (name == node_) {
        tracker_->echoed(number);
        continue;
      }
      exchange_->nodes_.at(name)->take(
          {node_, commands[i].bytes, [tracker = tracker_, number, name](std::string answer) {
             tracker->answered(number, name, std::move(answer));
             tracker->run_ready();
           }});
    }
  }
  return asked;
}

void MemoryBus::take(Incoming command) {
  thread_.submit([this, moved = std::make_shared<Incoming>(std::move(command))] {
    std::vector<Incoming> batch;
    batch.push_back(std::move(*moved));
    receiver_->received(std::move(batch), nullptr);
  });
}

std::string MemoryBus::why_down() const {
  const MutexLock lock(exchange_->mutex_);
  return exchange_->cut_ ? kCut : "";
}

}  // namespace sse::cluster
