#include "pages/connect_route.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/url.h"
#include "net/http_front.h"
#include "pages/connect_parameters.h"

namespace sse::pages {
namespace {

constexpr const char* kStreamType = "text/event-stream;charset=UTF-8";

}  // namespace

void ConnectRoute::connect(const application::Service& service, const httplib::Request& req,
                           httplib::Response& res) const {
  if (draining_.load(std::memory_order_relaxed)) throw Error(ErrorCode::kUnavailable, "this server is shutting down");
  admission_.require_origin(req, OriginPolicy::Access::kRead);
  std::optional<auth::User> user;
  std::string reason;
  try {
    user = admission_.authenticate(req);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kUnauthenticated) throw;
    reason = e.what();
  }
  if (!user) {
    res.status = 401;
    res.set_header("WWW-Authenticate", bearer_challenge(reason));  // required by RFC 9110 §15.5.2
    res.set_header("Connection", "close");
    return;
  }
  hub::NewConnection new_connection = read_connection(
      req, std::move(*user), {admission_.client_address(req), keepalive_, service.sender->clock().wall_now()});
  // HEAD opens no stream.
  const bool opens = req.method != "HEAD";
  if (opens && service.sender->hub().was_closed_by_server(new_connection)) {
    res.status = 204;
    return;
  }
  if (opens && application_ != nullptr && application_->decides_connects()) call_on_connect(service, new_connection);

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

void ConnectRoute::call_on_connect(const application::Service& service, hub::NewConnection& new_connection) const {
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

}  // namespace sse::pages
