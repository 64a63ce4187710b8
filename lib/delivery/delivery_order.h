#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "base/mutex.h"

namespace sse::delivery {

/// Starts deliveries in the order in which their messages were committed, whichever sender's thread is ready first.
/// Without it a message may overtake one that was committed before it, and a client whose state two senders set
/// (SendRequest::collapse) ends with the older one. Thread safe.
///
/// A place is taken when the message is committed, in the order of the commits. What is to happen there runs once
/// everything before it has run: on the thread that brings it, or on the one that brings the last thing that was
/// missing before it. No thread waits for another.
class DeliveryOrder {
 private:
  struct Entry {
    std::function<void()> start;
    bool ready = false;
  };

 public:
  /// A place that was taken. When it goes unused, those behind it go on.
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

  /// Behind all that were taken before. It goes before this does.
  Place take() EXCLUDES(mutex_);
  /// Runs `start`, which must be quick and must not throw, at this place, or behind all places taken so far when there
  /// is none. It may run after this has returned, on another thread, and this may run what others have brought.
  void run(Place place, std::function<void()> start) EXCLUDES(mutex_);

 private:
  void make_ready(Entry& entry, std::function<void()> start) EXCLUDES(mutex_);

  std::atomic<std::size_t> open_{0};  ///< taken, and not yet run to the end
  Mutex mutex_;
  std::deque<std::shared_ptr<Entry>> entries_ GUARDED_BY(mutex_);
  bool running_ GUARDED_BY(mutex_) = false;  ///< a thread runs what was first, and then goes on
};

}  // namespace sse::delivery
