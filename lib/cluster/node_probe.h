#pragma once

#include <chrono>
#include <string>

#include "event/json.h"

namespace sse::cluster {

/// What the bus of a node says about itself to anybody.
struct NodeProbe {
  bool nobody = false;  ///< nothing listens there, or nothing that is a node
  event::Json who;      ///< null when nobody, or when there was no answer in time
};
NodeProbe probe_node(const std::string& address, std::chrono::milliseconds timeout);

}  // namespace sse::cluster
