#pragma once

#include <string>

#include "net/hand_over.h"

namespace sse::pages {

/// The header by which a node identifies itself when it opens a stream to its own public address (`--canary`).
inline constexpr const char* kCanaryHeader = "X-Sse-Canary";

/// Takes the streams that the nodes of this cluster open to themselves. They belong to no service: whatever lists,
/// counts or addresses the streams of users does not know them. Thread safe.
class CanaryEntry {
 public:
  virtual ~CanaryEntry() = default;

  /// Returns the number of the node that has made the value of kCanaryHeader; may block. Throws Error:
  /// kUnauthenticated if no node of this cluster has, kUnavailable or kTimeout when that node cannot be asked.
  virtual unsigned node_of(const std::string& secret) = 0;
  /// Takes over the stream of that node's canary. Does not wait.
  virtual void connect(unsigned node, net::HandedOverConnection connection) = 0;
};

}  // namespace sse::pages
