#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace sse::hub {

/// Passes of replays whose pages could not be read from the store, to be read again. While the store cannot be read,
/// one stream retries per kRetryDelay; once a read succeeds, all waiting streams do. One thread only.
class FailedReads {
 public:
  static constexpr std::chrono::seconds kRetryDelay{1};

  struct Pass {
    ConnectionId connection;
    std::vector<std::string> only_events;      ///< as in ReplaySession; both empty: the pass read everything
    std::vector<std::string> only_channels{};  ///< likewise
  };

  /// Whether the last read of any stream succeeded.
  void set_readable(bool readable) { readable_ = readable; }
  /// Records a failed pass, once however many of its pages could not be read.
  void add(Pass pass) {
    const bool known = !passes_.empty() && passes_.back().connection == pass.connection &&
                       passes_.back().only_events == pass.only_events &&
                       passes_.back().only_channels == pass.only_channels;
    if (!known) passes_.push_back(std::move(pass));
  }
  /// The passes to retry now, oldest first; at most one per connection, because the messages of the first have been
  /// confirmed by the next time. Forgets connections that `is_open` does not know.
  template <class IsOpen>
  std::vector<Pass> take_due(SteadyTime now, IsOpen is_open) {
    std::vector<Pass> due;
    if (passes_.empty() || now < next_retry_) return due;
    next_retry_ = now + kRetryDelay;
    std::erase_if(passes_, [&](const Pass& pass) { return !is_open(pass.connection); });
    const std::size_t count = readable_ ? passes_.size() : std::min<std::size_t>(passes_.size(), 1);
    std::deque<Pass> later;
    std::unordered_set<std::uint64_t> busy;
    for (std::size_t i = 0; i < passes_.size(); ++i) {
      if (i < count && busy.insert(passes_[i].connection.value()).second) {
        due.push_back(std::move(passes_[i]));
      } else {
        later.push_back(std::move(passes_[i]));
      }
    }
    passes_ = std::move(later);
    return due;
  }
  bool empty() const { return passes_.empty(); }

 private:
  std::deque<Pass> passes_;
  bool readable_ = true;
  SteadyTime next_retry_;
};

}  // namespace sse::hub
