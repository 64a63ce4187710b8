#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <vector>

#include "base/ids.h"

namespace sse::hub {

/// The latest confirmations on the streams of one shard. The store may not have recorded them yet, so that a page read
/// meanwhile contains these messages once more. Holds the newest kMaxKept, 16 bytes each. Loop thread only.
class RecentConfirmations {
 public:
  struct Entry {
    ConnectionId connection;
    MessageId message;
    auto operator<=>(const Entry&) const = default;
  };
  static constexpr std::size_t kMaxKept = 65'536;

  void add(ConnectionId connection, MessageId message) {
    if (entries_.size() < kMaxKept) {
      entries_.push_back({connection, message});
    } else {
      entries_[oldest_] = {connection, message};
      oldest_ = (oldest_ + 1) % kMaxKept;
    }
  }
  /// All entries, sorted.
  std::vector<Entry> sorted() const {
    std::vector<Entry> entries = entries_;
    std::ranges::sort(entries);
    return entries;
  }

 private:
  std::vector<Entry> entries_;
  std::size_t oldest_ = 0;
};

}  // namespace sse::hub
