// Hub: the presence in channels.
#include <string>
#include <vector>

#include "hub/hub.h"

namespace sse::hub {

std::vector<ChannelName> Hub::watch_presence(ConnectionId id, const Identity& owner,
                                             const std::vector<ChannelName>& channels) {
  std::vector<ChannelName> refused;
  if (channels.empty()) return refused;
  shards_.run_on_owned(id, owner, [&](Shard& shard, Connection& connection) {
    for (const ChannelName& channel : channels) {
      if (!shard.presence().watch(connection, channel.str())) refused.push_back(channel);
    }
  });
  return refused;
}

void Hub::follow_presence(const std::string& channel, std::uint64_t round) {
  shards_.post_to_all([channel, round](Shard& shard) { shard.presence().follow(channel, round); });
}

void Hub::unfollow_presence(const std::string& channel) {
  shards_.post_to_all([channel](Shard& shard) { shard.presence().unfollow(channel); });
}

void Hub::send_presence(const std::string& channel, const PresenceFrame& frame) {
  shards_.post_to_all([channel, frame](Shard& shard) { shard.presence().send(channel, frame); });
}

}  // namespace sse::hub
