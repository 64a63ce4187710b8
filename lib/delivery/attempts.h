#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "base/batched.h"
#include "base/clock.h"
#include "base/ids.h"
#include "delivery/message_repository.h"

namespace sse::delivery {

/// Counts deliveries on their way to an AttemptLog. Most messages are confirmed within a second, and then their count
/// is of no use to anybody: only what is still waiting after that is written down. Thread safe; for loop threads, each
/// of which counts for itself: what another one confirms is written down once more than is of use.
class Attempts {
 public:
  /// `log` null: counts nothing. `clock` outlives this.
  Attempts(ServiceName service, AttemptLog* log, const Clock& clock = Clock::system())
      : service_(std::move(service)), log_(log), clock_(clock) {}

  void sent(event::TargetKind kind, std::string_view name, MessageId message);
  void confirmed(event::TargetKind kind, std::string_view name, MessageId message);
  /// Hands on what has been counted.
  void flush();

 private:
  using Counts = std::map<std::tuple<MessageId, event::TargetKind, std::string>, std::uint32_t>;

  void write(const Counts& counts) const;

  const ServiceName service_;
  AttemptLog* const log_;
  const Clock& clock_;
  struct Counted {
    Counts counts;
    std::size_t name_bytes = 0;
    SteadyTime flush_at;
  };
  PerThread<Counted> counted_;
};

}  // namespace sse::delivery
