#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <iterator>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace sse::hub {

/// Passes of replays whose pages could not be read from the store, to be read again. While the store cannot be read,
/// one stream retries per kRetryDelay; once a read succeeds, all waiting streams do. The passes of a connection are
/// joined, so that one that subscribes and unsubscribes all the time takes no more memory than its channels and
/// listeners. One thread only.
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
  /// Records a failed pass, once however many of its pages could not be read. `listens(event)` and `is_in(channel)`:
  /// whether the connection does so now; what it no longer does is forgotten.
  template <class Listens, class IsIn>
  void add(Pass pass, Listens listens, IsIn is_in) {
    const auto [known, is_new] = waiting_.try_emplace(pass.connection.value());
    if (is_new) order_.push_back(pass.connection);
    Waiting& waiting = known->second;
    if (pass.only_events.empty() && pass.only_channels.empty()) waiting.everything = true;
    join(waiting.events, std::move(pass.only_events), listens);
    join(waiting.channels, std::move(pass.only_channels), is_in);
  }
  /// The passes to retry now, oldest first; at most one per connection, because the messages of the first have been
  /// confirmed by the next time. Forgets connections that `is_open` does not know.
  template <class IsOpen>
  std::vector<Pass> take_due(SteadyTime now, IsOpen is_open) {
    std::vector<Pass> due;
    if (order_.empty() || now < next_retry_) return due;
    next_retry_ = now + kRetryDelay;
    std::erase_if(order_, [&](ConnectionId id) { return !is_open(id) && waiting_.erase(id.value()) != 0; });
    const std::size_t count = readable_ ? order_.size() : std::min<std::size_t>(order_.size(), 1);
    for (std::size_t i = 0; i < count; ++i) {
      const ConnectionId id = order_.front();
      order_.pop_front();
      Waiting& waiting = waiting_.at(id.value());
      if (Pass pass = take(id, waiting); std::exchange(waiting.everything, false) || !is_empty(pass))
        due.push_back(std::move(pass));
      if (waiting.events.empty() && waiting.channels.empty()) {
        waiting_.erase(id.value());
      } else {
        order_.push_back(id);
      }
    }
    return due;
  }
  bool empty() const { return order_.empty(); }

 private:
  struct Waiting {
    bool everything = false;
    std::vector<std::string> events;
    std::vector<std::string> channels;
  };

  template <class IsWanted>
  static void join(std::vector<std::string>& names, std::vector<std::string> more, IsWanted is_wanted) {
    if (more.empty()) return;
    names.insert(names.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    std::erase_if(names, [&](const std::string& name) { return !is_wanted(name); });
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
  }
  static bool is_empty(const Pass& pass) { return pass.only_events.empty() && pass.only_channels.empty(); }
  // One that reads everything comes first, then one for listeners.
  static Pass take(ConnectionId id, Waiting& waiting) {
    if (waiting.everything) return {id, {}};
    if (!waiting.events.empty()) return {id, std::exchange(waiting.events, {})};
    return {id, {}, std::exchange(waiting.channels, {})};
  }

  std::deque<ConnectionId> order_;  // of those in waiting_
  std::unordered_map<std::uint64_t, Waiting> waiting_;
  bool readable_ = true;
  SteadyTime next_retry_;
};

}  // namespace sse::hub
