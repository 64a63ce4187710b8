#include "admin/unreachable_nodes.h"

#include "cluster/mesh/http_bus.h"

namespace sse::admin {

using event::Json;

Json unreachable_nodes(const cluster::HttpBus& bus) {
  Json list = Json::array();
  for (const cluster::HttpBus::Seen& node : bus.unreachable())
    list.push_back(
        {{"id", node.id.empty() ? Json(nullptr) : Json(node.id)}, {"address", node.address}, {"error", node.why}});
  return list;
}

}  // namespace sse::admin
