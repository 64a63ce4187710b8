#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "base/units.h"

namespace sse::net {

/// A limit on bytes that many connections share; each reserves its part before it uses it. Thread safe.
class ByteBudget {
 public:
  /// `option`: the option that sets the limit, for messages such as "--max-body-memory".
  ByteBudget(ByteCount limit, std::string option) : limit_(limit.count()), option_(std::move(option)) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  /// The part of one connection, released by the destructor. One thread at a time. The budget must outlive it.
  class Share {
   public:
    Share() = default;
    /// `budget` null: unlimited.
    explicit Share(ByteBudget* budget) : budget_(budget) {}
    ~Share() { release(); }
    Share(Share&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), taken_(std::exchange(other.taken_, 0)) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(taken_, other.taken_);
      return *this;
    }

    /// Reserves as much as is needed for `bytes` in total. Returns false, and changes nothing, when the budget is
    /// exhausted.
    bool raise_to(std::uint64_t bytes) {
      if (budget_ == nullptr || bytes <= taken_) return true;
      if (!budget_->take(bytes - taken_)) return false;
      taken_ = bytes;
      return true;
    }
    void release() {
      if (budget_ != nullptr) budget_->used_.fetch_sub(std::exchange(taken_, 0), std::memory_order_relaxed);
    }

   private:
    ByteBudget* budget_ = nullptr;
    std::uint64_t taken_ = 0;
  };

  std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  std::uint64_t limit() const { return limit_; }
  const std::string& option() const { return option_; }

 private:
  bool take(std::uint64_t bytes) {
    std::uint64_t used = used_.load(std::memory_order_relaxed);
    do {
      if (bytes > limit_ || used > limit_ - bytes) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
    return true;
  }

  const std::uint64_t limit_;
  const std::string option_;
  std::atomic<std::uint64_t> used_{0};
};

}  // namespace sse::net
