#include "pages/subscription_routes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "event/json.h"
#include "pages/connect_parameters.h"
#include "pages/page_envelope.h"

namespace sse::pages {
namespace {

using event::Json;

struct Asked {
  ConnectionId connection;
  std::vector<ChannelName> channels;
  std::vector<ChannelName> presence{};
};

std::vector<ChannelName> names_in(const Json& list, const char* field) {
  if (!list.is_array() || list.size() == 0 ||
      !std::ranges::all_of(list, [](const Json& name) { return name.is_string(); })) {
    throw Error(ErrorCode::kInvalidArgument, "field '" + std::string(field) + "' must be a list of names of channels");
  }
  return checked_channels(list.get<std::vector<std::string>>());
}

Asked asked_in(const httplib::Request& req) {
  const Json body = event::parse_json(req.body, "the request body");
  if (!body.is_object()) throw Error(ErrorCode::kInvalidArgument, "the request body must be a JSON object");
  const auto names = body.find("channels");
  Asked asked{ConnectionId(event::id_field(body, "connectionId")),
              names_in(names == body.end() ? Json(nullptr) : *names, "channels")};
  if (const auto watched = body.find("presence"); watched != body.end()) {
    asked.presence = names_in(*watched, "presence");
    for (const ChannelName& one : asked.presence) {
      if (std::ranges::find(asked.channels, one) == asked.channels.end())
        throw Error(ErrorCode::kInvalidArgument, "field 'presence' may name only channels that are in 'channels'");
    }
  }
  return asked;
}

Error unknown_connection() {
  return {ErrorCode::kNotFound, "connectionId not exist"};
}

}  // namespace

void SubscriptionRoutes::subscribe(const application::Service& service, const httplib::Request& req,
                                   httplib::Response& res) const {
  const AdmittedSender sender = admission_.require_sender(req);
  const Asked asked = asked_in(req);
  hub::Hub& hub = service.sender->hub();
  const hub::Identity owner = sender.identity_for(asked.connection);
  const std::optional<hub::ConnectionInfo> connection = hub.directory().describe(asked.connection);
  if (!connection || !hub::owns(owner, connection->identity)) throw unknown_connection();
  ChannelGate::Request request = channels_.ask(sender.user, asked.channels);
  if (application_ != nullptr && application_->decides_connects()) {
    application::SubscribeRequest question{service.sender->service(), *connection, request.channels};
    application_->on_subscribe(question);
  }
  ChannelGate::Decision decision = ChannelGate::decide(request);
  const auto joined = hub.subscribe(asked.connection, owner, decision.allowed, request.answers.version);
  if (!joined) throw unknown_connection();
  hub.watch_presence(asked.connection, owner, asked.presence);
  std::map<std::string, std::string_view> reasons;
  for (std::size_t i = 0; i < joined->size(); ++i) {
    if (!joined->at(i)) decision.refused.push_back({decision.allowed[i].name, hub::kTooManyChannels});
  }
  for (const hub::RefusedChannel& refused : decision.refused) reasons[refused.channel.str()] = refused.reason;
  channels_.note(service.sender->service(), request, decision.refused, owner.user, connection->attributes.address);
  Json results = Json::array();
  for (const ChannelName& channel : asked.channels) {
    Json result{{"channel", channel.str()}, {"joined", true}};
    if (const auto refused = reasons.find(channel.str()); refused != reasons.end()) {
      result["joined"] = false;
      result["reason"] = refused->second;
    }
    results.push_back(std::move(result));
  }
  if (reasons.size() < asked.channels.size()) return answer_ok(res, {{"channels", std::move(results)}});
  res.status = 403;
  res.set_header("Cache-Control", "no-store");
  res.set_content(page_envelope(false, 403, {{"channels", std::move(results)}}, "the stream may join none of these"),
                  "application/json");
}

void SubscriptionRoutes::unsubscribe(const application::Service& service, const httplib::Request& req,
                                     httplib::Response& res) const {
  const AdmittedSender sender = admission_.require_sender(req);
  const Asked asked = asked_in(req);
  const auto left =
      service.sender->hub().unsubscribe(asked.connection, sender.identity_for(asked.connection), asked.channels);
  if (!left) throw unknown_connection();
  Json results = Json::array();
  for (std::size_t i = 0; i < asked.channels.size(); ++i)
    results.push_back({{"channel", asked.channels[i].str()}, {"left", static_cast<bool>(left->at(i))}});
  answer_ok(res, {{"channels", std::move(results)}});
}

}  // namespace sse::pages
