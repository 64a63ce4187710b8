#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "store/outbox.h"
#include "store/store_limits.h"

namespace sse::store {

/// The outbox of MemoryRepository. Not thread safe.
class MemoryOutbox {
 public:
  /// `limits` must outlive this.
  explicit MemoryOutbox(const StoreLimits& limits) : limits_(limits) {}

  /// Adds reports, and drops the oldest ones that there is no room for; returns how many.
  std::uint64_t add(const std::vector<DeliveryReport>& reports);
  /// As Outbox.
  std::vector<StoredReport> claim(std::size_t limit);
  void remove(std::span<const std::uint64_t> numbers);
  std::uint64_t size() const { return reports_.size(); }

 private:
  void drop_first();

  const StoreLimits& limits_;
  std::deque<StoredReport> reports_;  ///< ascending by number
  std::uint64_t bytes_ = 0;
  std::uint64_t last_ = 0;     ///< number of the latest report
  std::uint64_t claimed_ = 0;  ///< claimed up to this number
};

}  // namespace sse::store
