#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace sse {

/// The number of the calling thread, in the order of the first calls.
inline std::size_t thread_number() {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t number = threads.fetch_add(1, std::memory_order_relaxed);
  return number;
}

/// One value for each of a few threads, so that busy threads do not wait for each other: the mutex of a part is nearly
/// always used by one thread alone, and is in its own cache line. Thread safe.
template <class T>
class PerThread {
 public:
  /// The number of parts; more threads share them.
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
  /// As each(), but holds all parts until the last one has been used: a consistent snapshot of all threads.
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

/// Collects items that many threads add, in batches: the lock of the common destination is taken once for many items.
/// Bounded: a thread holds less than one batch. Thread safe.
template <class Item>
class Batched {
 public:
  /// A batch is complete at `items` items or `bytes` bytes.
  Batched(std::size_t items, std::size_t bytes) : max_items_(items), max_bytes_(bytes) {}

  /// `make()` returns the item and its size in bytes; no item that collect() takes meanwhile was made later.
  /// `take(std::vector<Item>&)` gets a complete batch and may move items out of it.
  template <class Make, class Take>
  void add(Make make, Take take) {
    parts_.mine([&](Part& part) {
      auto [item, bytes] = make();
      part.items.push_back(std::move(item));
      part.bytes += bytes;
      if (part.items.size() >= max_items_ || part.bytes >= max_bytes_) hand_over(part, take);
    });
  }
  /// Passes all items added by any thread to `take`.
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

  const std::size_t max_items_;
  const std::size_t max_bytes_;
  PerThread<Part> parts_;
};

}  // namespace sse
