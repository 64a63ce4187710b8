#include "pages/connect_route.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/tickets.h"
#include "base/error.h"
#include "base/url.h"
#include "net/http_front.h"
#include "pages/connect_parameters.h"
#include "pages/page_envelope.h"

namespace sse::pages {
namespace {

constexpr const char* kStreamType = "text/event-stream;charset=UTF-8";

// `why`: empty if there are no credentials.
void refuse_sender(httplib::Response& res, ConnectRefusal& refusal, std::string_view reason, std::string_view why) {
  refusal.reason = reason;
  refusal.sentence = why.empty() ? kNotAuthenticated : why;
  res.status = 401;
  res.set_header("WWW-Authenticate", bearer_challenge(why));
  res.set_header("Connection", "close");
}

void stream_headers(httplib::Response& res) {
  res.set_header("Cache-Control", "no-cache, no-transform");
  res.set_header("X-Accel-Buffering", "no");
}

}  // namespace

void ConnectRoute::connect(const application::Service& service, const httplib::Request& req,
                           httplib::Response& res) const {
  ConnectRefusal refusal{.service = service.sender->service(),
                         .address = admission_.client_address(req),
                         .query = without_tickets(query_of(req.target))};
  // A probe is not a second try.
  const auto note = [&](int status, std::string sentence) {
    if (req.method == "HEAD" || refusal.reason.empty()) return;
    refusal.status = status;
    refusal.sentence = std::move(sentence);
    refusals_.note(std::move(refusal));
  };
  try {
    if (const std::string secret = req.get_header_value(kCanaryHeader); !secret.empty()) {
      open_canary(secret, req, res, refusal);
    } else {
      open(service, req, res, refusal);
    }
  } catch (const application::Refusal& e) {
    note(e.status(), e.what());
    throw;
  } catch (const Error& e) {
    note(http_status(e.code()), e.what());
    throw;
  }
  if (res.status == 401) note(401, refusal.sentence);
  if (res.status == 204) note(204, "the server has closed the stream of this client");
}

void ConnectRoute::open(const application::Service& service, const httplib::Request& req, httplib::Response& res,
                        ConnectRefusal& refusal) const {
  refusal.reason = "draining";
  if (draining_.load(std::memory_order_relaxed)) throw Error(ErrorCode::kUnavailable, "this server is shutting down");
  refusal.reason = "origin";
  admission_.require_origin(req, OriginPolicy::Access::kRead);
  std::optional<AdmittedSender> sender;
  try {
    refusal.reason = "authentication-failed";
    sender = admission_.authenticate(req);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kUnauthenticated) throw;
    return refuse_sender(res, refusal, e.what() == kTicketRefused ? "invalid-ticket" : "invalid-token", e.what());
  }
  if (!sender) return refuse_sender(res, refusal, "unauthenticated", "");
  if (!sender->ticket.empty() && sender->ticket_service != service.sender->service()) {
    admission_.tickets()->count_refused("service");
    return refuse_sender(res, refusal, "invalid-ticket", kTicketOfOtherService);
  }
  refusal.identity = sender->user.identity;
  refusal.reason = "parameters";
  auth::User asking;
  asking.identity = sender->user.identity;
  asking.channels = std::move(sender->user.channels);
  hub::NewConnection new_connection =
      read_connection(req, std::move(sender->user), {refusal.address, keepalive_, service.sender->clock().wall_now()});
  const bool opens = req.method != "HEAD";
  if (opens && service.sender->hub().was_closed_by_server(new_connection)) {
    refusal.reason = "closed";
    res.status = 204;
    return;
  }
  refusal.reason = "application";
  std::vector<ChannelName> names;
  for (const hub::JoinedChannel& channel : new_connection.channels) names.push_back(channel.name);
  ChannelGate::Request channels = channels_.ask(asking, names);
  ChannelGate::Placed placed;
  if (!names.empty()) placed.first = names.front();
  if (application_ != nullptr && application_->decides_connects())
    placed = call_on_connect(service, req, new_connection, channels.channels);
  ChannelGate::decide(channels, placed, new_connection);

