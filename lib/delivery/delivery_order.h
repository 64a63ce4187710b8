#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "base/mutex.h"

namespace sse::delivery {

/// Starts deliveries in the order in which their messages were committed, whichever sending thread is ready first.
/// Without it a message may overtake one committed before it, and a client with state set by two senders
/// (SendRequest::collapse) would end with the older one. Thread safe.
///
/// A sender takes a place when its message is committed, in the order of the commits. The function of a place runs when
/// those of all earlier places have run: on the thread that calls run(), or on the thread that completes the last
/// earlier place. No thread waits for another.
class DeliveryOrder {
 private:
  struct Entry {
    std::function<void()> start;
    bool ready = false;
  };

 public:
  /// A place in the order. Destroying it unused lets the places behind it continue.
  class [[nodiscard]] Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept : order_(std::exchange(other.order_, nullptr)), entry_(std::move(other.entry_)) {}
    Place& operator=(Place&& other) noexcept {
      if (this != &other) {
        give_up();
        order_ = std::exchange(other.order_, nullptr);
        entry_ = std::move(other.entry_);
      }
      return *this;
    }
    ~Place() { give_up(); }

   private:
    friend class DeliveryOrder;
    Place(DeliveryOrder& order, std::shared_ptr<Entry> entry) : order_(&order), entry_(std::move(entry)) {}
    void give_up() {
      if (order_ != nullptr) std::exchange(order_, nullptr)->make_ready(*entry_, {});
    }

    DeliveryOrder* order_ = nullptr;
    std::shared_ptr<Entry> entry_;
  };

  DeliveryOrder() = default;
  DeliveryOrder(const DeliveryOrder&) = delete;
  DeliveryOrder& operator=(const DeliveryOrder&) = delete;

  /// Takes the next place. It must be destroyed before this object.
  Place take() EXCLUDES(mutex_);
  /// Runs `start`, which must be quick and must not throw, at `place`, or after all places taken so far when `place` is
  /// empty. `start` may run after this has returned, on another thread; this call may run the functions of other
  /// places.
  template <class Start>
  void run(Place place, Start start) EXCLUDES(mutex_) {
    if (place.order_ == nullptr) {
      // With no open place, all earlier functions of this thread have run. Most sends take this way, without a lock or
      // an allocation.
      if (open_.load(std::memory_order_acquire) == 0) {
        start();
        return;
      }
      place = take();
    }
    place.order_ = nullptr;
    make_ready(*place.entry_, std::move(start));
  }

 private:
  void make_ready(Entry& entry, std::function<void()> start) EXCLUDES(mutex_);

  std::atomic<std::size_t> open_{0};  ///< places taken and not finished
  Mutex mutex_;
  std::deque<std::shared_ptr<Entry>> entries_ GUARDED_BY(mutex_);
  bool running_ GUARDED_BY(mutex_) = false;  ///< a thread is running the ready places
};

}  // namespace sse::delivery
