#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "application/activity_event.h"

namespace sse::admin {

/// Puts the activity events that several threads offer into the order of their sequence numbers, so that whoever has
/// had one has had all earlier ones. An event waits until those before it have come. Not thread safe.
class EventOrder {
 public:
  /// More events wait at most this long for one before them, which then counts as missed.
  static constexpr std::size_t kMaxWaiting = 50'000;

  /// Begins anew behind this sequence number.
  void start(std::uint64_t sequence);
  /// Events up to the one that was passed on last are ignored.
  void add(application::ActivityEventRef activity);
  /// The event with this sequence number will not come.
  void skip(std::uint64_t sequence);

  /// An event, or in its place how many were missed there.
  struct Entry {
    application::ActivityEventRef activity;  ///< null: missed
    std::uint64_t missed = 0;
  };
  /// The next events in their order.
  std::vector<Entry> take();

 private:
  std::uint64_t last_ = 0;                                          ///< passed on
  std::map<std::uint64_t, application::ActivityEventRef> waiting_;  ///< null: skipped
};

}  // namespace sse::admin
