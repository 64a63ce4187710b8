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
#include "cluster/wire.h"
#include "net/byte_budget.h"
#include "net/spool.h"

namespace sse::gateway {

/// Request bodies that another node relays in pieces, on disk until the request itself follows. Their bytes are taken
/// from the budget with the first piece, before any is written. A transfer that goes no further is given up. Thread
/// safe.
class RelayedBodies {
 public:
  struct Options {
    std::string folder = "/tmp";             ///< where they wait
    ByteCount max_body;                      ///< of one
    std::string max_body_option;             ///< that sets it, for messages
    std::size_t max_bodies = 64;             ///< at a time, each of which costs a descriptor
    std::chrono::milliseconds idle{30'000};  ///< without a piece for so long a transfer is given up
    net::ByteBudget* disk = nullptr;         ///< null: no bound; outlives this
    const Clock* clock = &Clock::system();   ///< outlives this
  };
  /// A complete body; its file and its share of the budget go with it.
  struct Body {
    net::Spool spool;
    net::ByteBudget::Share disk;
  };

  explicit RelayedBodies(Options options) : options_(std::move(options)) {}

  /// Writes a piece behind those before it. Throws Error: kTooLarge, kLimitExceeded, kIo, kInvalidArgument for a piece
  /// that does not follow those before; the transfer has then ended.
  void append(const cluster::BodyCommand& piece) EXCLUDES(mutex_);
  /// The complete body, which is no longer here. Throws Error(kUnavailable) for a transfer that is not known (any more)
  /// or not complete.
  std::unique_ptr<Body> take(const std::string& transfer) EXCLUDES(mutex_);
  /// Gives up transfers that go no further. Every append() does so, too.
  void sweep() EXCLUDES(mutex_);

 private:
  // Belongs to the thread that marked it as busy.
  struct Transfer {
    std::unique_ptr<Body> body = std::make_unique<Body>();
    std::uint64_t total = 0;
    SteadyTime touched;
    bool busy = false;
  };

  Transfer& open(const cluster::BodyCommand& piece) REQUIRES(mutex_);
  void sweep_locked() REQUIRES(mutex_);

  const Options options_;
  Mutex mutex_;
  std::map<std::string, Transfer> transfers_ GUARDED_BY(mutex_);
};

}  // namespace sse::gateway
