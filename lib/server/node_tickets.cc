#include "server/node_tickets.h"

#include <utility>

#include "base/error.h"
#include "cluster/core/topics.h"
#include "cluster/core/typed_json.h"
#include "event/json.h"

namespace sse::server {
namespace {

using cluster::AdminCommand;
using cluster::AdminReply;
using event::Json;

// On the wire: never changed, never used for something else. Unlike those of admin/node_operations.h they are no
// requests to the admin API, so that no operator can redeem the ticket of a user.
constexpr const char* kFindTicket = "find-ticket";
constexpr const char* kTakeTicket = "take-ticket";
constexpr const char* kCheckRequestKey = "check-request-key";

constexpr std::size_t kMaxTicketReply = std::size_t{64} << 10;

// A node that is too busy or of an older version, or a reply that no node sends.
[[noreturn]] void refuse_ticket_reply(const std::string& what, const AdminReply& reply) {
  throw Error(ErrorCode::kUnavailable, "the node that has " + what + " did not answer with one (status " +
                                           std::to_string(reply.status) + "); try again");
}

Json ask_node(cluster::Cluster& cluster, unsigned node, const AdminCommand& command, const std::string& what) {
  AdminReply reply;
  try {
    reply = cluster.pass_on(node, command);
  } catch (const Error& e) {
    throw Error(e.code(), "cannot ask the node that has " + what + ": " + e.what());
  }
  if (reply.status != 200) refuse_ticket_reply(what, reply);
  const auto json = cluster::read_json(reply.document, kMaxTicketReply);
  if (!json || !json->is_object()) refuse_ticket_reply(what, reply);
  return *json;
}

}  // namespace

std::optional<std::string> MeshTickets::find(const store::TicketKey& key) {
  return cluster_.is_other(key.node) ? ask(kFindTicket, key) : own_.find(key);
}

std::optional<std::string> MeshTickets::take(const store::TicketKey& key) {
  return cluster_.is_other(key.node) ? ask(kTakeTicket, key) : own_.take(key);
}

std::optional<std::string> MeshTickets::ask(const char* operation, const store::TicketKey& key) {
  AdminCommand command{operation};
  command.document = event::dump_json({{"digest", key.digest}});
  const Json reply = ask_node(cluster_, key.node, command, "the ticket");
  const auto value = reply.find("value");
  if (value == reply.end() || !value->is_string()) return std::nullopt;
  return value->get<std::string>();
}

bool made_elsewhere(cluster::Cluster& cluster, ConnectionId connection, const std::string& request_key) {
  const unsigned node = cluster::node_of_id(connection.value());
  if (!cluster.is_other(node)) return false;
  AdminCommand command{kCheckRequestKey};
  command.document = event::dump_json({{"key", request_key}});
  return cluster::flag_in(ask_node(cluster, node, command, "the request key"), "made");
}

std::optional<AdminReply> TicketOperations::operator()(const AdminCommand& command) const {
  const bool take = command.operation == kTakeTicket;
  const bool check = command.operation == kCheckRequestKey;
  if (!take && !check && command.operation != kFindTicket) return std::nullopt;
  try {
    const auto request = cluster::read_json(command.document, kMaxTicketReply);
    if (!request || !request->is_object())
      throw Error(ErrorCode::kInvalidArgument, "a question of another node about a ticket is invalid");
    if (check) {
      const bool made = tickets_.made(event::string_field(*request, "key"));
      return AdminReply{200, {}, event::dump_json(Json{{"made", made}})};
    }
    const store::TicketKey key{node_, event::string_field(*request, "digest")};
    auto value = take ? store_.take(key) : store_.find(key);
    return AdminReply{200, {}, event::dump_json(value ? Json{{"value", std::move(*value)}} : Json::object())};
  } catch (const Error& e) {
    return cluster::refusal_reply(e.code(), e.what());
  }
}

}  // namespace sse::server
