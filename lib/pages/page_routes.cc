#include "pages/page_routes.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "application/upload_reader.h"
#include "base/text.h"
#include "base/url.h"
#include "base/version.h"
#include "net/http_front.h"
#include "net/multipart.h"
#include "net/reason_phrase.h"
#include "observe/log.h"
#include "pages/query_pages.h"

namespace sse::pages {
namespace {

using event::Json;

constexpr const char* kStreamType = "text/event-stream;charset=UTF-8";
constexpr std::chrono::milliseconds kDefaultKeepalive{900'000};
constexpr std::size_t kMaxListenerNameBytes = 256;
constexpr std::size_t kMaxAcknowledged = 10'000;
constexpr std::size_t kMaxClientId = 256;
constexpr std::size_t kMaxUserAgent = 512;
constexpr ByteCount kMaxConnectBody = kibibytes(64);
constexpr const char* kNotAuthenticated = "the sender of this request is not authenticated; log in first";

std::string wrapped(bool success, int code, Json data, Json error) {
  // In the field order of the Java library.
  return event::dump_fields({{"success", success},
                             {"code", code},
                             {"data", std::move(data)},
                             {"message", nullptr},
                             {"errorMessage", std::move(error)}});
}

void answer_ok(httplib::Response& res, Json data) {
  res.set_header("Cache-Control", "no-store");
  res.set_content(wrapped(true, 200, std::move(data), nullptr), "application/json");
}

void write_error(httplib::Response& res, int status, const std::string& /*code*/, const std::string& sentence) {
  res.status = status;
  res.set_content(wrapped(false, status, nullptr, printable(sentence, 500)), "application/json");
}

class HttplibPageRequest final : public auth::PageRequest {
 public:
  HttplibPageRequest(const httplib::Request& req, std::string address, bool trusted)
      : req_(req), address_(std::move(address)), trusted_(trusted) {}

  std::string header(const std::string& name) const override { return req_.get_header_value(name); }
  std::string parameter(const std::string& name) const override { return form_value(query_of(req_.target), name); }
  std::string address() const override { return address_; }
  bool from_trusted_proxy() const override { return trusted_; }

 private:
  const httplib::Request& req_;
  std::string address_;
  bool trusted_;
};

// A request whose body has not been read yet.
class HeadPageRequest final : public auth::PageRequest {
 public:
  HeadPageRequest(const net::RequestHead& head, std::string address, bool trusted)
      : head_(head), address_(std::move(address)), trusted_(trusted) {}

  std::string header(const std::string& name) const override { return net::joined_header(head_, name); }
  std::string parameter(const std::string& name) const override { return form_value(query_of(head_.target), name); }
  std::string address() const override { return address_; }
  bool from_trusted_proxy() const override { return trusted_; }

 private:
  const net::RequestHead& head_;
  std::string address_;
  bool trusted_;
};

class AdmittedUser final : public net::Admission {
 public:
  explicit AdmittedUser(auth::User user) : user_(std::move(user)) {}
  const auth::User& user() const { return user_; }

 private:
  const auth::User user_;
};

std::string scalar_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? std::string() : event::dump_json(value);
}

// Appends the fields of a JSON body to the query, as form-encoded parameters.
void add_body_parameters(const httplib::Request& req, std::string& query) {
  if (req.body.empty() || !to_lower(req.get_header_value("Content-Type")).starts_with("application/json")) return;
  const Json body = event::parse_json(req.body, "the request body");
  if (!body.is_object()) throw Error(ErrorCode::kInvalidArgument, "the request body must be a JSON object");
  for (const auto& [name, value] : body.items()) append_parameter(query, name, scalar_text(value));
  if (query.size() > net::kMaxHead)
    throw Error(ErrorCode::kTooLarge, "the connection's parameters are larger than 16 KiB");
}

std::vector<std::string> checked_listeners(std::vector<std::string> names) {
  std::size_t bytes = 0;
  for (const std::string& name : names) bytes += name.size();
  if (bytes > hub::kMaxListenerBytes) {
    throw Error(ErrorCode::kInvalidArgument,
                "more than " + std::to_string(hub::kMaxListenerBytes) + " bytes of listeners in one request");
  }
  if (names.size() > hub::kMaxListeners) {
    throw Error(ErrorCode::kInvalidArgument,
                "more than " + std::to_string(hub::kMaxListeners) + " listeners in one request");
  }
  for (const std::string& name : names) {
    if (name.size() > kMaxListenerNameBytes || !is_valid_utf8(name) ||
        name.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      throw Error(ErrorCode::kInvalidArgument,
                  "the listener '" + printable(name, 60) + "' is not an event name: at most " +
                      std::to_string(kMaxListenerNameBytes) + " bytes of UTF-8 without line breaks and NUL");
    }
  }
  return names;
}

std::string checked_name(std::string name, const char* what, std::size_t most = event::kMaxNameBytes) {
  if (name.size() > most || !is_valid_utf8(name)) {
    throw Error(ErrorCode::kInvalidArgument,
                std::string("the ") + what + " must be at most " + std::to_string(most) + " bytes of UTF-8");
  }
  return name;
}

// Limits the values that are stored while a stream is open, some of them also for a while after that.
void check_stored_sizes(const hub::NewConnection& new_connection) {
  checked_name(form_value(new_connection.attributes.query, "clientId"), "clientId", kMaxClientId);
  for (const std::string* text : {&new_connection.attributes.host, &new_connection.attributes.origin}) {
    if (text->size() > net::kMaxHost)
      throw Error(ErrorCode::kInvalidArgument,
                  "the Host and Origin headers must be at most " + std::to_string(net::kMaxHost) + " bytes");
  }
  if (new_connection.attributes.profile.size() > auth::kMaxProfileBytes)
    throw Error(ErrorCode::kTooLarge, "the profile of the user is larger than " +
                                          std::to_string(auth::kMaxProfileBytes) +
                                          " bytes (it comes from the authentication)");
}

std::string unknown_host(std::string_view host) {
  return "the Host '" + printable(host, 80) +
         "' is not allowed, because it may belong to a foreign page; add it with --allowed-host, or use an IP address "
         "or localhost";
}

std::chrono::milliseconds client_keepalive(const std::string& text) {
  if (text.empty()) return kDefaultKeepalive;
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size() || value < 0) {
    throw Error(ErrorCode::kInvalidArgument,
                "keepaliveTime '" + printable(text, 40) + "' is not a number of milliseconds");
  }
  return std::chrono::milliseconds(value);
}

}  // namespace

