#include "cluster/mesh/program_discovery.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "cluster/core/typed_json.h"
#include "cluster/core/wire_version.h"

namespace sse::cluster {

static_assert(kMaxMembers == kNodeNumbers);

unsigned ProgramDiscovery::join(const std::string& id, const event::Json& facts) {
  ClusterMember self{id, 0, bus_.address(), event::dump_json(facts), kWireVersion};
  self.number = registry_.join(self);
  if (self.number >= kNodeNumbers) {
    registry_.leave();
    throw Error(ErrorCode::kInvalidArgument, "the program's discovery gave this node the number " +
                                                 std::to_string(self.number) + ": it must be less than " +
                                                 std::to_string(kNodeNumbers));
  }
  const MutexLock lock(mutex_);
  self_ = std::move(self);
  return self_.number;
}

void ProgramDiscovery::refresh(const event::Json& facts) {
  ClusterMember self;
  {
    const MutexLock lock(mutex_);
    self_.facts = event::dump_json(facts);
    self = self_;
  }
  registry_.refresh(self);
}

std::vector<Node> ProgramDiscovery::nodes() {
  std::string own;
  {
    const MutexLock lock(mutex_);
    own = self_.id;
  }
  std::vector<ClusterMember> members = registry_.nodes();
  std::ranges::sort(members, {}, &ClusterMember::id);
  std::vector<Node> nodes;
  std::vector<HttpBus::Peer> peers;
  for (ClusterMember& member : members) {
    if (member.number >= kNodeNumbers || (!nodes.empty() && nodes.back().id == member.id)) {
      throw Error(ErrorCode::kUnavailable, "the program's discovery lists the node '" + printable(member.id, 60) +
                                               "' twice, or with a number that none can have");
    }
    if (member.id != own && why_refused(member.wire, member.id).empty())
      peers.push_back({std::move(member.address), bus_.secret(), member.id});
    nodes.push_back({std::move(member.id), member.number, read_facts(member.facts), member.wire});
  }
  bus_.set_peers(peers);
  return nodes;
}

}  // namespace sse::cluster
