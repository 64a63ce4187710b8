// Why an event reaches a connection, or not.
#include <algorithm>
#include <utility>
#include <vector>

#include "hub/survey.h"
#include "hub/survey_parts.h"

namespace sse::hub {

using event::TargetKind;

namespace {

Verdict judge(const Shard& shard, const Connection& connection, const Question& question) {
  Verdict verdict;
  verdict.id = connection.id;
  verdict.user = name_of(connection, TargetKind::kUser);
  verdict.tenant = name_of(connection, TargetKind::kTenant);
  verdict.token = name_of(connection, TargetKind::kToken);
  verdict.channel = name_of(connection, TargetKind::kChannel);
  verdict.other_tenant = !question.tenant.empty() && verdict.tenant != question.tenant.str();
  verdict.other_token = !question.token.empty() && verdict.token != question.token.str();
  verdict.other_channel = !question.channel.empty() && verdict.channel != question.channel.str();
  verdict.not_listening = !Shard::wants(connection, question.target.listening, question.event);
  if (verdict.not_listening) verdict.listeners.assign(connection.listeners->begin(), connection.listeners->end());
  const Shard::Outlook outlook = shard.outlook(connection, question.bytes);
  verdict.overflows = outlook == Shard::Outlook::kOverflows;
  if (verdict.overflows) verdict.owed = connection.backlog_bytes();
  verdict.waits = outlook == Shard::Outlook::kWaits;
  return verdict;
}

}  // namespace

std::vector<Verdict> explain(Hub& hub, const Question& question) {
  const event::Target& target = question.target;
  const UserId only =
      target.kind == TargetKind::kUser && target.names.size() == 1 ? UserId(target.names.front()) : UserId();
  std::vector<std::vector<Verdict>> verdicts(hub.shards());
  in_parts(
      hub, only,
      [&](Shard& shard, std::vector<ConnectionId>& ids) {
        if (target.kind == TargetKind::kAll) add_ids(shard.group(target.kind, ""), ids);
        for (const std::string& name : target.names) add_ids(shard.group(target.kind, name), ids);
      },
      [&](Shard& shard, std::size_t number, const Connection& connection) {
        verdicts[number].push_back(judge(shard, connection, question));
      });
  std::vector<Verdict> all = joined(std::move(verdicts));
  std::ranges::sort(all, {}, [](const Verdict& verdict) { return verdict.id; });
  return all;
}

}  // namespace sse::hub
