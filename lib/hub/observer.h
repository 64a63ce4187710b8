#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "hub/connection.h"
#include "net/stream.h"

namespace sse::hub {

/// Hears who comes, goes and listens, of every service it is given to. Called on loop threads, for one connection in
/// order: must be quick, must not block, must not call back into the hub. Must not throw.
class Observer {
 public:
  virtual void connected(const ServiceName& service, ConnectionInfo connection) = 0;
  /// `note`: what the page said when it said goodbye; mostly empty. Once for every connection that was announced, also
  /// for one whose stream could not be opened.
  virtual void disconnected(const ServiceName& service, ConnectionInfo connection, net::CloseReason reason,
                            std::string note) = 0;
  /// `names` are now listened to, or no longer; `connection` shows the listeners after that.
  virtual void listening_changed(const ServiceName& service, ConnectionInfo connection, std::vector<std::string> names,
                                 bool added) = 0;

 protected:
  ~Observer() = default;
};

}  // namespace sse::hub
