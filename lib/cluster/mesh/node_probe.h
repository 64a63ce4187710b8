#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "event/json.h"

namespace sse::cluster {

class MeshTls;

/// What the bus of a node publishes without a secret; used to check whether a node is alive.
struct NodeProbe {
  bool not_a_node = false;  ///< no server listens there, or none that is a node
  event::Json node_info;    ///< null if `not_a_node`, or if no reply arrived in time
};
/// `tls`: null for a node in clear; the secret is not needed in either case. Blocks for a few times `timeout` at most.
NodeProbe probe_node(const std::string& address, std::chrono::milliseconds timeout,
                     const std::shared_ptr<const MeshTls>& tls = nullptr);

}  // namespace sse::cluster
