#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sse-server/export.h"

namespace sse {

/// A node of a cluster, as it registers itself and as the other nodes find it.
struct ClusterMember {
  std::string id;          ///< ServerOptions::server_id; unique
  unsigned number = 0;     ///< unique, below kMaxMembers; a part of the ids of its connections and messages
  std::string address;     ///< HOST:PORT at which the other nodes reach it
  std::string facts{};     ///< a JSON object that it publishes about itself, at most a few KiB: stored as it is
  std::uint64_t wire = 0;  ///< the version that it speaks with other nodes: stored as it is
};

/// The number of nodes that a cluster may have.
inline constexpr unsigned kMaxMembers = 1023;

/// A program's own registry of the nodes of a cluster, instead of `static:…` or Nacos (ServerOptions::discovery). The
/// nodes talk to each other over HTTP at their addresses, with the secret of ServerOptions::cluster_secret_file.
///
/// The entry of a node that does not refresh() it within some seconds expires; each node refreshes its own once a
/// second. Thread safe, may block; every call throws Error(kUnavailable) when the registry cannot be reached: the node
/// then goes on with the members it knows.
class SSE_API Discovery {
 public:
  virtual ~Discovery() = default;

  /// Registers this node and returns its number, the previous one if that is known. `self.number` is not used. Throws
  /// Error(kConflict) when a live node has the id, Error(kLimitExceeded) when all numbers are taken.
  virtual unsigned join(const ClusterMember& self) = 0;
  /// Renews this node's entry, or registers it again if the entry was lost. Throws Error(kConflict) when another node
  /// has taken its id or number in the meantime.
  virtual void refresh(const ClusterMember& self) = 0;
  /// Deregisters this node. Never throws: an entry that remains expires.
  virtual void leave() noexcept = 0;
  /// The live nodes, this one included, in any order.
  virtual std::vector<ClusterMember> nodes() = 0;
};

}  // namespace sse