PageRoutes::PageRoutes(net::HttplibApp& app, const std::vector<application::Service>& services,
                       auth::Authenticator& authenticator, application::Application* application,
                       const auth::TrustedProxies& proxies, application::ActivityLog& activity_log, PageOptions options,
                       const std::atomic<bool>& draining)
    : authenticator_(authenticator),
      application_(application),
      proxies_(proxies),
      activity_log_(activity_log),
      options_(std::move(options)),
      origins_(options_.cors_origins, options_.allowed_hosts, options_.check_hosts),
      draining_(draining),
      clock_(application::clock_of(services)),
      content_(options_.serve_page, options_.web_root),
      router_(app, write_error) {
  app.set_default_headers({{"X-Sse-Server-Id", options_.server_id}, {"X-Sse-Version", base::kVersion}});
  app.set_post_routing_handler([this](const httplib::Request& req, httplib::Response& res) {
    for (const auto& [name, value] : origins_.headers_for(req.get_header_value("Origin"))) res.set_header(name, value);
  });
  app.set_pre_routing_handler([this](const httplib::Request& req, httplib::Response& res) {
    const std::string host = req.get_header_value("Host");
    if (origins_.allows_host(host)) return httplib::Server::HandlerResponse::Unhandled;
    write_error(res, 403, "", unknown_host(host));
    return httplib::Server::HandlerResponse::Handled;
  });
  for (const application::Service& service : services) {
    paths_.push_back(service.path);
    content_.add_service(service.path);
  }
  for (const application::Service& service : services) add_service(service);
  for (const std::string& path : content_.paths()) router_.handled_elsewhere(net::PathTemplate::literal(path));
}

