#include "gateway/explain.h"

#include <algorithm>
#include <set>
#include <utility>

#include "api/types.h"
#include "base/error.h"
#include "base/text.h"
#include "event/event.h"

namespace sse::gateway {
namespace {

using event::Json;
using event::TargetKind;

constexpr std::size_t kMostBytes = 1024ULL * 1024 * 1024;
constexpr std::size_t kMostListenersNamed = 10;

std::vector<std::string> values(const httplib::Request& req, const char* name) {
  std::vector<std::string> list;
  for (std::size_t i = 0; i < req.get_param_value_count(name); ++i) list.push_back(req.get_param_value(name, i));
  return list;
}

std::string only_value(const httplib::Request& req, const char* name) {
  if (req.get_param_value_count(name) > 1) {
    throw Error(ErrorCode::kInvalidArgument, std::string(name) + " is given twice; only users can be several here");
  }
  return req.get_param_value(name);
}

std::string quoted(const std::string& name) {
  return "'" + printable(name, 60) + "'";
}

// What a send to nobody's name is called.
std::string shown(TargetKind kind, const std::string& name) {
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
  for (std::size_t i = 0; i < std::min(listeners.size(), kMostListenersNamed); ++i)
    text += (i == 0 ? "" : ", ") + printable(listeners[i], 60);
  if (listeners.size() > kMostListenersNamed)
    text += " and " + std::to_string(listeners.size() - kMostListenersNamed) + " more";
  return text;
}

Json reasons_of(const hub::Verdict& verdict, const hub::Question& question) {
  Json reasons = Json::array();
  if (verdict.other_tenant) {
    reasons.push_back(reason("other_tenant", other("tenant", verdict.tenant.empty() ? "" : quoted(verdict.tenant),
                                                   quoted(question.tenant.str()))));
  }
  if (verdict.other_token) {
    reasons.push_back(
        reason("other_token", other("token", verdict.token.empty() ? "" : shown(TargetKind::kToken, verdict.token),
                                    shown(TargetKind::kToken, question.token.str()))));
  }
  if (verdict.other_channel) {
    reasons.push_back(reason("other_channel", other("channel", verdict.channel.empty() ? "" : quoted(verdict.channel),
                                                    quoted(question.channel.str()))));
  }
  if (verdict.not_listening) {
    reasons.push_back(
        reason("not_listening", "listens to " + listens_to(verdict.listeners) + ", not to " + quoted(question.event)));
  }
  if (verdict.overflows) {
    reasons.push_back(reason("slow_consumer", "owes " + std::to_string(verdict.owed) +
                                                  " bytes already and has no room for more (--max-backlog)"));
  }
  if (verdict.waits && verdict.gets())
    reasons.push_back(reason("waits", "gets it behind pending messages that are being sent"));
  return reasons;
}

Json row(const hub::Verdict& verdict, const hub::Question& question) {
  return {{"connection", verdict.id.str()},          {"user", verdict.user},       {"tenant", verdict.tenant},
          {"token", mask_secret(verdict.token)},     {"channel", verdict.channel}, {"gets", verdict.gets()},
          {"reasons", reasons_of(verdict, question)}};
}

bool has(hub::Hub& hub, TargetKind kind, const std::string& name) {
  bool found = false;
  std::vector<char> there(hub.shards());
  hub.visit(kind == TargetKind::kUser ? UserId(name) : UserId(),
            [&](hub::Shard& shard, std::size_t number) { there[number] = shard.group(kind, name) != nullptr ? 1 : 0; });
  for (const char one : there) found = found || one != 0;
  return found;
}

// Nobody is connected under the name.
Json absent(const std::vector<Service>& services, const Service& service, TargetKind kind, const std::string& name) {
  Json reasons = Json::array();
  const std::string who = std::string(event::kind_name(kind)) + " " + shown(kind, name);
  reasons.push_back(reason("offline", who + " has no connection; with qos it would be kept until there is one"));
  for (const Service& elsewhere : services) {
    if (&elsewhere != &service && has(elsewhere.sender->hub(), kind, name)) {
      reasons.push_back(reason("other_service", who + " is connected to service " +
                                                    quoted(elsewhere.sender->service().str()) + ", not to " +
                                                    quoted(service.sender->service().str())));
    }
  }
  Json row{{"connection", nullptr}, {"user", ""},    {"tenant", ""},      {"token", ""},
           {"channel", ""},         {"gets", false}, {"reasons", reasons}};
  row[std::string(event::kind_name(kind))] = kind == TargetKind::kToken ? mask_secret(name) : name;
  return row;
}

const std::string& name_of(const hub::Verdict& verdict, TargetKind kind) {
  switch (kind) {
    case TargetKind::kToken:
      return verdict.token;
    case TargetKind::kTenant:
      return verdict.tenant;
    case TargetKind::kChannel:
      return verdict.channel;
    default:
      return verdict.user;
  }
}

}  // namespace

hub::Question question_of(const httplib::Request& req) {
  hub::Question question;
  question.tenant = TenantId(only_value(req, "tenant"));
  question.token = AccessToken(only_value(req, "token"));
  question.channel = ChannelName(only_value(req, "channel"));
  question.event = req.has_param("event") ? req.get_param_value("event") : std::string(api::kDefaultEvent);
  question.bytes = req.has_param("size") ? admin::positive_parameter(req, "size", 0, kMostBytes) : 0;
  event::validate({question.event, "", "", std::nullopt});
  if (req.has_param("user")) {
    question.target = {TargetKind::kUser, values(req, "user"), false};
  } else if (!question.token.empty()) {
    question.target = {TargetKind::kToken, {std::exchange(question.token, {}).str()}, false};
  } else if (!question.channel.empty()) {
    question.target = {TargetKind::kChannel, {std::exchange(question.channel, {}).str()}, false};
  } else if (!question.tenant.empty()) {
    question.target = {TargetKind::kTenant, {std::exchange(question.tenant, {}).str()}, false};
  }
  question.target.listening = admin::bool_parameter(req, "listening");
  event::normalize(question.target);
  return question;
}

Explanation explain(const std::vector<Service>& services, const Service& service, const hub::Question& question,
                    const admin::Page& page) {
  std::vector<hub::Verdict> verdicts = hub::explain(service.sender->hub(), question);
  // Not the one of std::ranges: what that returns is more than clang 14 understands of GCC's headers.
  const auto misses = std::stable_partition(verdicts.begin(), verdicts.end(),
                                            [](const hub::Verdict& verdict) { return verdict.gets(); });
  Explanation explanation;
  explanation.receivers = static_cast<std::uint64_t>(misses - verdicts.begin());
  std::set<std::string> present;
  for (const hub::Verdict& verdict : verdicts) present.insert(name_of(verdict, question.target.kind));
  std::vector<std::string> gone;
  for (const std::string& name : question.target.names) {
    if (!present.contains(name)) gone.push_back(name);
  }
  explanation.total = verdicts.size() + gone.size();
  for (std::uint64_t i = page.skip(); i < explanation.total && explanation.list.size() < page.size; ++i) {
    explanation.list.push_back(i < verdicts.size()
                                   ? row(verdicts[i], question)
                                   : absent(services, service, question.target.kind, gone[i - verdicts.size()]));
  }
  return explanation;
}

}  // namespace sse::gateway
