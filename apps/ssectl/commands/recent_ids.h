#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_set>

namespace sse::ctl {

/// The ids of the most recently received events, to detect duplicates. One thread at a time.
class RecentIds {
 public:
  /// Remembers at most `max_ids` ids: of more it forgets the oldest.
  explicit RecentIds(std::size_t max_ids = 4096) : max_ids_(max_ids) {}

  /// False if the id is remembered already.
  bool add(const std::string& id) {
    if (!ids_.insert(id).second) return false;
    order_.push_back(id);
    if (order_.size() > max_ids_) {
      ids_.erase(order_.front());
      order_.pop_front();
    }
    return true;
  }

 private:
  const std::size_t max_ids_;
  std::unordered_set<std::string> ids_;
  std::deque<std::string> order_;
};

}  // namespace sse::ctl
