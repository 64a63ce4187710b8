#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace sse::load {

/// A histogram of latencies with log-linear buckets: 64 for each power of two, a precision of 1.6 %. One thread at a
/// time.
class Histogram {
 public:
  Histogram();

  void record(std::chrono::nanoseconds value);
  void merge(const Histogram& other);
  std::uint64_t count() const { return count_; }
  std::chrono::nanoseconds max() const { return max_; }
  /// The smallest value that at least `quantile` (0 to 1) of the values do not exceed; 0 if there are none.
  std::chrono::nanoseconds quantile(double quantile) const;

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  std::chrono::nanoseconds max_{0};
};

}  // namespace sse::load
