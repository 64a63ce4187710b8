// Explains why an event reaches a connection or not.
#include <algorithm>
#include <utility>
#include <vector>

#include "hub/connection_scan.h"
#include "hub/delivery_scan.h"
#include "hub/names.h"
#include "hub/scan_parts.h"

namespace sse::hub {

using event::TargetKind;

namespace {

MatchResult match(const Shard& shard, const Connection& connection, const MatchQuery& query) {
  MatchResult result;
  result.id = connection.id;
  result.user = name_of(connection, TargetKind::kUser);
  result.tenant = name_of(connection, TargetKind::kTenant);
  result.token = name_of(connection, TargetKind::kToken);
  for (const ChannelName& channel : channels_of(connection)) result.channels.push_back(channel.str());
  result.other_tenant = !query.tenant.empty() && result.tenant != query.tenant.str();
  result.other_token = !query.token.empty() && result.token != query.token.str();
  result.other_channel = !query.channel.empty() && !in_channel(connection, query.channel.str());
  result.not_listening = !connection.wants(query.target.listening, query.event);
  if (result.not_listening) result.listeners.assign(connection.listeners->begin(), connection.listeners->end());
  const DeliveryForecast outcome = forecast(connection, query.bytes, shard.options().stream.max_backlog);
  result.overflows = outcome == DeliveryForecast::kOverflows;
  if (result.overflows) result.backlog = connection.backlog_bytes();
  result.waits = outcome == DeliveryForecast::kWaits;
  return result;
}

}  // namespace

std::vector<MatchResult> explain(const ConnectionDirectory& connections, const MatchQuery& query) {
  const event::Target& target = query.target;
  const UserId only =
      target.kind == TargetKind::kUser && target.names.size() == 1 ? UserId(target.names.front()) : UserId();
  std::vector<std::vector<MatchResult>> results(connections.shards());
  in_parts(
      connections, only,
      [&](Shard& shard, std::vector<ConnectionId>& ids) {
        if (target.kind == TargetKind::kAll) add_ids(shard.registry().group(target.kind, ""), ids);
        for (const std::string& name : target.names) add_ids(shard.registry().group(target.kind, name), ids);
      },
      [&](Shard& shard, std::size_t number, const Connection& connection) {
        results[number].push_back(match(shard, connection, query));
      });
  std::vector<MatchResult> all = joined(std::move(results));
  std::ranges::sort(all, {}, &MatchResult::id);
  // A connection may be in several channels of the target.
  all.erase(
      std::unique(all.begin(), all.end(), [](const MatchResult& a, const MatchResult& b) { return a.id == b.id; }),
      all.end());
  return all;
}

}  // namespace sse::hub
