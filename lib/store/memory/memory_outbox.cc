#include "store/memory/memory_outbox.h"

#include <algorithm>

namespace sse::store {

std::uint64_t MemoryOutbox::add(const std::vector<DeliveryReport>& reports) {
  std::uint64_t dropped = 0;
  if (limits_.outbox == 0) return dropped;
  for (const DeliveryReport& report : reports) {
    bytes_ += bytes_of(report);
    reports_.push_back({++last_, report});
    for (; reports_.size() > limits_.outbox || bytes_ > limits_.outbox_bytes.count(); ++dropped) drop_first();
  }
  return dropped;
}

void MemoryOutbox::drop_first() {
  bytes_ -= bytes_of(reports_.front().report);
  reports_.pop_front();
}

std::vector<StoredReport> MemoryOutbox::claim(std::size_t limit) {
  const auto begin = std::ranges::upper_bound(reports_, claimed_, {}, &StoredReport::number);
  const auto count = std::min(limit, static_cast<std::size_t>(reports_.end() - begin));
  std::vector<StoredReport> claimed(begin, begin + static_cast<std::ptrdiff_t>(count));
  if (!claimed.empty()) claimed_ = claimed.back().number;
  return claimed;
}

void MemoryOutbox::remove(std::span<const std::uint64_t> numbers) {
  std::vector<std::uint64_t> sorted(numbers.begin(), numbers.end());
  std::ranges::sort(sorted);
  // Only claimed ones are removed, and these are few.
  const auto claimed_end = std::ranges::upper_bound(reports_, claimed_, {}, &StoredReport::number);
  const auto kept_end = std::remove_if(reports_.begin(), claimed_end, [&](const StoredReport& one) {
    if (!std::ranges::binary_search(sorted, one.number)) return false;
    bytes_ -= bytes_of(one.report);
    return true;
  });
  reports_.erase(kept_end, claimed_end);
}

}  // namespace sse::store
