#include "pages/application_routes.h"

#include "application/upload_reader.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/text.h"
#include "event/json.h"
#include "net/trace_header.h"
#include "pages/page_envelope.h"

namespace sse::pages {
namespace {

using event::Json;

// The fields of the query and of a form; those of a JSON body replace them.
Json merged_message(const httplib::Request& req) {
  Json merged = Json::object();
  for (const auto& [name, value] : req.params) {
    if (name == kRequestKeyParameter && auth::Tickets::is_request_key(value)) continue;
    if (name != "connectionId" && !merged.contains(name)) merged[name] = value;
  }
  if (!req.body.empty() &&
      !to_lower(req.get_header_value("Content-Type")).starts_with("application/x-www-form-urlencoded")) {
    const Json body = event::parse_json(req.body, "the request body");
    if (body.is_null()) return merged;  // as the Java library
    if (!body.is_object()) throw Error(ErrorCode::kInvalidArgument, "the request body must be a JSON object");
    merged.update(body);
  }
  return merged;
}

// Whether a POST comes from the origin of the page with the stream. A stream of the same origin is opened without the
// header Origin, a POST is not (WHATWG Fetch §3.2).
bool is_of_origin(const httplib::Request& req, const sse::ClientDetails& client) {
  const std::string origin = req.get_header_value("Origin");
  if (origin.empty()) return client.origin.empty() && req.get_header_value("Host") == client.host;
  if (!client.origin.empty()) return origin == client.origin;
  const std::size_t scheme = origin.find("://");
  return scheme != std::string::npos && origin.substr(scheme + 3) == client.host;
}

}  // namespace

void ApplicationRoutes::message(const application::Service& service, const httplib::Request& req,
                                httplib::Response& res) const {
  const hub::ConnectionInfo connection = require_connection(service, req, hub::Hub::Request::kMessage);
  if (application_ == nullptr) throw Error(ErrorCode::kNotFound, "no application handles messages on this server");
  const Json merged = merged_message(req);
  const std::string path = req.matches[1].str();
  const application::ApplicationRequest request{service.sender->service(), *service.sender, connection, path,
                                                net::trace_headers(req)};
  answer_page(application::ActivityEvent::Type::kMessage, request, res,
              [&] { return application_->on_message(request, merged); });
}

void ApplicationRoutes::upload(const application::Service& service, const httplib::Request& req,
                               httplib::Response& res) const {
  const hub::ConnectionInfo connection = require_connection(service, req, hub::Hub::Request::kUpload);
  if (application_ == nullptr) throw Error(ErrorCode::kNotFound, "no application handles uploads on this server");
  const application::ReceivedUpload received =
      application::read_upload(net::HttplibApp::multipart_body(req), upload_folder_);
  const std::string path = req.matches[1].str();
  const application::ApplicationRequest request{service.sender->service(), *service.sender, connection, path,
                                                net::trace_headers(req)};
  answer_page(application::ActivityEvent::Type::kUpload, request, res,
              [&] { return application_->on_upload(request, received.upload); });
}

hub::ConnectionInfo ApplicationRoutes::require_connection(const application::Service& service,
                                                          const httplib::Request& req, hub::Hub::Request kind) const {
  const AdmittedSender sender = admission_.require_sender(req);
  const ConnectionId id(parse_id(req.get_param_value("connectionId")).value_or(0));
  hub::Hub& hub = service.sender->hub();
  const hub::Identity owner = sender.identity_for(id);
  auto connection = hub.note_request(id, owner, kind);
  if (!connection && nameless_ && req.get_param_value("userId").empty())
    connection = hub.note_request(id, owner_from_there(service, req, id), kind);
  if (!connection && kind == hub::Hub::Request::kMessage && application_ != nullptr &&
      application_->takes_messages_of_ended_streams() && hub.directory().has_recently_closed(id, owner))
    connection.emplace().identity = owner;
  // A connection of another user gets the same response as an unknown one.
  if (!connection) throw Error(ErrorCode::kNotFound, "connectionId not exist");
  return std::move(*connection);
}

hub::Identity ApplicationRoutes::owner_from_there(const application::Service& service, const httplib::Request& req,
                                                  ConnectionId id) const {
  const auto stream = service.sender->hub().directory().describe(id);
  const bool there =
      stream && stream->attributes.address == admission_.client_address(req) && is_of_origin(req, stream->attributes);
  return there ? stream->identity : hub::Identity{};
}

void ApplicationRoutes::answer_page(application::ActivityEvent::Type type,
                                    const application::ApplicationRequest& request, httplib::Response& res,
                                    const std::function<application::Answer()>& ask) const {
  const auto publish = [&](int status) {
    activity_log_.requested(type, request.service, request.connection, request.path, status);
  };
  try {
    application::Answer response = ask();
    const bool good = response.status < 400;
    res.status = response.status;
    res.set_header("Cache-Control", "no-store");
    for (const auto& [name, value] : response.headers) res.headers.emplace(name, value);
    res.set_content(page_envelope(good, response.status, std::move(response.data),
                                  good ? Json() : Json(printable(response.error, 500))),
                    "application/json");
    publish(response.status);
  } catch (const application::Refusal& e) {
    publish(e.status());
    throw;
  } catch (const Error& e) {
    publish(http_status(e.code()));
    throw;
  }
}

}  // namespace sse::pages