  // Last: a request that is refused leaves the ticket to the next one.
  if (opens && !sender->ticket.empty() && !redeem(service, sender->ticket, new_connection))
    return refuse_sender(res, refusal, "invalid-ticket", kTicketRefused);
  if (opens && !sender->ticket.empty()) new_connection.granted_channels = std::move(asking.channels);
  if (opens) {
    channels_.note(service.sender->service(), channels, new_connection.refused_channels, new_connection.identity.user,
                   new_connection.attributes.address);
  }

  stream_headers(res);
  const auto shared = std::make_shared<hub::NewConnection>(std::move(new_connection));
  net::HttplibApp::hand_over(req, res, kStreamType, [&service, shared](net::HandedOverConnection connection) {
    shared->socket = std::move(connection.socket);
    shared->response_head = std::move(connection.head.bytes);
    shared->chunked = connection.head.chunked;
    shared->ticket = std::move(connection.ticket);
    shared->counted = std::move(connection.counted);
    service.sender->connect(std::move(*shared));
  });
}

// That the canary of another node comes to one that drains is no refusal of a user.
void ConnectRoute::open_canary(const std::string& secret, const httplib::Request& req, httplib::Response& res,
                               ConnectRefusal& refusal) const {
  if (draining_.load(std::memory_order_relaxed)) throw Error(ErrorCode::kUnavailable, "this server is shutting down");
  refusal.reason = "canary";
  if (canary_ == nullptr)
    throw Error(ErrorCode::kUnauthenticated,
                "this server has no canary and is in no cluster whose nodes could have one");
  const unsigned node = canary_->node_of(secret);
  stream_headers(res);
  net::HttplibApp::hand_over(req, res, kStreamType, [this, node](net::HandedOverConnection connection) {
    canary_->connect(node, std::move(connection));
  });
}

bool ConnectRoute::redeem(const application::Service& service, const std::string& ticket,
                          hub::NewConnection& new_connection) const {
  auth::Tickets& tickets = *admission_.tickets();
  if (!tickets.redeem(ticket, service.sender->service())) {
    tickets.count_refused("invalid");
    return false;
  }
  if (!new_connection.id.valid()) new_connection.id = service.sender->hub().reserve_id();
  new_connection.request_key = tickets.make_request_key(new_connection.id, new_connection.identity);
  return true;
}

ChannelGate::Placed ConnectRoute::call_on_connect(const application::Service& service, const httplib::Request& req,
                                                  hub::NewConnection& new_connection,
                                                  std::vector<RequestedChannel>& channels) const {
  new_connection.id = service.sender->hub().reserve_id();
  std::string channel = new_connection.channels.empty() ? "" : new_connection.channels.front().name.str();
  std::vector<std::pair<std::string, std::string>> more;
  std::chrono::milliseconds keepalive = new_connection.keepalive;
  const std::unique_ptr<auth::PageRequest> page = admission_.page_request(req);
  application::ConnectRequest request{service.sender->service(),
                                      new_connection.id,
                                      new_connection.identity,
                                      new_connection.attributes,
                                      new_connection.listeners,
                                      keepalive,
                                      new_connection.attributes.profile,
                                      channel,
                                      more,
                                      req.method == "HEAD",
                                      std::move(channels),
                                      {},
                                      page.get()};
  application_->on_connect(request);
  channels = std::move(request.channels);
  set_keepalive(new_connection, keepalive);
  std::string& query = new_connection.attributes.query;
  for (const auto& [name, value] : more) append_parameter(query, name, value);
  check_stored_sizes(new_connection);
  if (query.size() > 2 * net::kMaxHead)
    throw Error(ErrorCode::kTooLarge, "the connection's parameters and attributes are larger than 32 KiB");
  ChannelGate::Placed placed{ChannelName(checked_name(std::move(channel), "channel")), std::move(request.join)};
  for (const ChannelName& joined : placed.joined) checked_name(joined.str(), "channel");
  return placed;
}

}  // namespace sse::pages
