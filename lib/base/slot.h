#pragma once

#include <atomic>
#include <cstddef>

namespace sse {

/// Takes one of at most `max` slots, counted by `taken`, and releases it in the destructor. It converts to false when
/// no slot was free; the caller must then refuse the work. `taken` must outlive it. Thread safe.
class Slot {
 public:
  Slot(std::atomic<std::size_t>& taken, std::size_t max) : taken_(taken), granted_(taken.fetch_add(1) < max) {}
  ~Slot() { taken_.fetch_sub(1); }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  explicit operator bool() const { return granted_; }

 private:
  std::atomic<std::size_t>& taken_;
  const bool granted_;
};

}  // namespace sse
