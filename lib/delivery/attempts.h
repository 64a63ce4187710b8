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
#include "store/message_repository.h"

namespace sse::delivery {

/// Counts delivery attempts per message and recipient, and writes them to an AttemptLog in batches. Most messages are
/// confirmed within a second and then need no count, so only messages still pending after that are written. Thread
/// safe, for loop threads: each thread counts separately, so that a message confirmed on another thread may be written
/// needlessly.
class Attempts {
 public:
  /// `log` null: counts nothing. `clock` outlives this.
  Attempts(ServiceName service, store::AttemptLog* log, const Clock& clock = Clock::system())
      : service_(std::move(service)), log_(log), clock_(clock) {}

  void sent(event::TargetKind kind, std::string_view name, MessageId message);
  void confirmed(event::TargetKind kind, std::string_view name, MessageId message);
  /// Writes all counts to the log.
  void flush();

 private:
  using Counts = std::map<std::tuple<MessageId, event::TargetKind, std::string>, std::uint32_t>;

  void write(const Counts& counts) const;

  const ServiceName service_;
  store::AttemptLog* const log_;
  const Clock& clock_;
  struct Counted {
    Counts counts;
    std::size_t name_bytes = 0;
    SteadyTime flush_at;
  };
  PerThread<Counted> counted_;
};

}  // namespace sse::delivery
