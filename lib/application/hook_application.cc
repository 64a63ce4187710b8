#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "application/connection_json.h"
#include "application/hook.h"
#include "application/hook_answer.h"
#include "auth/channel_pattern.h"
#include "base/text.h"

namespace sse::application {
namespace {

using event::Json;

// The answer to the page when a call failed (RFC 9110 §15.6.3, §15.6.5). It does not name the hook.
Refusal failure(const Error& e) {
  if (e.code() == ErrorCode::kTimeout) return {504, "the application behind this server did not answer in time"};
  if (e.code() == ErrorCode::kTooLarge) return {502, "the application behind this server sent too large an answer"};
  return {502, "the application behind this server cannot be reached"};
}

std::string text_of(const Json& json, std::initializer_list<const char*> names) {
  if (!json.is_object()) return "";
  for (const char* name : names) {
    const auto found = json.find(name);
    if (found != json.end() && found->is_string()) return found->get<std::string>();
  }
  return "";
}

hub::ConnectionInfo info_of(const ConnectRequest& request, WallTime now) {
  hub::ConnectionInfo info;
  info.id = request.id;
  info.identity = request.identity;
  info.channel = ChannelName(request.channel);
  for (const RequestedChannel& one : request.channels) info.channels.push_back(one.name);
  info.listeners = request.listeners;
  info.attributes = request.client;
  info.attributes.profile = request.profile;
  info.created = info.as_of = now;
  info.keepalive = request.keepalive;
  return info;
}

Json channels_json(const std::vector<RequestedChannel>& channels) {
  Json list = Json::array();
  for (const RequestedChannel& one : channels)
    list.push_back({{"channel", one.name.str()}, {"right", auth::right_name(one.right)}});
  return list;
}

// Replaces the right of the channels with `before` that the names and patterns in a field of the answer match.
void replace_rights(const Json& reply, const char* field, std::vector<RequestedChannel>& channels, const Identity& who,
                    std::initializer_list<ChannelRight> before, ChannelRight after) {
  const auto list = reply.find(field);
  if (list == reply.end()) return;
  std::vector<std::string> patterns;
  try {
    patterns = auth::user_channels_in(*list);
  } catch (const Error& e) {
    throw Error(ErrorCode::kInvalidArgument, "field '" + std::string(field) + "' " + e.what());
  }
  for (const std::string& text : patterns) {
    const auth::ChannelPattern pattern = auth::ChannelPattern::parse(text);
    for (RequestedChannel& one : channels) {
      if (std::ranges::find(before, one.right) != before.end() && pattern.matches(one.name.str(), who))
        one.right = after;
    }
  }
}

void take_rights(const Json& reply, std::vector<RequestedChannel>& channels, const Identity& who) {
  using enum ChannelRight;
  replace_rights(reply, "channels", channels, who, {kApplication}, kAllowed);
  replace_rights(reply, "refused", channels, who, {kApplication, kAllowed}, kRefused);
}

class HookApplication final : public Application {
 public:
  HookApplication(HookCaller& caller, IdGenerator& ids) : caller_(caller), ids_(ids) {}

  bool decides_connects() const override { return true; }

  void on_connect(ConnectRequest& request) override {
    net::HttpCaller::Answer answer;
    try {
      const WallTime now = ids_.clock().wall_now();
      Json body{{"service", request.service.str()},
                {"connection", to_json(info_of(request, now), request.service, caller_.server_id())}};
      if (request.probe) body["probe"] = true;
      if (!request.channels.empty()) body["channels"] = channels_json(request.channels);
      answer = caller_.call("connect", request.id.str(), now, std::move(body));
    } catch (const Error&) {
      throw Refusal(503, "the application behind this server is unavailable; try again later");
    }
    const Json reply = parse("connect", answer);
    const std::string sentence = text_of(reply, {"message", "errorMessage"});
    if (answer.status >= 300) {
      const bool is_refusal = answer.status >= 400 && answer.status < 500;
      if (!is_refusal) throw Refusal(503, "the application behind this server is unavailable; try again later");
      throw Refusal(answer.status, sentence.empty() ? "the application refused the connection" : sentence);
    }
    if (reply.is_null()) return;
    try {
      take(reply, request);
    } catch (const Refusal&) {
      throw;
    } catch (const Error& e) {
      throw invalid_answer("connect", e.what());
    }
  }

