#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/mutex.h"

namespace sse::hub {

/// How many events go to each channel, per minute. Knows the kMaxChannels that had some first; others, once there is
/// room because a channel had none for two minutes. Thread safe.
class ChannelRates {
 public:
  static constexpr std::size_t kMaxChannels = 10'000;
  static constexpr std::chrono::minutes kWindow{1};

  ChannelRates() = default;
  ChannelRates(const ChannelRates&) = delete;
  ChannelRates& operator=(const ChannelRates&) = delete;

  void note(const std::string& channel, SteadyTime now) EXCLUDES(mutex_);
  /// The events of the last minute, approximately: those of a minute that is partly over count in proportion.
  double per_minute(const std::string& channel, SteadyTime now) const EXCLUDES(mutex_);
  std::size_t size() const EXCLUDES(mutex_);

 private:
  struct Entry {
    SteadyTime begin;  // of the current minute
    std::uint64_t current = 0;
    std::uint64_t before = 0;  // in the minute before
  };

  mutable Mutex mutex_;
  std::unordered_map<std::string, Entry> entries_ GUARDED_BY(mutex_);
  SteadyTime swept_ GUARDED_BY(mutex_){};  // when entries_ was full and was searched for old ones
};

}  // namespace sse::hub
