#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace sse::load {

/// The header at the start of a measured event's data. It tells the receiver when the event was due and whether an
/// event is missing: `t=<ns of the monotonic clock> k=<sender> s=<sequence number> `, then filler.
struct Mark {
  SteadyTime intended{};  ///< when the event was due, even if it was sent later
  std::uint32_t sender = 0;
  std::uint64_t sequence = 0;  ///< counts from 0 the events of the sender to the same stream

  friend bool operator==(const Mark&, const Mark&) = default;
};

/// The smallest data size, in bytes, that has room for every mark of a run.
inline constexpr std::size_t kMinDataSize = 40;
/// Event data of `size` bytes that begins with the mark. The smallest size has room for sequence numbers of at most 10
/// digits and senders of at most 4.
std::string payload(const Mark& mark, std::size_t size);
/// Parses the mark; nullopt if `data` does not belong to a measured event.
std::optional<Mark> read_mark(std::string_view data);

}  // namespace sse::load
