#include "admin/explain.h"

#include <algorithm>
#include <set>
#include <utility>

#include "api/types.h"
#include "base/error.h"
#include "base/text.h"
#include "event/event.h"

namespace sse::admin {
namespace {

using event::Json;
using event::TargetKind;

constexpr std::size_t kMaxBytes = 1024ULL * 1024 * 1024;
constexpr std::size_t kMaxListenersNamed = 10;

std::string only_value(const httplib::Request& req, const char* name) {
  if (req.get_param_value_count(name) > 1) {
    throw Error(ErrorCode::kInvalidArgument, std::string(name) + " is given twice; only user is repeatable");
  }
  return req.get_param_value(name);
}

std::string quoted(const std::string& name) {
  return "'" + printable(name, 60) + "'";
}

// A name for output; tokens are masked.
std::string display_name(TargetKind kind, const std::string& name) {
  return kind == TargetKind::kToken ? "'" + mask_secret(name) + "'" : quoted(name);
}

Json reason(const char* code, const std::string& sentence) {
  return {{"code", code}, {"detail", sentence}};
}

std::string other(const char* what, const std::string& has, const std::string& wanted) {
  return (has.empty() ? std::string("has no ") + what : std::string("its ") + what + " is " + has) + ", not " + wanted;
}

std::string listens_to(const std::vector<std::string>& listeners) {
  if (listeners.empty()) return "nothing";
  std::string text;
  for (std::size_t i = 0; i < std::min(listeners.size(), kMaxListenersNamed); ++i)
    text += (i == 0 ? "" : ", ") + printable(listeners[i], 60);
  if (listeners.size() > kMaxListenersNamed)
    text += " and " + std::to_string(listeners.size() - kMaxListenersNamed) + " more";
  return text;
}

const std::string& first_channel(const hub::MatchResult& result) {
  static const std::string none;
  return result.channels.empty() ? none : result.channels.front();
}

Json reasons_of(const hub::MatchResult& result, const hub::MatchQuery& query) {
  Json reasons = Json::array();
  if (result.other_tenant) {
    reasons.push_back(reason("other_tenant", other("tenant", result.tenant.empty() ? "" : quoted(result.tenant),
                                                   quoted(query.tenant.str()))));
  }
  if (result.other_token) {
    reasons.push_back(
        reason("other_token", other("token", result.token.empty() ? "" : display_name(TargetKind::kToken, result.token),
                                    display_name(TargetKind::kToken, query.token.str()))));
  }
  if (result.other_channel) {
    reasons.push_back(
        reason("other_channel", other("channel", first_channel(result).empty() ? "" : quoted(first_channel(result)),
                                      quoted(query.channel.str()))));
  }
  if (result.not_listening) {
    reasons.push_back(
        reason("not_listening", "listens to " + listens_to(result.listeners) + ", not to " + quoted(query.event)));
  }
  if (result.overflows) {
    reasons.push_back(reason("slow_consumer", "has a backlog of " + std::to_string(result.backlog) +
                                                  " bytes and no room for the event (--max-backlog)"));
  }
  if (result.waits && result.gets())
    reasons.push_back(reason("waits", "gets it after the pending messages that are being sent"));
  return reasons;
}

Json row(const hub::MatchResult& result, const hub::MatchQuery& query) {
  return {{"connection", result.id.str()},
          {"user", result.user},
          {"tenant", result.tenant},
          {"token", mask_secret(result.token)},
          {"channel", first_channel(result)},
          {"channels", result.channels},
          {"gets", result.gets()},
          {"reasons", reasons_of(result, query)}};
}

bool has(hub::Hub& hub, TargetKind kind, const std::string& name) {
  bool found = false;
  std::vector<char> there(hub.directory().shards());
  hub.directory().visit(kind == TargetKind::kUser ? UserId(name) : UserId(),
                        [&](hub::Shard& shard, std::size_t number) {
                          there[number] = shard.registry().group(kind, name) != nullptr ? 1 : 0;
                        });
  for (const char one : there) found = found || one != 0;
  return found;
}

// The row of a name without connections.
Json absent(const std::vector<application::Service>& services, const application::Service& service, TargetKind kind,
            const std::string& name) {
  Json reasons = Json::array();
  const std::string recipient = std::string(event::kind_name(kind)) + " " + display_name(kind, name);
  reasons.push_back(reason("offline", recipient + " has no connection; with qos it would be stored until one opens"));
  for (const application::Service& other_service : services) {
    if (&other_service != &service && has(other_service.sender->hub(), kind, name)) {
      reasons.push_back(reason("other_service", recipient + " is connected to service " +
                                                    quoted(other_service.sender->service().str()) + ", not to " +
                                                    quoted(service.sender->service().str())));
    }
  }
  Json row{{"connection", nullptr},     {"user", ""},    {"tenant", ""},      {"token", ""}, {"channel", ""},
           {"channels", Json::array()}, {"gets", false}, {"reasons", reasons}};
  row[std::string(event::kind_name(kind))] = kind == TargetKind::kToken ? mask_secret(name) : name;
  return row;
}

std::vector<std::string> names_of(const hub::MatchResult& result, TargetKind kind) {
  switch (kind) {
    case TargetKind::kToken:
      return {result.token};
    case TargetKind::kTenant:
      return {result.tenant};
    case TargetKind::kChannel:
      return result.channels;
    default:
      return {result.user};
  }
}

}  // namespace

hub::MatchQuery match_query_of(const httplib::Request& req) {
  hub::MatchQuery query;
  query.tenant = TenantId(only_value(req, "tenant"));
  query.token = AccessToken(only_value(req, "token"));
  query.channel = ChannelName(only_value(req, "channel"));
  query.event = req.has_param("event") ? req.get_param_value("event") : std::string(api::kDefaultEvent);
  query.bytes = req.has_param("size") ? positive_parameter(req, "size", 0, kMaxBytes) : 0;
  event::validate({query.event, "", "", std::nullopt});
  if (req.has_param("user")) {
    query.target = {TargetKind::kUser, parameter_values(req, "user"), false};
  } else if (!query.token.empty()) {
    query.target = {TargetKind::kToken, {std::exchange(query.token, {}).str()}, false};
  } else if (!query.channel.empty()) {
    query.target = {TargetKind::kChannel, {std::exchange(query.channel, {}).str()}, false};
  } else if (!query.tenant.empty()) {
    query.target = {TargetKind::kTenant, {std::exchange(query.tenant, {}).str()}, false};
  }
  query.target.listening = bool_parameter(req, "listening");
  event::normalize(query.target);
  return query;
}

Explanation explain(const std::vector<application::Service>& services, const application::Service& service,
                    const hub::MatchQuery& query, const Page& page) {
  std::vector<hub::MatchResult> results = hub::explain(service.sender->hub().directory(), query);
  // Not std::ranges::stable_partition: clang 14 cannot compile its return type with GCC's headers.
  const auto misses = std::stable_partition(results.begin(), results.end(),
                                            [](const hub::MatchResult& result) { return result.gets(); });
  Explanation explanation;
  explanation.receivers = static_cast<std::uint64_t>(misses - results.begin());
  std::set<std::string> present;
  for (const hub::MatchResult& result : results) {
    for (std::string& name : names_of(result, query.target.kind)) present.insert(std::move(name));
  }
  std::vector<std::string> absent_names;
  for (const std::string& name : query.target.names) {
    if (!present.contains(name)) absent_names.push_back(name);
  }
  explanation.total = results.size() + absent_names.size();
  for (std::uint64_t i = page.skip(); i < explanation.total && explanation.list.size() < page.size; ++i) {
    explanation.list.push_back(i < results.size()
                                   ? row(results[i], query)
                                   : absent(services, service, query.target.kind, absent_names[i - results.size()]));
  }
  return explanation;
}

}  // namespace sse::admin
