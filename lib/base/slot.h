#pragma once

#include <atomic>
#include <cstddef>

namespace sse {

/// One of a bounded number of slots, of which `taken` counts those in use; given back when this goes. Not to be had
/// beyond `max`: then it is false, and nothing may be done that needs one. `taken` outlives it. Thread safe.
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
