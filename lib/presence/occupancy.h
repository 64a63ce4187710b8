#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/ids.h"

namespace sse::presence {

/// Which channels have streams on this node. A channel whose last stream has left counts as vacated after the grace, so
/// that a reconnect is no change. Not thread safe.
class Occupancy {
 public:
  /// The most channels that wait for the end of their grace; of more, those that have waited longest are vacated.
  static constexpr std::size_t kMaxWaiting = 20'000;

  using Report = std::function<void(const ServiceName& service, const std::string& channel, bool occupied)>;

  Occupancy(std::chrono::milliseconds grace, Report report) : grace_(grace), report_(std::move(report)) {}
  Occupancy(const Occupancy&) = delete;
  Occupancy& operator=(const Occupancy&) = delete;

  /// A shard has streams in the channel, or has none any more.
  void shard_changed(const ServiceName& service, const std::string& channel, bool occupied, SteadyTime now);
  /// Reports the channels whose grace is over.
  void expire(SteadyTime now);
  std::optional<SteadyTime> next_expiry() const;
  std::size_t size() const { return channels_.size(); }

 private:
  using Key = std::pair<std::string, std::string>;  // service, channel
  struct Entry {
    std::size_t shards = 0;
    SteadyTime vacated{};  // with no shard
  };

  const std::chrono::milliseconds grace_;
  const Report report_;
  std::map<Key, Entry> channels_;
  std::set<std::pair<SteadyTime, Key>> leaving_;
};

}  // namespace sse::presence
