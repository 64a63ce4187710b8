#pragma once

#include <string>
#include <vector>

#include "event/json.h"

namespace sse::cluster {

/// A node that serves streams, as the others see it.
struct Node {
  std::string id;       ///< the server id; unique
  unsigned number = 0;  ///< below kNodeNumbers, unique too: in the ids of its connections
  event::Json facts;    ///< what it tells about itself: url, version, connections, …
};

/// Who is in the cluster. A node that does not refresh() its entry disappears after a time to live. Thread safe, may
/// block; every call throws Error(kUnavailable) when the registry cannot be reached.
class Discovery {
 public:
  virtual ~Discovery() = default;

  /// Enters this node and returns its number, the same as last time where that is known. Throws Error(kConflict) when
  /// a living node has the id, Error(kLimitExceeded) when all numbers are taken.
  virtual unsigned join(const std::string& id, const event::Json& facts) = 0;
  /// Says that this node lives; enters it again if it was lost. Throws Error(kConflict) when another has taken its id
  /// or number meanwhile.
  virtual void refresh(const event::Json& facts) = 0;
  /// Takes this node out. Never throws: an entry that stays expires.
  virtual void leave() noexcept = 0;

  /// Ascending by id.
  virtual std::vector<Node> nodes() = 0;
};

/// One less than fit into an id: the last is that of ids made by a store all nodes share.
inline constexpr unsigned kNodeNumbers = 1023;

}  // namespace sse::cluster
