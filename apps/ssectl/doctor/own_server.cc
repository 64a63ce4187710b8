#include "ssectl/doctor/own_server.h"

#include <chrono>
#include <random>
#include <utility>

#include "base/url.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

constexpr std::string_view kEvent = "ssectl-doctor";

}  // namespace

// A name that no user of the site has.
OwnServer::OwnServer(api::Client& client, ServiceName service)
    : client_(client), service_(std::move(service)), user_("ssectl-doctor-" + std::to_string(std::random_device{}())) {}

std::string OwnServer::stream_query(std::string_view client_id) {
  api::TicketRequest request;
  request.service = service_;
  request.user = user_;
  request.ttl = std::chrono::seconds(30);
  std::string query;
  append_parameter(query, "ticket", text_cell(client_.create_ticket(request), "ticket"));
  append_parameter(query, "clientId", client_of(client_id));
  return query;
}

std::uint64_t OwnServer::send(const std::string& data, const std::string& name) {
  api::SendRequest request;
  request.service = service_;
  request.target = event::Target::user(UserId(user_));
  request.event = name.empty() ? std::string(kEvent) : name;
  request.data = data;
  return count_in(client_.send(request), "delivered");
}

std::optional<api::Json> OwnServer::find(std::string_view client_id) {
  api::ConnectionQuery query;
  query.service = service_;
  query.user = user_;
  query.client = client_of(client_id);
  const api::Json page = client_.list_connections(query, {});
  const api::Json& list = page.at("list");
  if (list.empty()) return std::nullopt;
  return list.front();
}

std::string OwnServer::client_of(std::string_view client_id) const {
  return user_ + '-' + std::string(client_id);
}

}  // namespace sse::ctl
