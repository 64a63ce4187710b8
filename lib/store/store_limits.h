#pragma once

#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "base/units.h"
#include "store/message_repository.h"

namespace sse::store {

/// The limits of a repository; a message that exceeds one is refused. 0 means no limit, except for the dead
/// letters and the outbox.
struct StoreLimits {
  std::uint64_t per_recipient = 10'000;    ///< messages pending for one recipient
  ByteCount bytes_per_recipient{};         ///< their data
  std::uint64_t total = 0;                 ///< (message, recipient) pairs pending
  ByteCount total_bytes{};                 ///< data of all messages, each counted once
  std::uint64_t dead = 10'000;             ///< dead letters; the oldest are deleted first
  ByteCount dead_bytes = mebibytes(64);    ///< their data
  std::uint64_t outbox = 0;                ///< delivery reports stored; the oldest are dropped first
  ByteCount outbox_bytes = mebibytes(64);  ///< of them
};

/// The current use that is checked against the limits.
struct Usage {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
};

/// Throws Error(kLimitExceeded) when one recipient, with `usage` pending, has no room for a message of `bytes`. The
/// error names the option, the recipient and the numbers, and masks tokens.
void require_room(const StoreLimits& limits, const Recipient& recipient, const Usage& usage, std::uint64_t bytes);
/// The same check for the whole store and a message for `pairs` recipients.
void require_room(const StoreLimits& limits, const Usage& total, std::uint64_t pairs, std::uint64_t bytes);

}  // namespace sse::store
