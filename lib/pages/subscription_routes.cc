#include "pages/subscription_routes.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/text.h"
#include "base/url.h"
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
  std::map<std::string, MessageId> since{};  // positions, of channels to catch up with
};

std::vector<ChannelName> names_in(const Json& list, const char* field) {
  if (!list.is_array() || list.size() == 0 ||
      !std::ranges::all_of(list, [](const Json& name) { return name.is_string(); })) {
    throw Error(ErrorCode::kInvalidArgument, "field '" + std::string(field) + "' must be a list of names of channels");
  }
  return checked_channels(list.get<std::vector<std::string>>());
}

MessageId position_in(const Json& id) {
  const std::string text = id.is_string() ? id.get<std::string>() : "";
  if (text == "0") return {};
  const std::optional<std::uint64_t> position = parse_id(text);
  if (!position) {
    throw Error(ErrorCode::kInvalidArgument,
                "field 'since' must have the ids of events as strings of digits, or '0'; '" + printable(text, 40) +
                    "' is none");
  }
  return MessageId(*position);
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
  const auto since = body.find("since");
  if (since == body.end() || since->is_null()) return asked;
  if (!since->is_object())
    throw Error(ErrorCode::kInvalidArgument, "field 'since' must be an object of channels and event ids");
  for (const auto& [name, id] : since->items()) {
    if (std::ranges::find(asked.channels, name, &ChannelName::str) == asked.channels.end()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "field 'since' has '" + printable(name, 60) + "', which is not one of the 'channels'");
    }
    asked.since[std::string(name)] = position_in(id);
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
  // Where the position of an event stands in the mark before it, and nowhere else.
  if (!asked.since.empty() && form_value(connection->attributes.query, "channelMarks") != "1") {
    throw Error(ErrorCode::kInvalidArgument,
                "field 'since' needs a stream with marks; open it with the parameter channelMarks=1");
  }
  auth::User asking = sender.user;
  // A request key identifies the user only; the channels that the ticket of the stream allows are kept with the stream.
  if (sender.connection) asking.channels = hub.granted_channels(asked.connection, owner).value_or(asking.channels);
  ChannelGate::Request request = channels_.ask(asking, asked.channels);
  if (application_ != nullptr && application_->decides_connects()) {
    application::SubscribeRequest question{service.sender->service(), *connection, request.channels};
    application_->on_subscribe(question);
  }
  ChannelGate::Decision decision = ChannelGate::decide(request);
  for (hub::JoinedChannel& channel : decision.allowed) {
    if (const auto since = asked.since.find(channel.name.str()); since != asked.since.end())
      channel.after = since->second;
  }
  const auto joined = hub.subscribe(asked.connection, owner, decision.allowed, request.answers.version);
  if (!joined) throw unknown_connection();
  const std::vector<ChannelName> unwatched = hub.watch_presence(asked.connection, owner, asked.presence);
  std::map<std::string, std::string_view> reasons;
  std::set<std::string> fresh;
  for (std::size_t i = 0; i < joined->size(); ++i) {
    const ChannelName& name = decision.allowed[i].name;
    if (joined->at(i).fresh) fresh.insert(name.str());
    if (!joined->at(i).in) decision.refused.push_back({name, hub::kTooManyChannels});
  }
  for (const hub::RefusedChannel& refused : decision.refused) reasons[refused.channel.str()] = refused.reason;
  channels_.note(service.sender->service(), request, decision.refused, owner.user, connection->attributes.address);
  Json results = Json::array();
  for (const ChannelName& channel : asked.channels) {
    Json result{{"channel", channel.str()}, {"joined", true}};
    if (const auto refused = reasons.find(channel.str()); refused != reasons.end()) {
      result["joined"] = false;
      result["reason"] = refused->second;
      results.push_back(std::move(result));
      continue;
    }
    // False: it was in the channel already, and gets nothing again.
    if (asked.since.contains(channel.str())) result["catchesUp"] = fresh.contains(channel.str());
    if (std::ranges::find(unwatched, channel) != unwatched.end()) {
      result["presence"] = false;
      result["reason"] = hub::kPresenceLimit;
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
