#include "cluster/core/topics.h"

namespace sse::cluster {

std::string receiver_topic(const ServiceName& service, event::TargetKind kind, const std::string& name) {
  if (kind == event::TargetKind::kConnection) return node_topic(node_of_id(parse_id(name).value_or(0)));
  // The size of the service name comes first, because names may contain any character and service names a ':'.
  std::string topic = "to:" + std::to_string(service.str().size()) + ":" + service.str() + ":";
  topic += event::kind_name(kind);
  if (kind != event::TargetKind::kAll) topic += ":" + name;
  return topic;
}

std::string broadcast_topic() {
  return "nodes";
}

unsigned node_of_id(std::uint64_t id) {
  return static_cast<unsigned>((id >> 12) & 0x3FF);
}

std::string node_topic(unsigned number) {
  return "node:" + std::to_string(number);
}

}  // namespace sse::cluster
