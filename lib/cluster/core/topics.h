#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "event/target.h"

namespace sse::cluster {

/// Topic of the nodes with a connection of one name: a user's, a token's, …; of any connection for kAll. For a
/// connection that of its node, whose number is in the id.
std::string receiver_topic(const ServiceName& service, event::TargetKind kind, const std::string& name);

/// Topic of all nodes.
std::string broadcast_topic();

/// The number of the node that generated an id (see IdGenerator).
unsigned node_of_id(std::uint64_t id);

/// Topic of the node whose ids carry this number.
std::string node_topic(unsigned number);

}  // namespace sse::cluster
