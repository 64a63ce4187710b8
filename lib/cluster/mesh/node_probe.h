#pragma once

#include <chrono>
#include <string>

#include "event/json.h"

namespace sse::cluster {

/// What the bus of a node publishes without a secret; used to check whether a node is alive.
struct NodeProbe {
  bool not_a_node = false;  ///< no server listens there, or none that is a node
  event::Json node_info;    ///< null if `not_a_node`, or if no reply arrived in time
};
NodeProbe probe_node(const std::string& address, std::chrono::milliseconds timeout);

}  // namespace sse::cluster
