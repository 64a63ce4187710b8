#include "hub/channel_scan.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "hub/names.h"
#include "hub/scan_parts.h"

namespace sse::hub {

using event::TargetKind;

ChannelStreams streams_in(const ConnectionDirectory& connections, const std::string& channel) {
  struct Row {
    std::size_t connections = 0;
    std::string attributes{};  // packed
  };
  struct Found {
    std::map<std::pair<std::string, std::string>, Row> members{};
    std::size_t connections = 0;
    WallTime first = WallTime::max();
    WallTime last = WallTime::min();
  };
  std::vector<Found> parts(connections.shards());
  in_parts(
      connections, UserId(),
      [&](Shard& shard, std::vector<ConnectionId>& ids) {
        add_ids(shard.registry().group(TargetKind::kChannel, channel), ids);
      },
      [&](Shard&, std::size_t number, const Connection& connection) {
        if (!in_channel(connection, channel)) return;
        Found& found = parts[number];
        ++found.connections;
        found.first = std::min(found.first, connection.created());
        found.last = std::max(found.last, connection.created());
        std::string user = name_of(connection, TargetKind::kUser);
        if (user.empty()) return;
        Row& row = found.members[{name_of(connection, TargetKind::kTenant), std::move(user)}];
        if (row.connections++ == 0) row.attributes.assign(connection.attributes.get(), connection.attributes_size);
      });
  // All streams of a user are on one shard.
  ChannelStreams all;
  for (const Found& found : parts) {
    all.connections += found.connections;
    all.first = std::min(all.first, found.first);
    all.last = std::max(all.last, found.last);
    for (const auto& [id, row] : found.members)
      all.members.push_back({id.first, id.second, row.connections, unpack_attributes(row.attributes).profile});
  }
  std::ranges::sort(all.members, {}, [](const ChannelMember& one) { return std::tie(one.tenant, one.user); });
  return all;
}

}  // namespace sse::hub