  void on_subscribe(SubscribeRequest& request) override {
    net::HttpCaller::Answer answer;
    try {
      answer = caller_.call("subscribe", next_id(), ids_.clock().wall_now(),
                            {{"service", request.service.str()},
                             {"connection", to_json(request.connection, request.service, caller_.server_id())},
                             {"channels", channels_json(request.channels)}});
    } catch (const Error& e) {
      throw failure(e);
    }
    const Json reply = parse("subscribe", answer);
    if (answer.status >= 400 && answer.status < 500) {
      for (RequestedChannel& one : request.channels) {
        if (one.right != ChannelRight::kRefused) one.right = ChannelRight::kApplication;
      }
      return;
    }
    if (answer.status >= 300) throw Refusal(503, "the application behind this server is unavailable; try again later");
    if (reply.is_null()) return;
    try {
      event::require_fields(reply, {"channels", "refused"}, "the answer to subscribe");
      take_rights(reply, request.channels, request.connection.identity);
    } catch (const Error& e) {
      throw invalid_answer("subscribe", e.what());
    }
  }

  bool decides_publications() const override { return true; }
  bool takes_messages_of_ended_streams() const override { return true; }

  void on_publish(const PublishRequest& request) override {
    const Answer answer = ask("publish", [&] {
      return caller_.call("publish", next_id(), ids_.clock().wall_now(),
                          {{"service", request.service.str()},
                           {"connection", to_json(request.connection, request.service, caller_.server_id())},
                           {"channel", request.channel.str()},
                           {"event", request.event},
                           {"data", event::parse_json(request.json, "the data of the page")}},
                          {request.traceparent, request.tracestate});
    });
    if (answer.status < 400) return;
    if (answer.status >= 500) throw Refusal(503, "the application behind this server is unavailable; try again later");
    throw Refusal(answer.status, answer.error);
  }

  Answer on_message(const ApplicationRequest& request, const Json& message) override {
    Json body = describe(request);
    body["message"] = message;
    Answer answer = ask("message", [&] {
      return caller_.call("message", next_id(), ids_.clock().wall_now(), std::move(body), request.trace);
    });
    follow("message", request, answer);
    return answer;
  }

  Answer on_upload(const ApplicationRequest& request, const Upload& upload) override {
    Json body = describe(request);
    body["fields"] = upload.fields;
    body["files"] = Json::array();
    const bool forward = caller_.options().forward_uploads;
    for (const UploadedFile& file : upload.files) {
      body["files"].push_back({{"field", file.field},
                               {"filename", file.filename},
                               {"contentType", file.content_type},
                               {"size", file.size.count()}});
      if (!forward) {
        body["files"].back()["path"] = file.path;
        continue;
      }
      // A hook that looks up parts by name must find only one named `event`.
      if (file.field == "event") throw Refusal(400, "an uploaded file cannot have the field name 'event'");
      body["files"].back()["sha256"] = sha256_of_file(file.path);
    }
    Answer answer = ask("upload", [&] {
      return forward ? caller_.call_with_files("upload", next_id(), ids_.clock().wall_now(), std::move(body),
                                               upload.files, request.trace)
                     : caller_.call("upload", next_id(), ids_.clock().wall_now(), std::move(body), request.trace);
    });
    follow("upload", request, answer);
    return answer;
  }

 private:
  std::string next_id() { return std::to_string(ids_.next()); }

  Json describe(const ApplicationRequest& request) const {
    Json body{{"service", request.service.str()}, {"path", request.path}};
    if (request.connection.id.valid()) {
      body["connection"] = to_json(request.connection, request.service, caller_.server_id());
    } else {
      body["connection"] = nullptr;
      body["accessUserId"] = request.connection.identity.user.str();
      body["accessTenantId"] = request.connection.identity.tenant.str();
    }
    return body;
  }

