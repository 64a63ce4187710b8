#pragma once

#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "base/units.h"
#include "delivery/message_repository.h"

namespace sse::delivery {

/// What a repository may hold; who sends more is refused. 0: no limit, but for the dead letters.
struct StoreLimits {
  std::uint64_t per_recipient = 10'000;  ///< messages pending for one recipient
  ByteCount bytes_per_recipient{};       ///< their data
  std::uint64_t total = 0;               ///< (message, recipient) pairs pending
  ByteCount total_bytes{};               ///< data of all messages, each counted once
  std::uint64_t dead = 10'000;           ///< dead letters; the oldest go first
  ByteCount dead_bytes = mebibytes(64);  ///< their data
};

/// What is there, against the limits.
struct Usage {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
};

/// Throws Error(kLimitExceeded) that names the option, the recipient and the numbers when a message of `bytes` is more
/// than one recipient may have beside `usage`. Masks tokens.
void require_room(const StoreLimits& limits, const Recipient& recipient, const Usage& usage, std::uint64_t bytes);
/// The same for the whole store and a message for `pairs` recipients.
void require_room(const StoreLimits& limits, const Usage& total, std::uint64_t pairs, std::uint64_t bytes);

}  // namespace sse::delivery
