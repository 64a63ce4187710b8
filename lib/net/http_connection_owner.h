#pragma once

#include "base/clock.h"

namespace sse::net {

class HttpConnection;

/// Owns HttpConnections. Loop thread only.
class HttpConnectionOwner {
 public:
  /// Calls check_deadline() at or after `when`, or earlier. Returns that time.
  virtual SteadyTime schedule(HttpConnection& connection, SteadyTime when) = 0;
  /// Calls resume_with_memory() when memory may have become free, in the order of the calls.
  virtual void wait_for_memory(HttpConnection& connection) = 0;
  virtual bool waits_for_memory() const = 0;
  /// Destroys the connection.
  virtual void closed(HttpConnection& connection) = 0;

 protected:
  ~HttpConnectionOwner() = default;
};

}  // namespace sse::net
