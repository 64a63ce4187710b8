#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "ssectl/doctor/own_server.h"

namespace sse::ctl {

/// Makes events on the streams of a server under test. One thread.
class Publisher {
 public:
  virtual ~Publisher() = default;

  /// Whether an event can have a name.
  virtual bool names_events() const = 0;
  /// Publishes an event; returns whether the server accepted it. `name`: empty for none. Blocks. Throws Error when it
  /// cannot be tried.
  virtual bool publish(const std::string& data, const std::string& name) = 0;
};

/// Sends to the streams that `server` opens, which must outlive it.
std::unique_ptr<Publisher> publish_through(OwnServer& server);

/// Posts the data to an URL, or runs a command of the shell with the data as its input and the name in $SSE_EVENT; exit
/// 0 means accepted. `target`: begins with http:// or https:// for an URL. Names need a command that mentions
/// SSE_EVENT. Throws Error(kInvalidArgument). REQUIRES: SIGPIPE is ignored, as ssectl does.
std::unique_ptr<Publisher> publish_with(const std::string& target, std::chrono::milliseconds timeout);

}  // namespace sse::ctl