void PageRoutes::add_service(const application::Service& service) {
  const std::string base = net::PathTemplate::literal(service.path);
  const auto bound = [this, &service](void (PageRoutes::*handle)(const application::Service&, const httplib::Request&,
                                                                 httplib::Response&)) {
    return [this, &service, handle](const httplib::Request& req, httplib::Response& res) {
      (this->*handle)(service, req, res);
    };
  };
  router_.get(base + "/connect", bound(&PageRoutes::connect));
  router_.post(base + "/connect", bound(&PageRoutes::connect));
  router_.post(base + "/connect/addListener.do", [this, &service](const httplib::Request& req, httplib::Response& res) {
    change_listeners(service, req, res, true);
  });
  router_.post(base + "/connect/removeListener.do",
               [this, &service](const httplib::Request& req, httplib::Response& res) {
                 change_listeners(service, req, res, false);
               });
  router_.post(base + "/connect/message/{+}.do", bound(&PageRoutes::message));
  router_.post(base + "/connect/upload/{+}.do", bound(&PageRoutes::upload));
  router_.post(base + "/connect/ack.do", bound(&PageRoutes::acknowledge));
  router_.post(base + "/connect/disconnect.do", bound(&PageRoutes::disconnect));
  router_.get(base + "/connect/{users|connections|repositoryMessages}.json",
              [this, &service](const httplib::Request& req, httplib::Response& res) {
                if (options_.queries == nullptr) {
                  throw Error(ErrorCode::kPermissionDenied,
                              "queries by pages are disabled on this server (--enable-get-json)");
                }
                const auth::User requester = require_user(req);
                answer_ok(res, query_page(service, *options_.queries, options_.server_id, req.matches[1].str(), req,
                                          requester.identity));
              });
  router_.options(base + "/{*}", [](const httplib::Request& req, httplib::Response& res) {
    if (req.has_header("Access-Control-Request-Headers")) {
      res.set_header("Access-Control-Allow-Headers", req.get_header_value("Access-Control-Request-Headers"));
    }
    res.set_header("Access-Control-Allow-Methods", "GET, POST");
    res.set_header("Access-Control-Max-Age", "600");
    res.status = 204;
  });
}

std::optional<net::Reply> PageRoutes::content(const net::RequestHead& head, bool keep_alive) const {
  // The pre-routing handler refuses it.
  if (!origins_.allows_host(net::header_value(head, "Host"))) return std::nullopt;
  return content_.answer(head, common_headers(head), keep_alive, clock_.wall_now());
}

std::string PageRoutes::common_headers(const net::RequestHead& head) const {
  std::string lines = "X-Sse-Server-Id: " + options_.server_id + "\r\nX-Sse-Version: " + base::kVersion + "\r\n";
  for (const auto& [name, value] : origins_.headers_for(std::string(net::header_value(head, "Origin"))))
    lines.append(name).append(": ").append(value).append("\r\n");
  return lines;
}

void PageRoutes::connect(const application::Service& service, const httplib::Request& req, httplib::Response& res) {
  if (draining_.load(std::memory_order_relaxed)) throw Error(ErrorCode::kUnavailable, "this server is shutting down");
  require_admitted(HttplibPageRequest(req, "", false), OriginPolicy::Access::kRead);
  std::optional<auth::User> user = authenticate(req);
  if (!user) {
    res.status = 401;
    res.set_header("WWW-Authenticate", "Bearer");  // required by RFC 9110 §15.5.2; browsers show no dialogue for Bearer
    res.set_header("Connection", "close");
    return;
  }
  hub::NewConnection new_connection;
  new_connection.identity = std::move(user->identity);
  checked_name(new_connection.identity.user.str(), "user id");
  checked_name(new_connection.identity.tenant.str(), "tenant id");
  checked_name(new_connection.identity.token.str(), "access token");
  new_connection.attributes.query = query_of(req.target);
  if (req.method == "POST") add_body_parameters(req, new_connection.attributes.query);
  new_connection.channel = ChannelName(checked_name(form_value(new_connection.attributes.query, "channel"), "channel"));
  new_connection.listeners = checked_listeners(split_list(form_value(new_connection.attributes.query, "listeners")));
  new_connection.keepalive = options_.keepalive
                                 ? *options_.keepalive
                                 : client_keepalive(form_value(new_connection.attributes.query, "keepaliveTime"));
  new_connection.confirms = form_value(new_connection.attributes.query, "ack") == "1";
  new_connection.marks = form_value(new_connection.attributes.query, "ackMarks") == "1";
  // The browser's header is newer than the parameter, which the page wrote when it created the EventSource.
  new_connection.last_event_id = req.has_header("Last-Event-ID")
                                     ? req.get_header_value("Last-Event-ID")
                                     : form_value(new_connection.attributes.query, "lastEventId");
  new_connection.last_event = parse_id(new_connection.last_event_id).value_or(0);
  new_connection.attributes.address = client_address(req);
  new_connection.attributes.user_agent = req.get_header_value("User-Agent").substr(0, kMaxUserAgent);
  new_connection.attributes.host = req.get_header_value("Host");
  new_connection.attributes.origin = req.get_header_value("Origin");
  new_connection.attributes.profile = std::move(user->profile);
  check_stored_sizes(new_connection);
  if (user->expires) {
    const auto left = std::max(*user->expires - service.sender->clock().wall_now(), std::chrono::milliseconds(1));
    new_connection.ends_with_token = new_connection.keepalive.count() == 0 || left <= new_connection.keepalive;
    if (new_connection.ends_with_token) new_connection.keepalive = left;
  }
  if (req.method != "HEAD" && service.sender->hub().was_closed_by_server(new_connection)) {
    res.status = 204;
    return;
  }
  // HEAD opens no stream.
  if (application_ != nullptr && application_->decides_connects() && req.method != "HEAD")
    call_on_connect(service, new_connection);

  res.set_header("Cache-Control", "no-cache, no-transform");
  res.set_header("X-Accel-Buffering", "no");
  const auto shared = std::make_shared<hub::NewConnection>(std::move(new_connection));
  net::HttplibApp::hand_over(req, res, kStreamType, [&service, shared](net::HandedOverConnection connection) {
    shared->socket = std::move(connection.socket);
    shared->response_head = std::move(connection.head.bytes);
    shared->chunked = connection.head.chunked;
    shared->ticket = std::move(connection.ticket);
    service.sender->connect(std::move(*shared));
  });
}

