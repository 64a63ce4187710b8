#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace sse::load {

/// What a measured event carries at the start of its data, so that whoever receives it can tell when it was meant to be
/// sent and whether one is missing: `t=<ns of the monotonic clock> k=<sender> s=<sequence number> `, then filler.
struct Mark {
  SteadyTime intended{};  ///< when it was due, however late its sender's turn came
  std::uint32_t sender = 0;
  std::uint64_t sequence = 0;  ///< from 0, one more for each event of the sender to the same stream

  friend bool operator==(const Mark&, const Mark&) = default;
};

/// The fewest bytes of data that hold every mark a run can need.
inline constexpr std::size_t kLeastSize = 40;
/// Sequence numbers must have at most 10 digits and senders 4 for kLeastSize to hold.
std::string payload(const Mark& mark, std::size_t size);
/// Nothing for data that is no measured event's.
std::optional<Mark> read_mark(std::string_view data);

}  // namespace sse::load
