#include "gateway/page_routes.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "base/text.h"
#include "base/version.h"
#include "gateway/query_pages.h"
#include "gateway/upload_reader.h"
#include "net/http_front.h"
#include "net/multipart.h"
#include "net/reason_phrase.h"
#include "observe/log.h"

namespace sse::gateway {
namespace {

using event::Json;

constexpr const char* kStreamType = "text/event-stream;charset=UTF-8";
constexpr std::chrono::milliseconds kDefaultKeepalive{900'000};
constexpr std::size_t kMostListenerBytes = 256;
constexpr std::size_t kMostAcknowledged = 10'000;
constexpr std::size_t kMaxClientId = 256;
constexpr std::size_t kMaxUserAgent = 512;
constexpr ByteCount kMaxConnectBody = kibibytes(64);
constexpr const char* kWhoIsIt = "who sends this could not be established; log in first";

std::string wrapped(bool success, int code, Json data, Json error) {
  // In the order the Java library writes.
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

class HttplibPageRequest final : public PageRequest {
 public:
  HttplibPageRequest(const httplib::Request& req, std::string address, bool trusted)
      : req_(req), address_(std::move(address)), trusted_(trusted) {}

  std::string header(const std::string& name) const override { return req_.get_header_value(name); }
  std::string parameter(const std::string& name) const override {
    return hub::form_value(hub::query_of(req_.target), name);
  }
  std::string address() const override { return address_; }
  bool from_trusted_proxy() const override { return trusted_; }

 private:
  const httplib::Request& req_;
  std::string address_;
  bool trusted_;
};

// A request whose body has not been read yet.
class HeadPageRequest final : public PageRequest {
 public:
  HeadPageRequest(const net::RequestHead& head, std::string address, bool trusted)
      : head_(head), address_(std::move(address)), trusted_(trusted) {}

  std::string header(const std::string& name) const override { return net::joined_header(head_, name); }
  std::string parameter(const std::string& name) const override {
    return hub::form_value(hub::query_of(head_.target), name);
  }
  std::string address() const override { return address_; }
  bool from_trusted_proxy() const override { return trusted_; }

 private:
  const net::RequestHead& head_;
  std::string address_;
  bool trusted_;
};

class AdmittedUser final : public net::Admission {
 public:
  explicit AdmittedUser(User user) : user_(std::move(user)) {}
  const User& user() const { return user_; }

 private:
  const User user_;
};

std::string scalar_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? std::string() : event::dump_json(value);
}

// The fields of a JSON body as form-encoded parameters, behind those of the query.
void add_body_parameters(const httplib::Request& req, std::string& query) {
  if (req.body.empty() || !to_lower(req.get_header_value("Content-Type")).starts_with("application/json")) return;
  const Json body = event::parse_json(req.body, "the request body");
  if (!body.is_object()) throw Error(ErrorCode::kInvalidArgument, "the request body must be a JSON object");
  for (const auto& [name, value] : body.items()) {
    if (!query.empty()) query += '&';
    query += url_encode(name) + "=" + url_encode(scalar_text(value));
  }
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
  if (names.size() > hub::kMostListeners) {
    throw Error(ErrorCode::kInvalidArgument,
                "more than " + std::to_string(hub::kMostListeners) + " listeners in one request");
  }
  for (const std::string& name : names) {
    if (name.size() > kMostListenerBytes || !is_valid_utf8(name) ||
        name.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      throw Error(ErrorCode::kInvalidArgument, "the listener '" + printable(name, 60) + "' is no event name: at most " +
                                                   std::to_string(kMostListenerBytes) +
                                                   " bytes of UTF-8 without line breaks and NUL");
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

// What is kept for a stream as long as it is open, and of some for a while after that.
void check_kept(const hub::NewConnection& fresh) {
  checked_name(hub::form_value(fresh.attributes.query, "clientId"), "clientId", kMaxClientId);
  for (const std::string* text : {&fresh.attributes.host, &fresh.attributes.origin}) {
    if (text->size() > net::kMaxHost)
      throw Error(ErrorCode::kInvalidArgument,
                  "the Host and Origin headers must be at most " + std::to_string(net::kMaxHost) + " bytes");
  }
  if (fresh.attributes.profile.size() > kMaxProfileBytes)
    throw Error(ErrorCode::kTooLarge, "what is known of the user is larger than " + std::to_string(kMaxProfileBytes) +
                                          " bytes (the profile its authentication gave)");
}

std::string unknown_host(std::string_view host) {
  return "the Host '" + printable(host, 80) +
         "' is not known here, so a foreign page may be behind it; name it with --allowed-host, or use an IP address "
         "or localhost";
}

std::chrono::milliseconds client_keepalive(const std::string& text) {
  if (text.empty()) return kDefaultKeepalive;
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size() || value < 0) {
    throw Error(ErrorCode::kInvalidArgument,
                "keepaliveTime '" + printable(text, 40) + "' is no number of milliseconds");
  }
  return std::chrono::milliseconds(value);
}

}  // namespace

PageRoutes::PageRoutes(net::HttplibApp& app, const std::vector<Service>& services, Authenticator& authenticator,
                       Application* application, const TrustedProxies& proxies, Happenings& happenings,
                       PageOptions options, const std::atomic<bool>& draining)
    : authenticator_(authenticator),
      application_(application),
      proxies_(proxies),
      happenings_(happenings),
      options_(std::move(options)),
      origins_(options_.cors_origins, options_.allowed_hosts, options_.check_hosts),
      draining_(draining),
      clock_(clock_of(services)),
      content_(options_.serve_page, options_.web_root),
      router_(app, write_error) {
  app.set_default_headers({{"X-Sse-Server-Id", options_.server_id}, {"X-Sse-Version", base::kVersion}});
  app.set_post_routing_handler([this](const httplib::Request& req, httplib::Response& res) {
    for (const auto& [name, value] : origins_.headers_for(req.get_header_value("Origin"))) res.set_header(name, value);
  });
  app.set_pre_routing_handler([this](const httplib::Request& req, httplib::Response& res) {
    const std::string host = req.get_header_value("Host");
    if (origins_.knows_host(host)) return httplib::Server::HandlerResponse::Unhandled;
    write_error(res, 403, "", unknown_host(host));
    return httplib::Server::HandlerResponse::Handled;
  });
  for (const Service& service : services) {
    paths_.push_back(service.path);
    content_.add_service(service.path);
  }
  for (const Service& service : services) add_service(service);
  for (const std::string& path : content_.paths()) router_.answered_elsewhere(PathTemplate::literal(path));
}

void PageRoutes::add_service(const Service& service) {
  const std::string base = PathTemplate::literal(service.path);
  const auto bound =
      [this, &service](void (PageRoutes::*handle)(const Service&, const httplib::Request&, httplib::Response&)) {
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
                              "queries by pages are switched off on this server (--enable-get-json)");
                }
                const User asker = require_user(req);
                answer_ok(res, query_page(service, *options_.queries, options_.server_id, req.matches[1].str(), req,
                                          asker.identity));
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
  // Refused with everything else.
  if (!origins_.knows_host(net::header_value(head, "Host"))) return std::nullopt;
  return content_.answer(head, common_headers(head), keep_alive, clock_.wall_now());
}

std::string PageRoutes::common_headers(const net::RequestHead& head) const {
  std::string lines = "X-Sse-Server-Id: " + options_.server_id + "\r\nX-Sse-Version: " + base::kVersion + "\r\n";
  for (const auto& [name, value] : origins_.headers_for(std::string(net::header_value(head, "Origin"))))
    lines.append(name).append(": ").append(value).append("\r\n");
  return lines;
}

void PageRoutes::connect(const Service& service, const httplib::Request& req, httplib::Response& res) {
  if (draining_.load(std::memory_order_relaxed)) throw Error(ErrorCode::kUnavailable, "this server is shutting down");
  require_admitted(HttplibPageRequest(req, "", false), OriginPolicy::Use::kRead);
  std::optional<User> user = authenticate(req);
  if (!user) {
    res.status = 401;
    res.set_header("WWW-Authenticate", "Bearer");  // RFC 9110 §15.5.2 wants one; browsers show no dialogue for this
    res.set_header("Connection", "close");
    return;
  }
  hub::NewConnection fresh;
  fresh.identity = std::move(user->identity);
  checked_name(fresh.identity.user.str(), "user id");
  checked_name(fresh.identity.tenant.str(), "tenant id");
  checked_name(fresh.identity.token.str(), "access token");
  fresh.attributes.query = hub::query_of(req.target);
  if (req.method == "POST") add_body_parameters(req, fresh.attributes.query);
  fresh.channel = ChannelName(checked_name(hub::form_value(fresh.attributes.query, "channel"), "channel"));
  fresh.listeners = checked_listeners(split_list(hub::form_value(fresh.attributes.query, "listeners")));
  fresh.keepalive = options_.keepalive ? *options_.keepalive
                                       : client_keepalive(hub::form_value(fresh.attributes.query, "keepaliveTime"));
  fresh.confirms = hub::form_value(fresh.attributes.query, "ack") == "1";
  fresh.marks = hub::form_value(fresh.attributes.query, "ackMarks") == "1";
  // The browser's own header is newer than what the page put into the address when it made the EventSource.
  fresh.last_event_id = req.has_header("Last-Event-ID") ? req.get_header_value("Last-Event-ID")
                                                        : hub::form_value(fresh.attributes.query, "lastEventId");
  fresh.last_event = parse_id(fresh.last_event_id).value_or(0);
  fresh.attributes.address = client_address(req);
  fresh.attributes.user_agent = req.get_header_value("User-Agent").substr(0, kMaxUserAgent);
  fresh.attributes.host = req.get_header_value("Host");
  fresh.attributes.origin = req.get_header_value("Origin");
  fresh.attributes.profile = std::move(user->profile);
  check_kept(fresh);
  if (user->expires) {
    const auto left = std::max(*user->expires - service.sender->clock().wall_now(), std::chrono::milliseconds(1));
    fresh.ends_with_token = fresh.keepalive.count() == 0 || left <= fresh.keepalive;
    if (fresh.ends_with_token) fresh.keepalive = left;
  }
  if (req.method != "HEAD" && service.sender->hub().stays_away(fresh)) {
    res.status = 204;
    return;
  }
  // For HEAD there will be no stream.
  if (application_ != nullptr && application_->decides_connects() && req.method != "HEAD")
    ask_application(service, fresh);

  res.set_header("Cache-Control", "no-cache, no-transform");
  res.set_header("X-Accel-Buffering", "no");
  const auto shared = std::make_shared<hub::NewConnection>(std::move(fresh));
  net::HttplibApp::hand_over(res, kStreamType, [&service, shared](net::Socket socket, net::StreamHead head) {
    shared->socket = std::move(socket);
    shared->response_head = std::move(head.bytes);
    shared->chunked = head.chunked;
    shared->ticket = net::HttpFront::take_ticket();
    service.sender->connect(std::move(*shared));
  });
}

void PageRoutes::change_listeners(const Service& service, const httplib::Request& req, httplib::Response& res,
                                  bool add) {
  const User user = require_user(req);
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

void PageRoutes::ask_application(const Service& service, hub::NewConnection& fresh) {
  fresh.id = service.sender->hub().reserve_id();
  std::string channel = fresh.channel.str();
  std::vector<std::pair<std::string, std::string>> more;
  ConnectRequest request{
      service.sender->service(), fresh.id, fresh.identity, fresh, fresh.attributes.profile, channel, more};
  application_->on_connect(request);
  fresh.channel = ChannelName(checked_name(std::move(channel), "channel"));
  std::string& query = fresh.attributes.query;
  for (const auto& [name, value] : more) {
    if (!query.empty()) query += '&';
    query += url_encode(name) + "=" + url_encode(value);
  }
  check_kept(fresh);
  if (query.size() > 2 * net::kMaxHead)
    throw Error(ErrorCode::kTooLarge, "the connection's parameters and attributes are larger than 32 KiB");
}

void PageRoutes::answer_page(Happening::Type type, const ApplicationRequest& request, httplib::Response& res,
                             const std::function<Answer()>& ask) {
  const auto publish = [&](int status) {
    happenings_.requested(type, request.service, request.connection, request.path, status);
  };
  try {
    Answer given = ask();
    const bool good = given.status < 400;
    res.status = given.status;
    res.set_header("Cache-Control", "no-store");
    res.set_content(
        wrapped(good, given.status, std::move(given.data), good ? Json() : Json(printable(given.error, 500))),
        "application/json");
    publish(given.status);
  } catch (const Refusal& e) {
    publish(e.status());
    throw;
  } catch (const Error& e) {
    publish(http_status(e.code()));
    throw;
  }
}

void PageRoutes::message(const Service& service, const httplib::Request& req, httplib::Response& res) {
  const hub::ConnectionInfo connection = require_connection(service, req, hub::Hub::Request::kMessage);
  if (application_ == nullptr) throw Error(ErrorCode::kNotFound, "no application answers messages on this server");
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
  const ApplicationRequest request{service.sender->service(), service.sender->hub(), connection, path};
  answer_page(Happening::Type::kMessage, request, res, [&] { return application_->on_message(request, merged); });
}

void PageRoutes::upload(const Service& service, const httplib::Request& req, httplib::Response& res) {
  const hub::ConnectionInfo connection = require_connection(service, req, hub::Hub::Request::kUpload);
  if (application_ == nullptr) throw Error(ErrorCode::kNotFound, "no application takes uploads on this server");
  const ReceivedUpload received = read_upload(net::HttplibApp::multipart_body(), options_.upload_folder);
  const std::string path = req.matches[1].str();
  const ApplicationRequest request{service.sender->service(), service.sender->hub(), connection, path};
  answer_page(Happening::Type::kUpload, request, res,
              [&] { return application_->on_upload(request, received.upload); });
}

void PageRoutes::acknowledge(const Service& service, const httplib::Request& req, httplib::Response& res) {
  const User user = require_user(req);
  // Whatever the content type says: a beacon's string is text/plain.
  const Json body = event::parse_json(req.body, "the request body");
  if (!body.is_object()) throw Error(ErrorCode::kInvalidArgument, "the request body must be a JSON object");
  const auto ids = body.find("ids");
  if (ids == body.end() || !ids->is_array() || ids->size() > kMostAcknowledged) {
    throw Error(ErrorCode::kInvalidArgument,
                "field 'ids' must be a list of at most " + std::to_string(kMostAcknowledged) + " event ids");
  }
  std::vector<MessageId> messages;
  for (const Json& id : *ids) {
    // What is no id of ours cannot be in flight: events of other origin may have any.
    if (const MessageId message(event::id_field({{"id", id}}, "id")); message.valid()) messages.push_back(message);
  }
  std::ranges::sort(messages);
  messages.erase(std::unique(messages.begin(), messages.end()), messages.end());
  const auto acked =
      service.sender->hub().acknowledge(ConnectionId(event::id_field(body, "connectionId")), user.identity, messages);
  answer_ok(res, acked ? Json{{"acked", *acked}} : Json{{"acked", 0}, {"error", "connectionId not exist"}});
}

void PageRoutes::disconnect(const Service& service, const httplib::Request& req, httplib::Response& res) {
  const User user = require_user(req);
  // A beacon is url-encoded or multipart, depending on what the page gave it.
  std::map<std::string, std::string> form;
  if (const net::MultipartBody* body = net::HttplibApp::multipart_body()) {
    std::string text;
    body->read([&](std::string_view piece) { text.append(piece); });
    form = net::read_form(body->content_type(), text);
  }
  const auto said = [&](const char* name) {
    const auto field = form.find(name);
    return field != form.end() ? field->second : req.get_param_value(name);
  };
  const ConnectionId id(parse_id(said("connectionId")).value_or(0));
  const std::string why = printable(said("reason"), 200);
  answer_ok(res, {{"count", service.sender->hub().disconnect(id, user.identity, why) ? 1 : 0}});
}

std::optional<User> PageRoutes::authenticate(const httplib::Request& req) const {
  // Established before the body was read.
  if (const auto* known = dynamic_cast<const AdmittedUser*>(net::HttplibApp::admission())) return known->user();
  return authenticator_.authenticate(HttplibPageRequest(req, client_address(req), proxies_.contains(req.remote_addr)));
}

net::AdmitResult PageRoutes::admit(const net::RequestHead& head, const net::Peer& peer, OriginPolicy::Use use) const {
  net::AdmitResult result;
  try {
    const std::string address = proxies_.client_address(peer.address, net::joined_header(head, "X-Forwarded-For"),
                                                        net::joined_header(head, "Forwarded"));
    const HeadPageRequest request(head, address, proxies_.contains(peer.address));
    require_admitted(request, use);
    auto user = authenticator_.authenticate(request);
    if (user) {
      result.admission = std::make_shared<AdmittedUser>(std::move(*user));
    } else {
      result.refusal = net::HeadRefusal{401, kWhoIsIt, "WWW-Authenticate: Bearer\r\n"};
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
  if (const std::string_view host = net::header_value(head, "Host"); !origins_.knows_host(host)) {
    plan.refusal = net::HeadRefusal{403, unknown_host(host)};
    return;
  }
  plan.refusal = router_.refuse(head.method, head.target);
  const auto rest = path_in_service(head.target);
  if (plan.refusal && plan.refusal->status == 404 && !rest && !options_.web_root.empty()) {
    // There may be a file, which takes no body; looking for it is not for a loop.
    plan.refusal.reset();
    plan.max_body = std::min(plan.max_body, kMaxIgnoredBody);
    return;
  }
  if (plan.refusal) return;
  if (head.method != "POST" || !rest) {
    plan.max_body = std::min(plan.max_body, kMaxIgnoredBody);
  } else if (*rest == "/connect/disconnect.do") {
    // Beacons carry no credentials: the one body that is read before anybody is asked who sends it.
    plan.max_body = std::min(plan.max_body, kMaxGoodbye);
    plan.takes_multipart = true;
  } else {
    if (*rest == "/connect") plan.max_body = std::min(plan.max_body, kMaxConnectBody);
    const bool upload = rest->starts_with("/connect/upload/");
    plan.takes_multipart = upload;
    const auto use = *rest == "/connect" ? OriginPolicy::Use::kRead : OriginPolicy::Use::kWrite;
    plan.admit = [this, upload, use](const net::RequestHead& of, const net::Peer& peer) {
      net::AdmitResult result = admit(of, peer, use);
      if (upload && !result.refusal && !net::multipart_boundary(net::header_value(of, "Content-Type")))
        result.refusal = net::HeadRefusal{415, kNoUpload};
      return result;
    };
  }
}

User PageRoutes::require_user(const httplib::Request& req) const {
  require_admitted(HttplibPageRequest(req, "", false),
                   req.method == "POST" ? OriginPolicy::Use::kWrite : OriginPolicy::Use::kRead);
  std::optional<User> user = authenticate(req);
  if (!user) throw Error(ErrorCode::kUnauthenticated, kWhoIsIt);
  return std::move(*user);
}

hub::ConnectionInfo PageRoutes::require_connection(const Service& service, const httplib::Request& req,
                                                   hub::Hub::Request kind) const {
  const User user = require_user(req);
  const ConnectionId id(parse_id(req.get_param_value("connectionId")).value_or(0));
  auto connection = service.sender->hub().note_request(id, user.identity, kind);
  // Somebody else's connection is answered just like none.
  if (!connection) throw Error(ErrorCode::kNotFound, "connectionId not exist");
  return std::move(*connection);
}

std::string PageRoutes::client_address(const httplib::Request& req) const {
  return proxies_.client_address(req.remote_addr, req.get_header_value("X-Forwarded-For"),
                                 req.get_header_value("Forwarded"));
}

void PageRoutes::require_admitted(const PageRequest& request, OriginPolicy::Use use) const {
  const FetchMetadata fetch{request.header("Origin"), request.header("Sec-Fetch-Site"),
                            request.header("Sec-Fetch-Mode"), request.header("Sec-Fetch-Dest")};
  if (origins_.admits(fetch, use)) return;
  throw Error(ErrorCode::kPermissionDenied,
              "a page of another origin may not do this; the server's --cors-origin names those that may");
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

}  // namespace sse::gateway
