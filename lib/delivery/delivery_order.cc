#include "delivery/delivery_order.h"

namespace sse::delivery {

DeliveryOrder::Place DeliveryOrder::take() {
  auto entry = std::make_shared<Entry>();
  const MutexLock lock(mutex_);
  entries_.push_back(entry);
  open_.fetch_add(1, std::memory_order_relaxed);
  return {*this, std::move(entry)};
}

void DeliveryOrder::make_ready(Entry& entry, std::function<void()> start) {
  mutex_.lock();
  entry.start = std::move(start);
  entry.ready = true;
  if (running_) {
    mutex_.unlock();
    return;
  }
  running_ = true;
  while (!entries_.empty() && entries_.front()->ready) {
    const std::shared_ptr<Entry> first = std::move(entries_.front());
    entries_.pop_front();
    mutex_.unlock();
    if (first->start) first->start();
    // Destroyed now, not with `first`, because a thread may wait for the objects it holds.
    first->start = nullptr;
    open_.fetch_sub(1, std::memory_order_release);
    mutex_.lock();
  }
  running_ = false;
  mutex_.unlock();
}

}  // namespace sse::delivery
