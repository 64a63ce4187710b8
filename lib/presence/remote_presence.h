#pragma once

#include <functional>
#include <string>
#include <vector>

namespace sse::presence {

/// The other nodes of a cluster, as the tracker of this one reaches them. Thread safe; never blocks, never throws.
class RemotePresence {
 public:
  /// The ids of those that are alive now.
  virtual std::vector<std::string> other_nodes() = 0;
  /// Sends a message to the tracker of one node; those to one node arrive in the order of the calls. `done` is called
  /// once, at once or on any thread, with whether it has arrived; must be quick.
  virtual void send_presence(const std::string& node, std::string message, std::function<void(bool arrived)> done) = 0;

 protected:
  ~RemotePresence() = default;
};

}  // namespace sse::presence