void PageRoutes::change_listeners(const application::Service& service, const httplib::Request& req,
                                  httplib::Response& res, bool add) {
  const auth::User user = require_user(req);
  const Json body = event::parse_json(req.body, "the request body");
  if (!body.is_object()) throw Error(ErrorCode::kInvalidArgument, "the request body must be a JSON object");
  const auto names = body.find("listener");
  if (names == body.end() || !names->is_array() ||
      !std::ranges::all_of(*names, [](const Json& n) { return n.is_string(); })) {
    throw Error(ErrorCode::kInvalidArgument, "field 'listener' must be a list of event names");
  }
  const auto after =
      service.sender->hub().change_listeners(ConnectionId(event::id_field(body, "connectionId")), user.identity,
                                             checked_listeners(names->get<std::vector<std::string>>()), add);
  answer_ok(res, after ? Json{{"listener", *after}} : Json{{"error", "connectionId not exist"}});
}

void PageRoutes::call_on_connect(const application::Service& service, hub::NewConnection& new_connection) {
  new_connection.id = service.sender->hub().reserve_id();
  std::string channel = new_connection.channel.str();
  std::vector<std::pair<std::string, std::string>> more;
  application::ConnectRequest request{service.sender->service(),
                                      new_connection.id,
                                      new_connection.identity,
                                      new_connection.attributes,
                                      new_connection.listeners,
                                      new_connection.keepalive,
                                      new_connection.attributes.profile,
                                      channel,
                                      more};
  application_->on_connect(request);
  new_connection.channel = ChannelName(checked_name(std::move(channel), "channel"));
  std::string& query = new_connection.attributes.query;
  for (const auto& [name, value] : more) append_parameter(query, name, value);
  check_stored_sizes(new_connection);
  if (query.size() > 2 * net::kMaxHead)
    throw Error(ErrorCode::kTooLarge, "the connection's parameters and attributes are larger than 32 KiB");
}

