#include "pages/publish_routes.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "event/event.h"
#include "hub/client_tag.h"
#include "net/trace_header.h"
#include "pages/connect_parameters.h"
#include "pages/page_envelope.h"

namespace sse::pages {
namespace {

using auth::PublishRight;
using event::Json;

constexpr std::size_t kMaxEventNameBytes = 200;

// Names that the server, its client module or an EventSource gives a meaning: a page that could send them to others
// would speak for the server, or make them believe that their stream has failed.
constexpr std::array<std::string_view, 4> kReservedNames{event::kResync, "_set-duration", "open", "error"};
constexpr std::array<std::string_view, 2> kReservedPrefixes{"sse-", "connect-"};

Error invalid(const std::string& sentence) {
  return {ErrorCode::kInvalidArgument, sentence};
}

Json object_of(const httplib::Request& req) {
  Json body = event::parse_json(req.body, "the request body");
  if (!body.is_object()) throw invalid("the request body must be a JSON object");
  return body;
}

// What the streams get.
std::string envelope(const hub::Identity& from, const Json& data) {
  Json who{{"user", from.user.str()}};
  if (!from.tenant.empty()) who["tenant"] = from.tenant.str();
  return event::dump_fields({{"from", std::move(who)}, {"data", data}});
}

// The page itself, or, if it does not say which one it is, its client.
std::string instance_of(const hub::ConnectionInfo& connection) {
  std::string instance = connection.attributes.parameter(hub::kClientInstanceId);
  return instance.empty() ? connection.attributes.parameter(hub::kClientId) : instance;
}

}  // namespace

bool is_publishable_event(std::string_view name) {
  if (name.empty() || name.size() > kMaxEventNameBytes || printable(name, kMaxEventNameBytes) != name) return false;
  // For a client that removes blanks the name would be another one.
  if (name.front() == ' ' || name.back() == ' ') return false;
  return std::ranges::find(kReservedNames, name) == kReservedNames.end() &&
         std::ranges::none_of(kReservedPrefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

struct PublishRoutes::Publication {
  ChannelName channel;
  std::string event;
  Json data;
  std::string data_text;
  bool echo = true;  // the publishing page gets it, too
  TraceHeaders trace{};
};

// Why a publication is refused.
struct PublishRoutes::Refused {
  std::string_view reason;  // for the page and the metrics
  int status = 403;
  std::string sentence;
  std::string rule{};
};

void PublishRoutes::publish(const application::Service& service, const httplib::Request& req, httplib::Response& res) {
  const AdmittedSender sender = admission_.require_sender(req);
  if (options_.access == nullptr) throw Error(ErrorCode::kNotFound, "pages cannot publish on this server");
  const ServiceName& name = service.sender->service();
  try {
    if (!to_lower(req.get_header_value("Content-Type")).starts_with("application/json"))
      throw application::Refusal(415, "an event to publish is JSON: send it with Content-Type: application/json");
    const Json body = object_of(req);
    const ConnectionId id(event::id_field(body, "connectionId"));
    const std::optional<hub::ConnectionInfo> connection = service.sender->hub().directory().describe(id);
    if (!connection || !hub::owns(sender.identity_for(id), connection->identity))
      throw Error(ErrorCode::kNotFound, "connectionId not exist");
    std::optional<Refused> refused;
    if (!limiter_.take(id)) {
      refused = {
          "rate", 429,
          "this stream publishes more than " + std::to_string(options_.rate) + " events a second; try again later"};
      res.set_header("Retry-After", "1");
      return refuse(name, *refused, res);
    }
    Publication publication = read(body);
    publication.trace = net::trace_headers(req);
    refused = refusal_of(name, sender.user, *connection, publication);
    if (refused) return refuse(name, *refused, res);
    delivery::SendRequest request{event::Target::channel(publication.channel), publication.event,
                                  envelope(connection->identity, publication.data)};
    request.trace = parse_traceparent(publication.trace.traceparent);
    if (!publication.echo) request.except = instance_of(*connection);
    const delivery::SendResult sent = service.sender->send(std::move(request));
    published(name).add();
    answer_ok(res, {{"id", std::to_string(sent.id)}});
  } catch (const application::Refusal& e) {
    // By the application, or of the content type.
    count(name, e.status() == 415 ? "invalid" : "application", "");
    throw;
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kInvalidArgument || e.code() == ErrorCode::kTooLarge) count(name, "invalid", "");
    if (e.code() == ErrorCode::kNotFound) count(name, "connection", "");
    throw;
  }
}

PublishRoutes::Publication PublishRoutes::read(const Json& body) const {
  event::require_fields(body, {"connectionId", "channel", "event", "data", "echo"}, "the event to publish");
  Publication publication;
  publication.channel = checked_channels({event::string_field(body, "channel")}).front();
  publication.event = event::string_field(body, "event");
  if (!is_publishable_event(publication.event)) {
    throw invalid("'" + printable(publication.event, 60) +
                  "' cannot be the name of an event that a page publishes: it has 1 to " +
                  std::to_string(kMaxEventNameBytes) +
                  " bytes of printable UTF-8 and is no name of the server, such as sse-… and connect-…");
  }
  const auto data = body.find("data");
  if (data == body.end()) throw invalid("field 'data' is missing: an event to publish has a JSON value");
  publication.data = *data;
  publication.echo = event::bool_field(body, "echo", true);
  if (const std::size_t size = event::dump_json(*data).size(); size > options_.max_data.count()) {
    throw Error(ErrorCode::kTooLarge, "the data has " + std::to_string(size) + " bytes as JSON text, at most " +
                                          format_bytes(options_.max_data) + " can be published (--max-publish)");
  }
  return publication;
}

std::optional<PublishRoutes::Refused> PublishRoutes::refusal_of(const ServiceName& service, const auth::User& user,
                                                                const hub::ConnectionInfo& connection,
                                                                const Publication& publication) const {
  const auth::PublishAnswer answer = options_.access->ask(user, publication.channel);
  switch (answer.right) {
    case PublishRight::kAllowed:
      return std::nullopt;
    case PublishRight::kRefused:
      return Refused{"no-rule", 403, "pages may not publish to this channel"};
    case PublishRight::kSubscriber:
      if (std::ranges::find(connection.channels, publication.channel) != connection.channels.end()) return std::nullopt;
      return Refused{"not-subscribed", 403, "only streams that are in this channel may publish to it", answer.rule};
    case PublishRight::kApplication:
      break;
  }
  if (application_ == nullptr || !application_->decides_publications())
    return Refused{"application", 403, "no application decides about publications on this server", answer.rule};
  const std::string json = event::dump_json(publication.data);
  try {
    application_->on_publish({service, connection, publication.channel, publication.event, json,
                              publication.trace.traceparent, publication.trace.tracestate});
  } catch (const application::Refusal& e) {
    if (e.status() >= 500) throw;
    return Refused{"application", e.status(), e.what(), answer.rule};
  }
  return std::nullopt;
}

void PublishRoutes::refuse(const ServiceName& service, const Refused& refused, httplib::Response& res) const {
  count(service, refused.reason, refused.rule);
  res.status = refused.status;
  res.set_header("Cache-Control", "no-store");
  res.set_content(page_envelope(false, refused.status, {{"reason", refused.reason}}, printable(refused.sentence, 500)),
                  "application/json");
}

void PublishRoutes::count(const ServiceName& service, std::string_view reason, const std::string& rule) const {
  metrics_
      .counter("sse_publications_refused_total", "Events that pages could not publish, by reason and rule",
               {{"service", service.str()}, {"reason", std::string(reason)}, {"rule", rule}})
      .add();
}

observe::Counter& PublishRoutes::published(const ServiceName& service) const {
  return metrics_.counter("sse_publications_total", "Events that pages have published", {{"service", service.str()}});
}

}  // namespace sse::pages
