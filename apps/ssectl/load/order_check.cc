#include "ssectl/load/order_check.h"

#include <algorithm>

namespace sse::load {

OrderCheck::Result OrderCheck::record(std::uint32_t number, std::uint64_t sequence) {
  if (number >= senders_.size()) senders_.resize(number + 1);
  Sender& sender = senders_[number];
  if (sequence >= sender.next) {
    if (sequence > sender.next) {
      if (!sender.missing) sender.missing = std::make_unique<std::vector<Range>>();
      sender.missing->emplace_back(sender.next, sequence);
    }
    sender.next = sequence + 1;
    return Result::kInOrder;
  }
  if (!sender.missing) return Result::kDuplicate;
  std::vector<Range>& missing = *sender.missing;
  const auto range =
      std::ranges::find_if(missing, [&](const Range& r) { return r.first <= sequence && sequence < r.second; });
  if (range == missing.end()) return Result::kDuplicate;
  const Range rest{sequence + 1, range->second};
  range->second = sequence;
  const bool empty = range->first == range->second;
  if (rest.first < rest.second) {
    if (empty) {
      *range = rest;
    } else {
      missing.insert(range + 1, rest);
    }
  } else if (empty) {
    missing.erase(range);
  }
  return Result::kLate;
}

}  // namespace sse::load