  template <class Call>
  Answer ask(const std::string& type, Call call) {
    net::HttpCaller::Answer answer;
    try {
      answer = call();
    } catch (const Error& e) {
      throw failure(e);
    }
    Json reply = parse(type, answer);
    if (answer.status < 300) {
      // The page's answer has a body, which is not allowed with 204 and 205.
      const bool bodiless = answer.status == 204 || answer.status == 205;
      return {bodiless ? 200 : answer.status, std::move(reply), ""};
    }
    if (answer.status < 400) throw invalid_answer(type, "it answered with a redirect");
    std::string sentence = text_of(reply, {"errorMessage", "message"});
    if (sentence.empty()) sentence = "the application answered with status " + std::to_string(answer.status);
    return {answer.status, std::move(reply), std::move(sentence)};
  }

  // Carries out what an answer has for the stream of the page that asked, before the page has the answer.
  void follow(const std::string& type, const ApplicationRequest& request, Answer& answer) {
    if (answer.status >= 400) return;
    try {
      carry_out(take_stream_orders(answer.data, request.connection.id), request);
    } catch (const Error& e) {
      if (e.code() == ErrorCode::kUnavailable) throw;
      throw invalid_answer(type, e.what());
    }
  }

  // Returns null for an empty body. Text that is not JSON is an error, unless the status is an error status already.
  Json parse(const std::string& type, const net::HttpCaller::Answer& answer) {
    if (answer.body.empty()) return nullptr;
    try {
      return event::parse_json(answer.body, "its answer");
    } catch (const Error& e) {
      if (answer.status >= 400) return nullptr;
      throw invalid_answer(type, e.what());
    }
  }

  Refusal invalid_answer(const std::string& type, const std::string& why) {
    caller_.count_invalid_answer(type, why);
    return {502, "the application behind this server sent an invalid answer"};
  }

  static void take(const Json& reply, ConnectRequest& request) {
    event::require_fields(
        reply, {"accept", "status", "message", "profile", "attributes", "channel", "channels", "refused", "join"},
        "the answer to connect");
    if (!event::bool_field(reply, "accept", true)) {
      const auto status = reply.find("status");
      const int code = status != reply.end() && status->is_number_integer() ? status->get<int>() : 403;
      if (code < 400 || code > 599) throw Error(ErrorCode::kInvalidArgument, "field 'status' must be from 400 to 599");
      const std::string sentence = event::string_field(reply, "message", "the application refused the connection");
      throw Refusal(code, sentence);
    }
    if (const auto profile = reply.find("profile"); profile != reply.end()) {
      request.profile = profile->is_null() ? "" : event::dump_json(*profile);
      if (request.profile.size() > 16'384) throw Error(ErrorCode::kTooLarge, "field 'profile' is larger than 16 KiB");
    }
    if (reply.contains("channel")) {
      request.channel = event::string_field(reply, "channel");
      for (RequestedChannel& one : request.channels) {
        if (one.name.str() == request.channel) one.right = ChannelRight::kAllowed;
      }
    }
    if (const auto join = reply.find("join"); join != reply.end()) {
      const bool is_list = join->is_array() && std::ranges::all_of(*join, [](const Json& one) {
                             return one.is_string() && !one.get<std::string>().empty();
                           });
      if (!is_list) throw Error(ErrorCode::kInvalidArgument, "field 'join' must be a list of names of channels");
      for (const Json& name : *join) request.join.emplace_back(name.get<std::string>());
    }
    take_rights(reply, request.channels, request.identity);
    if (const auto attributes = reply.find("attributes"); attributes != reply.end()) {
      if (!attributes->is_object())
        throw Error(ErrorCode::kInvalidArgument, "field 'attributes' must be an object of names and texts");
      for (const auto& [name, value] : attributes->items())
        request.attributes.emplace_back(name, value.is_string() ? value.get<std::string>() : event::dump_json(value));
    }
  }

  HookCaller& caller_;
  IdGenerator& ids_;
};

}  // namespace

std::unique_ptr<Application> make_hook_application(HookCaller& caller, IdGenerator& ids) {
  return std::make_unique<HookApplication>(caller, ids);
}

}  // namespace sse::application
