#include "admin/node_operations.h"

#include <algorithm>
#include <array>
#include <utility>

#include "admin/local_header.h"
#include "base/error.h"
#include "base/text.h"

namespace sse::admin {
namespace {

using cluster::AdminCommand;
using cluster::AdminReply;
using cluster::RawRequest;
using cluster::RawResponse;

// The first that matches counts.
constexpr std::array kOperations{
    NodeOperation{"connections", "GET", "/api/v1/connections"},
    NodeOperation{"closed-connections", "GET", "/api/v1/connections/closed"},
    NodeOperation{"close-connections", "POST", "/api/v1/connections/close"},
    NodeOperation{"connection", "GET", "/api/v1/connections/{}"},
    NodeOperation{"change-connection", "POST", "/api/v1/connections/{}"},
    NodeOperation{"users", "GET", "/api/v1/users"},
    NodeOperation{"user-ids", "GET", "/api/v1/user-ids"},
    NodeOperation{"user", "GET", "/api/v1/user"},
    NodeOperation{"tenants", "GET", "/api/v1/tenants"},
    NodeOperation{"channels", "GET", "/api/v1/channels"},
    NodeOperation{"channel", "GET", "/api/v1/channel"},
    NodeOperation{"tokens", "GET", "/api/v1/tokens"},
    NodeOperation{"explain", "GET", "/api/v1/explain"},
    NodeOperation{"durations", "GET", "/api/v1/durations"},
    NodeOperation{"set-durations", "POST", "/api/v1/durations"},
    NodeOperation{"clear-durations", "POST", "/api/v1/durations/clear"},
    NodeOperation{"message-trace", "GET", "/api/v1/messages/{}/trace"},
    NodeOperation{"messages", "GET", "/api/v1/messages"},
    NodeOperation{"delete-messages", "DELETE", "/api/v1/messages"},
    NodeOperation{"retry-message", "POST", "/api/v1/messages/{}/retry"},
    NodeOperation{"message", "GET", "/api/v1/messages/{}"},
    NodeOperation{"delete-message", "DELETE", "/api/v1/messages/{}"},
    NodeOperation{"export", "GET", "/api/v1/export"},
    NodeOperation{"dead-letters", "GET", "/api/v1/dead"},
    NodeOperation{"delete-dead-letters", "DELETE", "/api/v1/dead"},
    NodeOperation{"requeue-dead-letters", "POST", "/api/v1/dead/requeue"},
    NodeOperation{"drain", "POST", "/api/v1/nodes/drain"},
    NodeOperation{"undrain", "POST", "/api/v1/nodes/undrain"},
};

// The text before and behind the id; the path itself without one.
std::pair<std::string_view, std::string_view> around_id(std::string_view path) {
  const std::size_t hole = path.find("{}");
  if (hole == std::string_view::npos) return {path, {}};
  return {path.substr(0, hole), path.substr(hole + 2)};
}

bool has_id(const NodeOperation& operation) {
  return operation.path.find("{}") != std::string_view::npos;
}

// The JSON and the lines of an export are the only bodies of these operations.
constexpr const char* kJson = "application/json";
constexpr const char* kLines = "application/x-ndjson";
constexpr const char* kProblem = "application/problem+json";
constexpr const char* kComplete = "X-Sse-Complete";
constexpr const char* kLast = "X-Sse-Last-Id";
constexpr const char* kTotal = "X-Sse-Total";

}  // namespace

bool NodeOperation::matches(const RawRequest& request) const {
  if (request.method != method) return false;
  if (!has_id(*this)) return request.path == path;
  const auto [before, after] = around_id(path);
  return request.path.size() > before.size() + after.size() && request.path.starts_with(before) &&
         request.path.ends_with(after);
}

const NodeOperation* find_operation(const RawRequest& request) {
  const auto* const found =
      std::ranges::find_if(kOperations, [&](const NodeOperation& one) { return one.matches(request); });
  return found == kOperations.end() ? nullptr : found;
}

AdminCommand command_of(const NodeOperation& operation, const RawRequest& request, const std::string& peer) {
  AdminCommand command{std::string(operation.name), {}, peer, request.query, request.body};
  if (has_id(operation)) {
    const auto [before, after] = around_id(operation.path);
    command.id = request.path.substr(before.size(), request.path.size() - before.size() - after.size());
  }
  return command;
}

RawRequest request_of(const AdminCommand& command) {
  const auto* const operation = std::ranges::find(kOperations, command.operation, &NodeOperation::name);
  if (operation == kOperations.end()) {
    throw Error(ErrorCode::kInvalidArgument, "this node does not know the operation '" +
                                                 printable(command.operation, 60) +
                                                 "'; do all nodes run the same version?");
  }
  RawRequest request;
  request.method = operation->method;
  request.path = operation->path;
  if (has_id(*operation)) {
    // It becomes a part of a request's head.
    if (!parse_id(command.id))
      throw Error(ErrorCode::kInvalidArgument, "'" + printable(command.id, 60) + "' is not an id");
    const auto [before, after] = around_id(operation->path);
    request.path = std::string(before) + command.id + std::string(after);
  }
  request.query = command.parameters;
  request.headers = {{"Host", "localhost"}, {kLocalHeader, "1"}};
  if (!command.document.empty()) request.headers.emplace_back("Content-Type", kJson);
  request.body = command.document;
  return request;
}

AdminReply reply_of(RawResponse response) {
  AdminReply reply{response.status, {}, std::move(response.body)};
  if (const std::string complete = response.header(kComplete); response.status == 200 && !complete.empty()) {
    reply.export_end = {complete == "true", parse_id(response.header(kLast)).value_or(0),
                        parse_id(response.header(kTotal)).value_or(0)};
  }
  return reply;
}

RawResponse response_of(AdminReply reply) {
  const char* const type = reply.status >= 400 ? kProblem : reply.export_end ? kLines : kJson;
  return {reply.status, type, std::move(reply.document), {}};
}

}  // namespace sse::admin
