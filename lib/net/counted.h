#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace sse::net {

/// One of a group whose living members are counted, so that what a member stands for can pass from one owner to the
/// next without being counted twice or not at all. The group lives as long as any member. Members may be created,
/// destroyed and counted on any thread; one member belongs to one thread at a time.
class Counted {
 public:
  /// A member of no group.
  Counted() = default;
  /// The first member of a new group.
  static Counted first() { return Counted(new std::atomic<std::size_t>(1)); }
  /// One more member of this one's group. REQUIRES: this one has a group.
  Counted another() const {
    members_->fetch_add(1, std::memory_order_relaxed);
    return Counted(members_);
  }
  ~Counted() { reset(); }
  Counted(Counted&& other) noexcept : members_(std::exchange(other.members_, nullptr)) {}
  Counted& operator=(Counted&& other) noexcept {
    if (this == &other) return *this;
    reset();
    members_ = std::exchange(other.members_, nullptr);
    return *this;
  }

  /// Leaves the group.
  void reset() {
    Members* const members = std::exchange(members_, nullptr);
    if (members != nullptr && members->fetch_sub(1, std::memory_order_acq_rel) == 1) delete members;
  }
  /// The members of the group beside this one. REQUIRES: this one has a group.
  std::size_t others() const { return members_->load(std::memory_order_relaxed) - 1; }

 private:
  using Members = std::atomic<std::size_t>;

  explicit Counted(Members* members) : members_(members) {}

  Members* members_ = nullptr;
};

}  // namespace sse::net
