#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "sse-server/ids.h"

namespace sse {

/// Reads a decimal id of 1 to 19 digits, no sign or spaces, not 0 and at most 2^63-1; nullopt for anything else.
std::optional<std::uint64_t> parse_id(std::string_view text);

/// Generates ids of 41 bits milliseconds since 2024-01-01, 10 bits node, 12 bits sequence. The ids of one generator
/// strictly increase whatever the wall clock does: when it stands still or goes back, the sequence continues from the
/// last id. Thread safe, lock free.
class IdGenerator {
 public:
  /// `clock` must outlive this. Of `node` the low 10 bits are used. Every id is greater than `floor` (the largest id on
  /// disk from an earlier run).
  explicit IdGenerator(unsigned node, std::uint64_t floor = 0, const Clock& clock = Clock::system());

  std::uint64_t next() { return next_at(clock_.wall_now()); }
  /// The clock of this generator, which its users share.
  const Clock& clock() const { return clock_; }
  /// For tests: as next() at civil time `now`.
  std::uint64_t next_at(WallTime now);
  /// From now on every id is greater than `floor`.
  void raise_floor(std::uint64_t floor);

  /// The civil time at which an id was generated, or later when the sequence ran ahead of the clock.
  static WallTime time_of(std::uint64_t id);

 private:
  const Clock& clock_;
  std::uint64_t node_bits_;
  std::atomic<std::uint64_t> last_;
};

}  // namespace sse
