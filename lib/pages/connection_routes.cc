#include "pages/connection_routes.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/text.h"
#include "event/json.h"
#include "net/multipart.h"
#include "pages/connect_parameters.h"
#include "pages/page_envelope.h"

namespace sse::pages {
namespace {

using event::Json;

constexpr std::size_t kMaxAcknowledged = 10'000;
constexpr const char* kUnknownConnection = "connectionId not exist";
// The length of a UUID as text (RFC 9562 §4): a clientId that is as long cannot be guessed.
constexpr std::size_t kSecretClientId = 36;

// The content type is ignored: a beacon sends a string as text/plain.
Json object_in(const httplib::Request& req) {
  Json body = event::parse_json(req.body, "the request body");
  if (!body.is_object()) throw Error(ErrorCode::kInvalidArgument, "the request body must be a JSON object");
  return body;
}

std::vector<MessageId> acknowledged_ids(const Json& body) {
  const auto ids = body.find("ids");
  if (ids == body.end() || !ids->is_array() || ids->size() > kMaxAcknowledged) {
    throw Error(ErrorCode::kInvalidArgument,
                "field 'ids' must be a list of at most " + std::to_string(kMaxAcknowledged) + " event ids");
  }
  std::vector<MessageId> messages;
  for (const Json& id : *ids) {
    // An id that this server did not generate cannot be in flight; events from other sources may have any id.
    if (const MessageId message(event::id_field({{"id", id}}, "id")); message.valid()) messages.push_back(message);
  }
  std::ranges::sort(messages);
  messages.erase(std::unique(messages.begin(), messages.end()), messages.end());
  return messages;
}

}  // namespace

void ConnectionRoutes::add_listeners(const application::Service& service, const httplib::Request& req,
                                     httplib::Response& res) const {
  change_listeners(service, req, res, true);
}

void ConnectionRoutes::remove_listeners(const application::Service& service, const httplib::Request& req,
                                        httplib::Response& res) const {
  change_listeners(service, req, res, false);
}

void ConnectionRoutes::change_listeners(const application::Service& service, const httplib::Request& req,
                                        httplib::Response& res, bool add) const {
  const AdmittedSender sender = admission_.require_sender(req);
  const Json body = object_in(req);
  const auto names = body.find("listener");
  // As the Java library; with an empty list the client module asks what the stream listens to.
  if (names == body.end() || names->is_null()) return answer_ok(res, Json{{"listener", nullptr}});
  if (!names->is_array() || !std::ranges::all_of(*names, [](const Json& n) { return n.is_string(); })) {
    throw Error(ErrorCode::kInvalidArgument, "field 'listener' must be a list of event names");
  }
  const ConnectionId id(event::id_field(body, "connectionId"));
  const auto after = service.sender->hub().change_listeners(
      id, sender.identity_for(id), checked_listeners(names->get<std::vector<std::string>>()), add);
  answer_ok(res, after ? Json{{"listener", *after}} : Json{{"error", kUnknownConnection}});
}

void ConnectionRoutes::acknowledge(const application::Service& service, const httplib::Request& req,
                                   httplib::Response& res) const {
  const AdmittedSender sender = admission_.require_sender(req);
  const Json body = object_in(req);
  const std::vector<MessageId> messages = acknowledged_ids(body);
  const ConnectionId id(event::id_field(body, "connectionId"));
  const auto acked = service.sender->hub().acknowledge(id, sender.identity_for(id), messages);
  answer_ok(res, acked ? Json{{"acked", *acked}} : Json{{"acked", 0}, {"error", kUnknownConnection}});
}

void ConnectionRoutes::disconnect(const application::Service& service, const httplib::Request& req,
                                  httplib::Response& res) const {
  const std::optional<AdmittedSender> sender = admission_.find_sender(req);
  // The body of a beacon is url-encoded or multipart, depending on the page's code.
  std::map<std::string, std::string> form;
  if (const net::MultipartBody* body = net::HttplibApp::multipart_body(req)) {
    std::string text;
    body->read([&](std::string_view piece) { text.append(piece); });
    form = net::read_form(body->content_type(), text);
  }
  const auto field_value = [&](const char* name) {
    const auto field = form.find(name);
    return field != form.end() ? field->second : req.get_param_value(name);
  };
  const ConnectionId id(parse_id(field_value("connectionId")).value_or(0));
  const std::string why = printable(field_value("reason"), 200);
  hub::Hub& hub = service.sender->hub();
  if (sender && hub.disconnect(id, sender->identity_for(id), why)) return answer_ok(res, {{"count", 1}});
  // The beacon of the Java library's client carries no user: whoever knows both ids is the page. A stranger learns
  // nothing from the answer.
  if (const std::string client = field_value("clientId"); client.size() >= kSecretClientId) {
    if (id.valid()) hub.disconnect_client(id, client, why);
  } else if (!sender) {
    throw Error(ErrorCode::kUnauthenticated, kNotAuthenticated);
  }
  answer_ok(res, {{"count", 0}});
}

}  // namespace sse::pages
