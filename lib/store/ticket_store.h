#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "base/units.h"

namespace sse::store {

/// Identifies a stored ticket. It does not contain the ticket: from a digest the ticket cannot be made again.
struct TicketKey {
  unsigned node = 0;   ///< the number of the node that issued it
  std::string digest;  ///< of the ticket, in hexadecimal digits
};

/// Tickets: each has a value that many may read and exactly one taker gets, until its lifetime ends. Thread safe; may
/// block as the network does, if nodes share the tickets. All throw Error: kUnavailable or kTimeout when the tickets
/// cannot be reached. After that a take() may have happened.
class TicketStore {
 public:
  virtual ~TicketStore() = default;

  /// Stores a ticket of this node. Throws Error(kLimitExceeded) when this node has too many.
  virtual void add(const TicketKey& key, std::string value, std::chrono::milliseconds lifetime) = 0;
  /// The value of a ticket that is still there.
  virtual std::optional<std::string> find(const TicketKey& key) = 0;
  /// As find(), and removes the ticket: of several callers, on any nodes, one gets the value.
  virtual std::optional<std::string> take(const TicketKey& key) = 0;
  /// The tickets of this node that are still there, as far as it knows. Does not block.
  virtual std::size_t size() = 0;
};

/// What the tickets of one node may take.
struct TicketLimits {
  std::size_t count = 0;  ///< tickets
  ByteCount bytes;        ///< their keys and values, with overhead
};

}  // namespace sse::store
