#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "hub/connection.h"
#include "net/stream.h"

namespace sse::hub {

/// Receives a call when a connection opens, closes or changes its listeners, of every service it is registered with.
/// Called on loop threads, in order for each connection: must be quick, and must not block, throw or call back into the
/// hub.
class Observer {
 public:
  virtual void connected(const ServiceName& service, ConnectionInfo connection) = 0;
  /// `note`: the reason that the page sent when it disconnected; mostly empty. Called once for every connection, also
  /// for one whose stream could not be opened (then without connected()).
  virtual void disconnected(const ServiceName& service, ConnectionInfo connection, net::CloseReason reason,
                            std::string note) = 0;
  /// The connection now listens to `names`, or no longer; `connection` contains the listeners after the change.
  virtual void listening_changed(const ServiceName& service, ConnectionInfo connection, std::vector<std::string> names,
                                 bool added) = 0;

 protected:
  ~Observer() = default;
};

}  // namespace sse::hub
