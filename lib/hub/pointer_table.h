#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace sse::hub {

/// A hash table of pointers to objects that contain their own key: 8 bytes a slot and nothing else, where a node-based
/// container needs 50 or more. It does not own the objects. Open addressing with linear probing; it shrinks when most
/// slots are free. One thread only.
///
/// `Traits`: `static key(const T&)` and `static std::uint64_t hash(key)`; any hash will do, because the table mixes it.
template <class T, class Traits>
class PointerTable {
 public:
  using Key = decltype(Traits::key(std::declval<const T&>()));

  /// Null when absent.
  T* find(Key key) const {
    if (size_ == 0) return nullptr;
    for (std::size_t i = home(key);; i = next(i)) {
      if (slots_[i] == nullptr || Traits::key(*slots_[i]) == key) return slots_[i];
    }
  }
  /// REQUIRES: the key of `item` is absent.
  void insert(T* item) {
    if ((size_ + 1) * 4 > capacity_ * 3) resize(capacity_ == 0 ? kLeast : capacity_ * 2);
    place(item);
    ++size_;
  }
  /// REQUIRES: `item` is present. Reads its key, so the caller destroys it afterwards.
  void erase(const T* item) {
    std::size_t hole = home(Traits::key(*item));
    while (slots_[hole] != item) hole = next(hole);
    // An item that was probed past the hole moves into it, so that no search ends too early.
    for (std::size_t i = next(hole); slots_[i] != nullptr; i = next(i)) {
      const std::size_t wanted = home(Traits::key(*slots_[i]));
      if (((i - wanted) & (capacity_ - 1)) >= ((i - hole) & (capacity_ - 1))) {
        slots_[hole] = slots_[i];
        hole = i;
      }
    }
    slots_[hole] = nullptr;
    --size_;
    if (capacity_ > kLeast && size_ * 8 < capacity_) resize(capacity_ / 2);
  }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  /// `use` must not change the table.
  template <class Use>
  void for_each(Use use) const {
    for (std::size_t i = 0; i < capacity_; ++i) {
      if (slots_[i] != nullptr) use(*slots_[i]);
    }
  }

 private:
  static constexpr std::size_t kLeast = 16;

  std::size_t home(Key key) const {
    // Fibonacci hashing takes the high bits: the low ones of a name's hash already chose the shard.
    return (Traits::hash(key) * 0x9E3779B97F4A7C15ULL) >> shift_;
  }
  std::size_t next(std::size_t i) const { return (i + 1) & (capacity_ - 1); }
  void place(T* item) {
    std::size_t i = home(Traits::key(*item));
    while (slots_[i] != nullptr) i = next(i);
    slots_[i] = item;
  }
  void resize(std::size_t capacity) {
    const std::unique_ptr<T*[]> old = std::exchange(slots_, std::make_unique<T*[]>(capacity));
    const std::size_t old_capacity = std::exchange(capacity_, capacity);
    shift_ = 64 - std::countr_zero(capacity);
    for (std::size_t i = 0; i < old_capacity; ++i) {
      if (old[i] != nullptr) place(old[i]);
    }
  }

  std::unique_ptr<T*[]> slots_;
  std::size_t capacity_ = 0;  // a power of two
  std::size_t size_ = 0;
  int shift_ = 63;
};

}  // namespace sse::hub
