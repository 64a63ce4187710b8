#include "ssectl/load/histogram.h"

#include <algorithm>
#include <bit>

namespace sse::load {
namespace {

constexpr unsigned kLinearBits = 6;
constexpr std::uint64_t kLinear = 1U << kLinearBits;
// Values up to 2^45 ns, ten hours.
constexpr std::size_t kBuckets = (45 - kLinearBits + 1) * kLinear;

std::size_t bucket_of(std::uint64_t value) {
  if (value < kLinear) return static_cast<std::size_t>(value);
  const unsigned exponent = static_cast<unsigned>(std::bit_width(value)) - 1 - kLinearBits;
  const std::uint64_t mantissa = (value >> exponent) - kLinear;
  return std::min<std::size_t>((exponent + 1) * kLinear + mantissa, kBuckets - 1);
}

std::uint64_t upper_bound(std::size_t bucket) {
  if (bucket < kLinear) return bucket;
  const std::uint64_t exponent = bucket / kLinear - 1;
  return ((kLinear + bucket % kLinear + 1) << exponent) - 1;
}

}  // namespace

Histogram::Histogram() : buckets_(kBuckets) {}

void Histogram::record(std::chrono::nanoseconds value) {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(value.count(), 0));
  ++buckets_[bucket_of(ns)];
  ++count_;
  max_ = std::max(max_, value);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

std::chrono::nanoseconds Histogram::quantile(double quantile) const {
  const auto wanted = static_cast<std::uint64_t>(quantile * static_cast<double>(count_) + 0.999999);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= wanted && seen > 0) return std::min(std::chrono::nanoseconds(upper_bound(i)), max_);
  }
  return max_;
}

}  // namespace sse::load
