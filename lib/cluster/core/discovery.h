#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/core/wire_version.h"
#include "event/json.h"

namespace sse::cluster {

/// An entry of the registry: a node that serves streams.
struct Node {
  std::string id;                     ///< the server id; unique
  unsigned number = 0;                ///< below kNodeNumbers, unique; part of its connection ids
  event::Json facts;                  ///< what the node publishes: url, version, connections, …
  std::uint64_t wire = kWireVersion;  ///< its version, see why_refused()
  std::string unlisted{};             ///< why the registry hides it although it lives; empty: it does not
};

/// The registry of the cluster's nodes. The entry of a node that does not refresh() it expires. Thread safe, may block;
/// every call throws Error(kUnavailable) when the registry cannot be reached.
class Discovery {
 public:
  virtual ~Discovery() = default;

  /// Registers this node and returns its number, the previous one if that is known. Throws Error(kConflict) when a live
  /// node has the id, Error(kLimitExceeded) when all numbers are taken.
  virtual unsigned join(const std::string& id, const event::Json& facts) = 0;
  /// Renews this node's entry, or registers it again if the entry was lost. Throws Error(kConflict) when another node
  /// has taken its id or number in the meantime.
  virtual void refresh(const event::Json& facts) = 0;
  /// Deregisters this node. Never throws: an entry that remains expires.
  virtual void leave() noexcept = 0;

  /// Ascending by id.
  virtual std::vector<Node> nodes() = 0;
};

/// One less than an id can hold: the last number is for ids of a store that all nodes share.
inline constexpr unsigned kNodeNumbers = 1023;

}  // namespace sse::cluster