void PageRoutes::answer_page(application::ActivityEvent::Type type, const application::ApplicationRequest& request,
                             httplib::Response& res, const std::function<application::Answer()>& ask) {
  const auto publish = [&](int status) {
    activity_log_.requested(type, request.service, request.connection, request.path, status);
  };
  try {
    application::Answer response = ask();
    const bool good = response.status < 400;
    res.status = response.status;
    res.set_header("Cache-Control", "no-store");
    res.set_content(
        wrapped(good, response.status, std::move(response.data), good ? Json() : Json(printable(response.error, 500))),
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

void PageRoutes::message(const application::Service& service, const httplib::Request& req, httplib::Response& res) {
  const hub::ConnectionInfo connection = require_connection(service, req, hub::Hub::Request::kMessage);
  if (application_ == nullptr) throw Error(ErrorCode::kNotFound, "no application handles messages on this server");
  Json merged = Json::object();
  for (const auto& [name, value] : req.params) {
    if (name != "connectionId" && !merged.contains(name)) merged[name] = value;
  }
  if (!req.body.empty() &&
      !to_lower(req.get_header_value("Content-Type")).starts_with("application/x-www-form-urlencoded")) {
    const Json body = event::parse_json(req.body, "the request body");
    if (!body.is_object()) throw Error(ErrorCode::kInvalidArgument, "the request body must be a JSON object");
    merged.update(body);
  }
  const std::string path = req.matches[1].str();
  const application::ApplicationRequest request{service.sender->service(), service.sender->hub(), connection, path};
  answer_page(application::ActivityEvent::Type::kMessage, request, res,
              [&] { return application_->on_message(request, merged); });
}

void PageRoutes::upload(const application::Service& service, const httplib::Request& req, httplib::Response& res) {
  const hub::ConnectionInfo connection = require_connection(service, req, hub::Hub::Request::kUpload);
  if (application_ == nullptr) throw Error(ErrorCode::kNotFound, "no application handles uploads on this server");
  const application::ReceivedUpload received =
      application::read_upload(net::HttplibApp::multipart_body(req), options_.upload_folder);
  const std::string path = req.matches[1].str();
  const application::ApplicationRequest request{service.sender->service(), service.sender->hub(), connection, path};
  answer_page(application::ActivityEvent::Type::kUpload, request, res,
              [&] { return application_->on_upload(request, received.upload); });
}

void PageRoutes::acknowledge(const application::Service& service, const httplib::Request& req, httplib::Response& res) {
  const auth::User user = require_user(req);
  // The content type is ignored: a beacon sends a string as text/plain.
  const Json body = event::parse_json(req.body, "the request body");
  if (!body.is_object()) throw Error(ErrorCode::kInvalidArgument, "the request body must be a JSON object");
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
  const auto acked =
      service.sender->hub().acknowledge(ConnectionId(event::id_field(body, "connectionId")), user.identity, messages);
  answer_ok(res, acked ? Json{{"acked", *acked}} : Json{{"acked", 0}, {"error", "connectionId not exist"}});
}

void PageRoutes::disconnect(const application::Service& service, const httplib::Request& req, httplib::Response& res) {
  const auth::User user = require_user(req);
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
  answer_ok(res, {{"count", service.sender->hub().disconnect(id, user.identity, why) ? 1 : 0}});
}

std::optional<auth::User> PageRoutes::authenticate(const httplib::Request& req) const {
  // Already authenticated before the body was read.
  if (const auto* known = dynamic_cast<const AdmittedUser*>(net::HttplibApp::admission(req))) return known->user();
  return authenticator_.authenticate(HttplibPageRequest(req, client_address(req), proxies_.contains(req.remote_addr)));
}

net::AdmitResult PageRoutes::admit(const net::RequestHead& head, const net::Peer& peer,
                                   OriginPolicy::Access access) const {
  net::AdmitResult result;
  try {
    const std::string address = proxies_.client_address(peer.address, net::joined_header(head, "X-Forwarded-For"),
                                                        net::joined_header(head, "Forwarded"));
    const HeadPageRequest request(head, address, proxies_.contains(peer.address));
    require_admitted(request, access);
    auto user = authenticator_.authenticate(request);
    if (user) {
      result.admission = std::make_shared<AdmittedUser>(std::move(*user));
    } else {
      result.refusal = net::HeadRefusal{401, kNotAuthenticated, "WWW-Authenticate: Bearer\r\n"};
    }
  } catch (const Error& e) {
    result.refusal = net::HeadRefusal{http_status(e.code()), e.what()};
  } catch (const std::exception& e) {
    observe::log_error("request failed",
                       {{"path", std::string(head.target.substr(0, head.target.find('?')))}, {"error", e.what()}});
    result.refusal = net::HeadRefusal{500, "the request could not be handled; the server's log says why"};
  }
  return result;
}

std::optional<std::string_view> PageRoutes::path_in_service(std::string_view target) const {
  const std::string_view path = target.substr(0, target.find('?'));
  for (const std::string& service : paths_) {
    if (path.starts_with(service) && path.substr(service.size()).starts_with("/connect"))
      return path.substr(service.size());
  }
  return std::nullopt;
}

void PageRoutes::decide(const net::RequestHead& head, net::RequestPlan& plan) const {
  if (head.framing != net::BodyFraming::kChunked && head.content_length == 0) return;
  if (const std::string_view host = net::header_value(head, "Host"); !origins_.allows_host(host)) {
    plan.refusal = net::HeadRefusal{403, unknown_host(host)};
    return;
  }
  plan.refusal = router_.refuse(head.method, head.target);
  const auto rest = path_in_service(head.target);
  if (plan.refusal && plan.refusal->status == 404 && !rest && !options_.web_root.empty()) {
    // The path may be a file, which needs no body. A loop may not access the disk to check.
    plan.refusal.reset();
    plan.max_body = std::min(plan.max_body, net::kMaxIgnoredBody);
    return;
  }
  if (plan.refusal) return;
  if (head.method != "POST" || !rest) {
    plan.max_body = std::min(plan.max_body, net::kMaxIgnoredBody);
  } else if (*rest == "/connect/disconnect.do") {
    // Beacons carry no credentials, so this is the only body that is read before authentication.
    plan.max_body = std::min(plan.max_body, kMaxDisconnectBody);
    plan.takes_multipart = true;
  } else {
    if (*rest == "/connect") plan.max_body = std::min(plan.max_body, kMaxConnectBody);
    const bool upload = rest->starts_with("/connect/upload/");
    plan.takes_multipart = upload;
    const auto access = *rest == "/connect" ? OriginPolicy::Access::kRead : OriginPolicy::Access::kWrite;
    plan.admit = [this, upload, access](const net::RequestHead& of, const net::Peer& peer) {
      net::AdmitResult result = admit(of, peer, access);
      if (upload && !result.refusal && !net::multipart_boundary(net::header_value(of, "Content-Type")))
        result.refusal = net::HeadRefusal{415, application::kNoUpload};
      return result;
    };
  }
}

auth::User PageRoutes::require_user(const httplib::Request& req) const {
  require_admitted(HttplibPageRequest(req, "", false),
                   req.method == "POST" ? OriginPolicy::Access::kWrite : OriginPolicy::Access::kRead);
  std::optional<auth::User> user = authenticate(req);
  if (!user) throw Error(ErrorCode::kUnauthenticated, kNotAuthenticated);
  return std::move(*user);
}

hub::ConnectionInfo PageRoutes::require_connection(const application::Service& service, const httplib::Request& req,
                                                   hub::Hub::Request kind) const {
  const auth::User user = require_user(req);
  const ConnectionId id(parse_id(req.get_param_value("connectionId")).value_or(0));
  auto connection = service.sender->hub().note_request(id, user.identity, kind);
  // A connection of another user gets the same response as an unknown one.
  if (!connection) throw Error(ErrorCode::kNotFound, "connectionId not exist");
  return std::move(*connection);
}

std::string PageRoutes::client_address(const httplib::Request& req) const {
  return proxies_.client_address(req.remote_addr, req.get_header_value("X-Forwarded-For"),
                                 req.get_header_value("Forwarded"));
}

void PageRoutes::require_admitted(const auth::PageRequest& request, OriginPolicy::Access access) const {
  const FetchMetadata fetch{request.header("Origin"), request.header("Sec-Fetch-Site"),
                            request.header("Sec-Fetch-Mode"), request.header("Sec-Fetch-Dest")};
  if (origins_.admits(fetch, access)) return;
  throw Error(ErrorCode::kPermissionDenied,
              "pages of this origin may not send this request; the server's --cors-origin lists the origins that may");
}

net::RefusalText PageRoutes::refusal(const net::RequestHead& head, int status, const std::string& sentence) const {
  net::RefusalText text;
  text.headers = common_headers(head);
  const auto rest = path_in_service(head.target);
  const bool of_page = rest.has_value() || status == 404 || status == 405;
  if (status == 401 && rest == "/connect") return text;
  text.body = of_page ? wrapped(false, status, nullptr, printable(sentence, 500)) : sentence + "\n";
  if (of_page) text.content_type = "application/json";
  return text;
}

std::string PageRoutes::refusal_response(std::string_view request, int status, const std::string& sentence) const {
  std::size_t scanned = 0;
  const net::HeadScan scan = net::scan_head(request, scanned);
  const net::RefusalText text = refusal(scan.head, status, sentence);
  return "HTTP/1.1 " + std::to_string(status) + " " + net::reason_phrase(status) + "\r\n" + text.headers +
         (status == 503 ? "Retry-After: 5\r\n" : "") + "Content-Type: " + text.content_type +
         "\r\nContent-Length: " + std::to_string(text.body.size()) + "\r\n\r\n" + text.body;
}

}  // namespace sse::pages
