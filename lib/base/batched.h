#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace sse {

/// The number of the calling thread, counted from the first that asked.
inline std::size_t thread_number() {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t number = threads.fetch_add(1, std::memory_order_relaxed);
  return number;
}

/// One value for each of a few threads, so that threads which come by all the time do not wait for each other: the
/// mutex of a part is nearly always that of one thread alone, in a cache line of its own. Thread safe.
template <class T>
class PerThread {
 public:
  /// Threads beyond these share.
  static constexpr std::size_t kParts = 16;

  /// Calls `use(value)` with the part of the calling thread.
  template <class Use>
  auto mine(Use use) {
    Part& part = parts_[thread_number() % kParts];
    const MutexLock lock(part.mutex);
    return use(part.value);
  }
  /// Calls `use(value)` with every part, one after the other.
  template <class Use>
  void each(Use use) {
    for (Part& part : parts_) {
      const MutexLock lock(part.mutex);
      use(part.value);
    }
  }
  /// As each(), with all of them held until the last has been used: one moment of all threads.
  template <class Use>
  void all(Use use) SSE_NO_ANALYSIS {
    for (Part& part : parts_) part.mutex.lock();
    for (Part& part : parts_) use(part.value);
    for (Part& part : parts_) part.mutex.unlock();
  }

 private:
  struct alignas(64) Part {
    Mutex mutex;
    T value GUARDED_BY(mutex){};
  };
  std::array<Part, kParts> parts_;
};

/// Brings what many threads note to one place in batches: add() takes that place's lock once for many items. Bounded: a
/// thread keeps back less than a batch. Thread safe.
template <class Item>
class Batched {
 public:
  /// A batch is complete with so many items, or so many bytes.
  Batched(std::size_t items, std::size_t bytes) : most_items_(items), most_bytes_(bytes) {}

  /// `make()` returns the item and its bytes; nothing that is collected meanwhile has been made after it.
  /// `take(std::vector<Item>&)` gets a batch that is complete and keeps what it wants of it.
  template <class Make, class Take>
  void add(Make make, Take take) {
    parts_.mine([&](Part& part) {
      auto [item, bytes] = make();
      part.items.push_back(std::move(item));
      part.bytes += bytes;
      if (part.items.size() >= most_items_ || part.bytes >= most_bytes_) hand_over(part, take);
    });
  }
  /// Gives `take` everything that has been added by any thread.
  template <class Take>
  void collect(Take take) {
    parts_.all([&](Part& part) {
      if (!part.items.empty()) hand_over(part, take);
    });
  }

 private:
  struct Part {
    std::vector<Item> items;
    std::size_t bytes = 0;
  };

  template <class Take>
  static void hand_over(Part& part, Take& take) {
    take(part.items);
    part.items.clear();
    part.bytes = 0;
  }

  const std::size_t most_items_;
  const std::size_t most_bytes_;
  PerThread<Part> parts_;
};

}  // namespace sse
