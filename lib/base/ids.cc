#include "base/ids.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace sse {
namespace {

constexpr int kNodeShift = 12;
constexpr int kTimeShift = 22;
constexpr std::uint64_t kNodeMask = 0x3FF;
constexpr std::uint64_t kSequenceMask = 0xFFF;
// 2024-01-01T00:00:00Z; 41 bits of milliseconds last until 2093.
constexpr std::int64_t kEpochMillis = 1704067200000;

}  // namespace

std::optional<std::uint64_t> parse_id(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value == 0) return std::nullopt;
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return value;
}

IdGenerator::IdGenerator(unsigned node, std::uint64_t floor, const Clock& clock)
    : clock_(clock), node_bits_((node & kNodeMask) << kNodeShift), last_(floor) {}

std::uint64_t IdGenerator::next_at(WallTime now) {
  const std::uint64_t millis = static_cast<std::uint64_t>(std::max<std::int64_t>(to_millis(now) - kEpochMillis, 0));
  const std::uint64_t fresh = (millis << kTimeShift) | node_bits_;
  std::uint64_t last = last_.load(std::memory_order_relaxed);
  std::uint64_t id = 0;
  do {
    if (fresh > last) {
      id = fresh;
    } else if ((last & kSequenceMask) != kSequenceMask && (last & (kNodeMask << kNodeShift)) == node_bits_) {
      id = last + 1;
    } else {
      id = (((last >> kTimeShift) + 1) << kTimeShift) | node_bits_;
    }
  } while (!last_.compare_exchange_weak(last, id, std::memory_order_relaxed));
  return id;
}

void IdGenerator::raise_floor(std::uint64_t floor) {
  std::uint64_t last = last_.load(std::memory_order_relaxed);
  while (last < floor && !last_.compare_exchange_weak(last, floor, std::memory_order_relaxed)) {
  }
}

WallTime IdGenerator::time_of(std::uint64_t id) {
  return from_millis(static_cast<std::int64_t>(id >> kTimeShift) + kEpochMillis);
}

}  // namespace sse
