#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/units.h"
#include "cluster/core/wire.h"
#include "net/byte_budget.h"
#include "net/spool.h"

namespace sse::pages {

/// Stores request bodies that other nodes relay in pieces, on disk until the request itself arrives. The first piece
/// reserves the bytes of the whole body from the budget before anything is written. A stalled transfer is discarded.
/// Thread safe.
class RelayedBodies {
 public:
  struct Options {
    std::string folder = "/tmp";             ///< where the files are stored
    ByteCount max_body;                      ///< maximum of one body
    std::string max_body_option;             ///< the option that sets it, for messages
    std::size_t max_bodies = 64;             ///< at a time; each costs a descriptor
    std::chrono::milliseconds idle{30'000};  ///< a transfer without a piece for this time is discarded
    net::ByteBudget* disk = nullptr;         ///< null: no limit; outlives this
    const Clock* clock = &Clock::system();   ///< outlives this
  };
  /// A complete body; owns its file and its share of the budget.
  struct Body {
    net::Spool spool;
    net::ByteBudget::Share disk;
  };

  explicit RelayedBodies(Options options) : options_(std::move(options)) {}

  /// Appends a piece to its transfer. Throws Error: kTooLarge, kLimitExceeded, kIo, or kInvalidArgument for a piece
  /// that does not follow the previous one; the transfer has then ended.
  void append(const cluster::BodyCommand& piece) EXCLUDES(mutex_);
  /// Removes and returns the complete body. Throws Error(kUnavailable) for a transfer that is unknown, discarded or
  /// incomplete.
  std::unique_ptr<Body> take(const std::string& transfer) EXCLUDES(mutex_);
  /// Discards stalled transfers. append() does so, too.
  void sweep() EXCLUDES(mutex_);

 private:
  // While busy, it belongs to the thread that set `busy`.
  struct Transfer {
    std::unique_ptr<Body> body = std::make_unique<Body>();
    std::uint64_t total = 0;
    SteadyTime last_piece;
    bool busy = false;
  };

  Transfer& open(const cluster::BodyCommand& piece) REQUIRES(mutex_);
  void sweep_locked() REQUIRES(mutex_);

  const Options options_;
  Mutex mutex_;
  std::map<std::string, Transfer> transfers_ GUARDED_BY(mutex_);
};

}  // namespace sse::pages
