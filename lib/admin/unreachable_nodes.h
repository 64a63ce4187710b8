#pragma once

#include "event/json.h"

namespace sse::cluster {
class HttpBus;
}

namespace sse::admin {

/// The nodes of a mesh that this one cannot reach, for status output: `[{"id":…,"address":…,"error":…}]`, where `id` is
/// null for a node that has never replied.
event::Json unreachable_nodes(const cluster::HttpBus& bus);

}  // namespace sse::admin
