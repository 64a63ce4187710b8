#include "api/client.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "api/transport.h"
#include "base/error.h"
#include "base/url.h"

namespace sse::api {
namespace {

std::string path_with(std::string path, const QueryParameters& parameters) {
  if (!parameters.empty()) path += '?' + form_encode(parameters);
  return path;
}

Transport::Headers trace_header(const std::string& traceparent) {
  return traceparent.empty() ? Transport::Headers() : Transport::Headers{{"traceparent", traceparent}};
}

}  // namespace

Client::Client(ClientOptions options) : transport_(std::make_unique<Transport>(std::move(options))) {}
Client::~Client() = default;

Json Client::status() {
  return transport_->call("GET", "/api/v1/status");
}

Json Client::send(const SendRequest& request) {
  const Json body = to_json(request);
  return transport_->call("POST", "/api/v1/send", &body, trace_header(request.traceparent));
}

Json Client::list_connections(const ConnectionQuery& query, const Page& page) {
  return transport_->call("GET", path_with("/api/v1/connections", parameters(query, page)));
}

Json Client::list_closed(const ClosedQuery& query, const Page& page) {
  return transport_->call("GET", path_with("/api/v1/connections/closed", parameters(query, page)));
}

Json Client::show_connection(ConnectionId id, const ServiceName& service) {
  QueryParameters query;
  if (!service.empty()) query.emplace_back("service", service.str());
  return transport_->call("GET", path_with("/api/v1/connections/" + id.str(), query));
}

Json Client::change_connection(const ChangeRequest& request) {
  const Json body = to_json(request);
  QueryParameters query;
  if (!request.service.empty()) query.emplace_back("service", request.service.str());
  return transport_->call("POST", path_with("/api/v1/connections/" + request.id.str(), query), &body);
}

Json Client::close_connections(const CloseRequest& request) {
  const Json body = to_json(request);
  return transport_->call("POST", "/api/v1/connections/close", &body);
}

Json Client::list_users(const ConnectionQuery& query, const Page& page) {
  return transport_->call("GET", path_with("/api/v1/users", parameters(query, page)));
}

Json Client::list_user_ids(const ConnectionQuery& query, const Page& page) {
  return transport_->call("GET", path_with("/api/v1/user-ids", parameters(query, page)));
}

Json Client::list_names(event::TargetKind kind, const ConnectionQuery& query, const Page& page) {
  return transport_->call("GET",
                          path_with("/api/v1/" + std::string(event::kind_name(kind)) + "s", parameters(query, page)));
}

Json Client::show_channel(const ChannelName& channel, const ServiceName& service) {
  QueryParameters query{{"name", channel.str()}};
  if (!service.empty()) query.emplace_back("service", service.str());
  return transport_->call("GET", path_with("/api/v1/channel", query));
}

Json Client::show_user(const UserId& user, const ServiceName& service) {
  QueryParameters query{{"id", user.str()}};
  if (!service.empty()) query.emplace_back("service", service.str());
  return transport_->call("GET", path_with("/api/v1/user", query));
}

Json Client::explain(const ExplainQuery& query, const Page& page) {
  return transport_->call("GET", path_with("/api/v1/explain", parameters(query, page)));
}

Json Client::explain_channels(const ChannelQuery& query) {
  const Json body = to_json(query);
  return transport_->call("POST", "/api/v1/channels/explain", &body);
}

Json Client::read_durations(const DurationQuery& query) {
  return transport_->call("GET", path_with("/api/v1/durations", parameters(query)));
}

Json Client::create_ticket(const TicketRequest& request) {
  const Json body = to_json(request);
  return transport_->call("POST", "/api/v1/tickets", &body);
}

Json Client::set_durations(const DurationRequest& request) {
  const Json body = to_json(request, true);
  return transport_->call("POST", "/api/v1/durations", &body);
}

Json Client::clear_durations(const DurationRequest& request) {
  const Json body = to_json(request, false);
  return transport_->call("POST", "/api/v1/durations/clear", &body);
}

Json Client::list_nodes() {
  return transport_->call("GET", "/api/v1/nodes");
}

Json Client::drain_node(const std::string& node, std::uint64_t rate) {
  const Json body{{"node", node}, {"rate", rate}};
  return transport_->call("POST", "/api/v1/nodes/drain", &body);
}

Json Client::undrain_node(const std::string& node) {
  const Json body{{"node", node}};
  return transport_->call("POST", "/api/v1/nodes/undrain", &body);
}

std::vector<Json> Client::send_lines(const std::string& ndjson, const std::string& traceparent) {
  const Transport::Lines answers = transport_->call_lines("POST", "/api/v1/send", ndjson, trace_header(traceparent));
  std::vector<Json> list;
  std::string_view rest = answers.text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    list.push_back(event::parse_json(rest.substr(0, end), "the answer"));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return list;
}

Json Client::list_messages(const MessageQuery& query, const Page& page) {
  return transport_->call("GET", path_with("/api/v1/messages", parameters(query, page)));
}

Json Client::show_message(MessageId id) {
  return transport_->call("GET", "/api/v1/messages/" + id.str());
}

Json Client::delete_message(MessageId id) {
  return transport_->call("DELETE", "/api/v1/messages/" + id.str());
}

Json Client::list_events(const EventQuery& query) {
  return transport_->call("GET", path_with("/api/v1/events", parameters(query)));
}

void Client::follow_events(const EventQuery& query, const std::function<bool(const Json&)>& on_event,
                           const std::function<void(const std::string& cursor)>& on_open) {
  QueryParameters all = parameters(query);
  all.emplace_back("follow", "true");
  transport_->follow(path_with("/api/v1/events", all), on_event, on_open);
}

Json Client::purge_messages(const MessageQuery& query) {
  return transport_->call("DELETE", path_with("/api/v1/messages", parameters(query)));
}

Json Client::retry_message(MessageId id) {
  return transport_->call("POST", "/api/v1/messages/" + id.str() + "/retry");
}

Json Client::trace_message(MessageId id) {
  return transport_->call("GET", "/api/v1/messages/" + id.str() + "/trace");
}

Client::ExportPage Client::export_messages(const MessageQuery& query, MessageId after, bool dead) {
  QueryParameters list = parameters(query);
  if (dead) list.emplace_back("dead", "true");
  if (after.valid()) list.emplace_back("after", after.str());
  Transport::Lines lines = transport_->call_lines("GET", path_with("/api/v1/export", list), "");
  ExportPage page;
  page.lines = std::move(lines.text);
  page.last = MessageId(parse_id(lines.header("X-Sse-Last-Id")).value_or(0));
  const std::string complete = lines.header("X-Sse-Complete");
  // Older servers without that header end with an empty page.
  page.complete = complete.empty() ? page.lines.empty() : complete == "true";
  if (!page.complete && page.last <= after)
    throw Error(ErrorCode::kUnavailable, "the server reports that more messages follow, but not after which one");
  if (const std::string total = lines.header("X-Sse-Total"); !total.empty()) page.total = parse_id(total).value_or(0);
  page.expired = parse_id(lines.header("X-Sse-Expired")).value_or(0);
  page.damaged = parse_id(lines.header("X-Sse-Damaged")).value_or(0);
  page.missing = lines.headers_named("X-Sse-Missing");
  return page;
}

Json Client::list_dead(const MessageQuery& query, const Page& page) {
  return transport_->call("GET", path_with("/api/v1/dead", parameters(query, page)));
}

Json Client::requeue_dead(MessageId id, const MessageQuery& query) {
  QueryParameters list = parameters(query);
  if (id.valid()) list.emplace_back("id", id.str());
  return transport_->call("POST", path_with("/api/v1/dead/requeue", list));
}

Json Client::purge_dead(MessageId id, const MessageQuery& query) {
  QueryParameters list = parameters(query);
  if (id.valid()) list.emplace_back("id", id.str());
  return transport_->call("DELETE", path_with("/api/v1/dead", list));
}

}  // namespace sse::api
