#include "admin/cluster_admin.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <deque>
#include <iterator>
#include <random>
#include <set>
#include <utility>

#include "api/types.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "cluster/core/raw_http.h"
#include "cluster/core/topics.h"
#include "cluster/core/typed_json.h"
#include "cluster/core/wire.h"

namespace sse::admin {
namespace {

using cluster::ListRule;
using cluster::RawRequest;
using cluster::RawResponse;
using event::Json;

// Maximum depth of a page in a merged list: each node has to send all rows before it.
constexpr std::uint64_t kMaxDepth = 200'000;
// Rows of connections are long, and by default Redis disconnects a subscriber with more than 32 MB of pending output.
constexpr std::uint64_t kMaxRows = 2000;
// Bytes of names in one request to all nodes.
constexpr std::size_t kPieceBytes = std::size_t{128} << 10;
constexpr std::size_t kIdBytes = 23;
constexpr std::uint64_t kMaxCounted = 1'000'000'000'000;

// A field that rows have only while they are sorted.
constexpr const char* kRate = "eventRate";
constexpr std::string_view kExplain = "/api/v1/explain";
constexpr std::string_view kExport = "/api/v1/export";
constexpr std::string_view kClose = "/api/v1/connections/close";
constexpr std::string_view kDurations = "/api/v1/durations";

// Hashes identify equal tokens and users across nodes. Their key is new for each request: see key_parameter().
constexpr const char* kKeyField = "key";
constexpr const char* kUserKeysField = "userKeys";

struct Sorting {
  std::string_view name;
  const char* field;
};
struct ListRoute {
  std::string_view path;
  const char* key;                   // "": rows are never equal
  std::array<Sorting, 10> sortings;  // the first is the default
  bool newest_first = false;
};
constexpr ListRoute kLists[] = {
    {"/api/v1/connections",
     "",
     {{{"created", "id"},
       {"user", "accessUserId"},
       {"tenant", "accessTenantId"},
       {"channel", "channel"},
       {"messages", "messageCount"},
       {"bytes", "bytesSent"},
       {"backlog", "backlogBytes"},
       {"lastWrite", "lastWriteTime"},
       {"lastRequest", "lastRequestTime"},
       {"rate", kRate}}}},
    {"/api/v1/connections/closed", "", {{{"", "closeTime"}}}, true},
    {"/api/v1/users",
     "id",
     {{{"id", "id"}, {"connections", "connections"}, {"first", "firstConnectTime"}, {"last", "lastConnectTime"}}}},
    {"/api/v1/user-ids", "id", {{{"id", "id"}}}},
    {"/api/v1/tenants",
     "name",
     {{{"name", "name"},
       {"connections", "connections"},
       {"users", "users"},
       {"first", "firstConnectTime"},
       {"last", "lastConnectTime"}}}},
    {"/api/v1/channels",
     "name",
     {{{"name", "name"},
       {"connections", "connections"},
       {"users", "users"},
       {"first", "firstConnectTime"},
       {"last", "lastConnectTime"}}}},
    // Tokens are masked, so that two of them may look the same.
    {"/api/v1/tokens",
     kKeyField,
     {{{"name", "name"},
       {"connections", "connections"},
       {"users", "users"},
       {"first", "firstConnectTime"},
       {"last", "lastConnectTime"}}}},
};

struct ObjectRoute {
  std::string_view method;
  std::string_view path;
};
constexpr ObjectRoute kObjects[] = {
    {"POST", kClose},
    {"GET", "/api/v1/user"},
    {"GET", kDurations},
    {"POST", kDurations},
    {"POST", "/api/v1/durations/clear"},
};

// Merged only if each node has its own store.
constexpr ListRoute kStoreLists[] = {{"/api/v1/messages", "", {{{"id", "id"}}}},
                                     {"/api/v1/dead", "", {{{"died", "diedTime"}}}}};

constexpr std::string_view kConnection = "/api/v1/connections/";
// Nodes may share the messages, but each node has its own trace of them.
constexpr std::string_view kMessage = "/api/v1/messages/";

// 0 for an invalid number; the route then reports the error.
std::uint64_t page_number(const RawRequest& request, const char* name, std::uint64_t fallback) {
  const std::string text = request.parameter(name);
  if (text.empty()) return fallback;
  std::uint64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && stop == text.data() + text.size() && number <= 1'000'000'000'000 ? number : 0;
}

// Nullopt for a response that a correct node does not send: every document is an object, and a list in it holds objects
// or names.
std::optional<Json> document(const RawResponse& response) {
  if (response.status != 200) return std::nullopt;
  std::optional<Json> json = cluster::read_json(response.body, cluster::kMaxNodeDocument);
  if (!json || !json->is_object()) return std::nullopt;
  if (const auto list = json->find("list"); list != json->end()) {
    if (!list->is_array()) return std::nullopt;
    for (const Json& row : *list) {
      if (!row.is_object() && !row.is_string()) return std::nullopt;
    }
  }
  return json;
}

bool is_trace(const RawRequest& request) {
  return request.path.starts_with(kMessage) && request.path.ends_with("/trace");
}

RawResponse problem_response(ErrorCode code, const std::string& sentence) {
  return {http_status(code), "application/problem+json",
          event::dump_json({{"type", "about:blank"},
                            {"title", code == ErrorCode::kTimeout ? "Gateway Timeout" : "Error"},
                            {"status", http_status(code)},
                            {"code", error_name(code)},
                            {"detail", printable(sentence, 1000)}})};
}

// Adds the rate that nodes sort by: events per time that the stream has been open.
void note_rates(Json& rows, WallTime at) {
  const std::int64_t now = to_millis(at);
  for (Json& row : rows) {
    if (!row.is_object()) continue;
    const std::int64_t created = std::clamp<std::int64_t>(cluster::number_in(row, "createTime", now), 0, now);
    const auto age = std::max<std::int64_t>(now - created, 1000);
    const std::uint64_t count = std::min(cluster::count_in(row, "messageCount"), kMaxCounted);
    row[kRate] = count * 1'000'000 / static_cast<std::uint64_t>(age);
  }
}

bool counts_users(std::string_view path) {
  return path == "/api/v1/tenants" || path == "/api/v1/channels" || path == "/api/v1/tokens";
}

// A random key, so that hashes of different responses cannot be compared.
std::string key_parameter() {
  std::random_device random;
  std::string key;
  for (int i = 0; i < 4; ++i) key += std::to_string(random());
  return key;
}

// Nullopt for an invalid page; the route then reports the error.
std::optional<ListRule> rule_of(const ListRoute& route, const RawRequest& request) {
  ListRule rule;
  rule.key = route.key;
  if (counts_users(route.path)) {
    rule.set = kUserKeysField;
    rule.count = "users";
  }
  rule.page = page_number(request, "pageNum", 1);
  rule.size = page_number(request, "pageSize", 100);
  if (rule.page == 0 || rule.size == 0 || rule.size > api::kMaxPageSize) return std::nullopt;
  const std::string sort = request.parameter("sort");
  rule.tie = route.sortings.front().field;
  rule.sort = rule.tie;
  for (const Sorting& sorting : route.sortings) {
    if (!sorting.name.empty() && sorting.name == sort) rule.sort = sorting.field;
  }
  rule.descending = route.newest_first || request.parameter("order") == "desc";
  return rule;
}

// Adds the nodes that did not reply, including those that the responses of other nodes list as missing.
RawResponse merged_response(Json merged, const std::vector<std::string>& missing) {
  std::set<std::string> all(missing.begin(), missing.end());
  if (const auto theirs = merged.find("missing"); theirs != merged.end() && theirs->is_array()) {
    for (const Json& node : *theirs) {
      if (node.is_string()) all.insert(node.text());
    }
  }
  if (!all.empty()) merged["missing"] = std::vector<std::string>(all.begin(), all.end());
  return {200, "application/json", event::dump_json(merged)};
}

}  // namespace

ClusterAdmin::NodeReplies ClusterAdmin::query_nodes(const RawRequest& request, const net::Peer& peer) {
  const std::string text = request.text();
  RawRequest without_token = request;
  without_token.remove_header("Authorization");
  const auto call = cluster_.pass_on({cluster::RequestEntry::kAdmin, peer.address, without_token.text()});
  NodeReplies replies;
  replies.own = RawResponse::parse(app_.process_locally(text, peer, true).bytes);
  if (auto mine = document(replies.own)) replies.documents.push_back(std::move(*mine));
  cluster::Cluster::Responses others = cluster_.finish(*call);
  for (const auto& [node, bytes] : others.responses) {
    const RawResponse response = RawResponse::parse(bytes);
    if (auto theirs = document(response)) {
      replies.documents.push_back(std::move(*theirs));
    } else if (response.status != 404 && (response.status == 200 || response.status != replies.own.status)) {
      // Malformed responses count as missing, too.
      others.missing.push_back(node);
    }
  }
  std::ranges::sort(others.missing);
  replies.missing = std::move(others.missing);
  return replies;
}

RawResponse ClusterAdmin::list(const RawRequest& request, const net::Peer& peer, ListRule rule) {
  const std::uint64_t needed = rule.page * rule.size;
  if (needed > kMaxDepth) {
    return problem_response(ErrorCode::kInvalidArgument, "that page begins past entry " + std::to_string(kMaxDepth) +
                                                             ", the limit in a cluster; narrow the list with a filter");
  }
  // Rows that may be equal have to be merged, so all are fetched, in the largest pages a node sends.
  const std::uint64_t most = rule.key.empty() ? std::min(needed, kMaxRows) : api::kMaxPageSize;
  std::vector<Json> documents;
  std::set<std::string> missing;
  const std::string keys = rule.set.empty() ? "" : key_parameter();
  for (std::uint64_t round = 1; round == 1 || (round - 1) * most < needed; ++round) {
    RawRequest part = request;
    part.set_parameter("pageNum", std::to_string(round));
    part.set_parameter("pageSize", std::to_string(most));
    if (!keys.empty()) {
      part.set_parameter("keys", keys);
      part.set_header(kLocalHeader, "1");
    }
    NodeReplies replies = query_nodes(part, peer);
    if (replies.own.status != 200) return replies.own;
    missing.insert(replies.missing.begin(), replies.missing.end());
    bool more = false;
    for (Json& one : replies.documents) {
      const bool full = one.contains("list") && one["list"].size() >= most;
      more = more || full;
      // A node's total counts once.
      if (round > 1) one["total"] = 0;
      if (rule.sort == kRate && one.contains("list")) note_rates(one["list"], cluster_.options().clock->wall_now());
      documents.push_back(std::move(one));
    }
    if (!more) break;
  }
  Json merged = cluster::merge_lists(documents, rule);
  if (!keys.empty()) {
    for (Json& row : merged["list"]) {
      if (row.is_object()) row.erase(kKeyField);
    }
  }
  if (rule.sort == kRate) {
    for (Json& row : merged["list"]) {
      if (row.is_object()) row.erase(kRate);
    }
  }
  return merged_response(std::move(merged), {missing.begin(), missing.end()});
}

std::optional<RawResponse> ClusterAdmin::explain(const RawRequest& request, const net::Peer& peer) {
  const std::uint64_t page = page_number(request, "pageNum", 1);
  const std::uint64_t size = page_number(request, "pageSize", 100);
  if (page == 0 || size == 0 || size > api::kMaxPageSize) return std::nullopt;
  RawRequest all = request;
  all.set_parameter("pageNum", "1");
  all.set_parameter("pageSize", std::to_string(api::kMaxPageSize));
  const NodeReplies replies = query_nodes(all, peer);
  if (replies.own.status != 200) return replies.own;
  return merged_response(cluster::merge_explanations(replies.documents, page, size), replies.missing);
}

namespace {

// The replies of all nodes to one export request. Each line of them begins with the id of its message.
struct ExportParts {
  // The merged page ends at the lowest last id of the nodes that have more messages.
  std::uint64_t through = UINT64_MAX;
  std::uint64_t last = 0;
  std::uint64_t total = 0;
  std::vector<std::pair<std::uint64_t, std::string_view>> lines;  // views into `bodies`
  std::deque<std::string> bodies;

  // False if the response is not a page of an export.
  bool add(RawResponse response) {
    const std::string complete = response.header("X-Sse-Complete");
    if (response.status != 200 || complete.empty()) return false;
    const std::uint64_t end = parse_id(response.header("X-Sse-Last-Id")).value_or(0);
    if (complete != "true") through = std::min(through, end);
    last = std::max(last, end);
    total += parse_id(response.header("X-Sse-Total")).value_or(0);
    bodies.push_back(std::move(response.body));
    std::string_view rest = bodies.back();
    while (!rest.empty()) {
      const std::size_t stop = std::min(rest.find('\n'), rest.size());
      const std::string_view line = rest.substr(0, stop);
      rest.remove_prefix(std::min(stop + 1, rest.size()));
      const std::size_t blank = std::min(line.find(' '), line.size());
      if (const auto id = parse_id(line.substr(0, blank)); id && blank < line.size())
        lines.emplace_back(*id, line.substr(blank + 1));
    }
    return true;
  }
};

}  // namespace

RawResponse ClusterAdmin::export_page(const RawRequest& request, const net::Peer& peer) {
  RawRequest part = request;
  part.set_parameter("ids", "true");
  const std::string text = part.text();
  part.remove_header("Authorization");
  const auto call = cluster_.pass_on({cluster::RequestEntry::kAdmin, peer.address, part.text()});
  RawResponse own = RawResponse::parse(app_.process_locally(text, peer, true).bytes);
  cluster::Cluster::Responses others = cluster_.finish(*call);
  ExportParts parts;
  RawResponse page{200, own.type, "", {}};
  if (!parts.add(own)) return own;
  for (const auto& [node, bytes] : others.responses) {
    RawResponse theirs = RawResponse::parse(bytes);
    // 404: the node does not host this service and has no messages of it.
    if (theirs.status != 404 && !parts.add(std::move(theirs))) others.missing.push_back(node);
  }
  std::ranges::stable_sort(parts.lines, {}, &std::pair<std::uint64_t, std::string_view>::first);
  std::uint64_t expired = 0;
  std::uint64_t damaged = 0;
  for (const auto& [id, line] : parts.lines) {
    if (id > parts.through) break;
    if (line == "expired") {
      ++expired;
    } else if (line == "damaged") {
      ++damaged;
    } else {
      page.body.append(line).append(1, '\n');
    }
  }
  const bool complete = parts.through == UINT64_MAX;
  const std::uint64_t last = complete ? parts.last : parts.through;
  if (last != 0) page.headers.emplace_back("X-Sse-Last-Id", std::to_string(last));
  page.headers.emplace_back("X-Sse-Complete", complete ? "true" : "false");
  if (request.parameter("after").empty()) page.headers.emplace_back("X-Sse-Total", std::to_string(parts.total));
  page.headers.emplace_back("X-Sse-Expired", std::to_string(expired));
  page.headers.emplace_back("X-Sse-Damaged", std::to_string(damaged));
  std::ranges::sort(others.missing);
  for (const std::string& node : others.missing) page.headers.emplace_back("X-Sse-Missing", node);
  return page;
}

// Each node records the steps that happened there.
RawResponse ClusterAdmin::trace(const RawRequest& request, const net::Peer& peer) {
  const NodeReplies replies = query_nodes(request, peer);
  if (replies.own.status != 200 && replies.own.status != 404) return replies.own;
  if (replies.documents.empty()) return replies.own;
  return merged_response(cluster::merge_traces(replies.documents), replies.missing);
}

namespace {

// Splits `all` into bodies with about kPieceBytes of names each.
template <class Request, class Write>
void add_pieces(const Request& all, Write write, std::vector<std::string>& bodies) {
  Request part = all;
  const auto finish = [&] {
    bodies.push_back(event::dump_json(write(part)));
    part.ids.clear();
    if (part.target) part.target->names.clear();
  };
  if (all.target && all.target->names.empty()) {
    finish();
    return;
  }
  part.ids.clear();
  if (part.target) part.target->names.clear();
  std::size_t bytes = 0;
  const auto add = [&](auto& list, const auto& one, std::size_t size) {
    if (bytes != 0 && bytes + size > kPieceBytes) {
      finish();
      bytes = 0;
    }
    list.push_back(one);
    bytes += size;
  };
  for (const ConnectionId id : all.ids) add(part.ids, id, kIdBytes);
  if (all.target) {
    for (const std::string& name : all.target->names) add(part.target->names, name, name.size() + 3);
  }
  finish();
}

}  // namespace

std::vector<RawRequest> split_request(const RawRequest& request) {
  if (request.body.size() <= kPieceBytes) return {request};
  const Json json = event::parse_json(request.body, "the request body");
  std::vector<std::string> bodies;
  if (request.path == kClose) {
    add_pieces(
        api::close_request_from_json(json), [](const api::CloseRequest& part) { return api::to_json(part); }, bodies);
  } else {
    const bool with_seconds = request.path == kDurations;
    add_pieces(
        api::duration_request_from_json(json, with_seconds),
        [&](const api::DurationRequest& part) { return api::to_json(part, with_seconds); }, bodies);
  }
  std::vector<RawRequest> pieces;
  for (std::string& body : bodies) {
    pieces.push_back(request);
    pieces.back().body = std::move(body);
  }
  return pieces;
}

RawResponse ClusterAdmin::objects(const std::vector<RawRequest>& pieces, const net::Peer& peer) {
  if (pieces.size() == 1) return object(pieces.front(), peer);
  std::vector<Json> documents;
  std::set<std::string> missing;
  RawResponse refused;
  for (const RawRequest& piece : pieces) {
    NodeReplies replies = query_nodes(piece, peer);
    if (replies.own.status != 200 && replies.own.status != 404) return replies.own;
    refused = std::move(replies.own);
    missing.insert(replies.missing.begin(), replies.missing.end());
    std::ranges::move(replies.documents, std::back_inserter(documents));
  }
  if (documents.empty()) return refused;
  return merged_response(cluster::merge_objects(documents), {missing.begin(), missing.end()});
}

RawResponse ClusterAdmin::object(const RawRequest& request, const net::Peer& peer) {
  const NodeReplies replies = query_nodes(request, peer);
  // A request that is invalid here is invalid on all nodes; an object that is not found here may be on another node.
  if (replies.own.status != 200 && replies.own.status != 404) return replies.own;
  if (replies.documents.empty()) return replies.own;
  return merged_response(cluster::merge_objects(replies.documents), replies.missing);
}

std::optional<RawResponse> ClusterAdmin::stores(const RawRequest& request, const net::Peer& peer) {
  for (const ListRoute& route : kStoreLists) {
    if (request.method != "GET" || request.path != route.path) continue;
    auto rule = rule_of(route, request);
    if (!rule) return std::nullopt;
    if (settle_) settle_();
    return list(request, peer, std::move(*rule));
  }
  if (request.method == "GET" && request.path == kExport) return export_page(request, peer);
  const bool is_store_request = request.path == "/api/v1/messages" || request.path.starts_with(kMessage) ||
                                request.path == "/api/v1/dead" || request.path == "/api/v1/dead/requeue";
  if (!is_store_request) return std::nullopt;
  if (is_trace(request)) return trace(request, peer);
  if (request.method == "GET" && settle_) settle_();
  return object(request, peer);
}

std::optional<RawResponse> ClusterAdmin::forward_to_owner(const RawRequest& request, const net::Peer& peer,
                                                          std::string_view id) {
  const auto number = parse_id(id);
  if (!number) return std::nullopt;
  const unsigned node = cluster::node_of_id(*number);
  if (!cluster_.is_other(node)) return std::nullopt;
  RawRequest without_token = request;
  without_token.remove_header("Authorization");
  try {
    return RawResponse::parse(
        cluster_.pass_on(node, {cluster::RequestEntry::kAdmin, peer.address, without_token.text()}));
  } catch (const Error& e) {
    return problem_response(e.code(), e.what());
  }
}

std::optional<net::Reply> ClusterAdmin::operator()(std::string_view text, const net::Peer& peer, bool keep_alive,
                                                   const net::RequestExtras& extras) {
  RawRequest request = RawRequest::parse(text);
  if (request.method.empty() || !request.header(kLocalHeader).empty()) return std::nullopt;
  if (!token_.accepts(request.header("Authorization"))) return std::nullopt;
  const bool is_forwarded = std::ranges::any_of(
      kObjects, [&](const ObjectRoute& route) { return request.method == route.method && request.path == route.path; });
  // Other large bodies are mostly sends, which this node handles itself and does not read here.
  if (is_forwarded && extras.file != -1) request.body = net::read_body_file(extras, 0, extras.file_size);
  const auto reply = [keep_alive](const RawResponse& response) {
    net::Reply made;
    made.bytes = response.text();
    made.keep_alive = keep_alive;
    return made;
  };
  for (const ListRoute& route : kLists) {
    if (request.method != "GET" || request.path != route.path) continue;
    auto rule = rule_of(route, request);
    if (!rule) return std::nullopt;
    return reply(list(request, peer, std::move(*rule)));
  }
  if (own_stores_) {
    if (const auto response = stores(request, peer)) return reply(*response);
  }
  if (request.method == "GET" && request.path == kExplain) {
    if (const auto response = explain(request, peer)) return reply(*response);
    return std::nullopt;
  }
  // A duration for users or tokens is sent as a message, which reaches every node by itself.
  if (request.path == kDurations && request.method == "POST" && request.body.find("\"target\"") != std::string::npos) {
    return std::nullopt;
  }
  if (is_forwarded && request.method == "POST") {
    std::vector<RawRequest> pieces;
    try {
      pieces = split_request(request);
    } catch (const Error&) {
      return std::nullopt;  // the route reports the error
    }
    return reply(objects(pieces, peer));
  }
  if (is_forwarded) return reply(object(request, peer));
  if (is_trace(request)) return reply(trace(request, peer));
  if (request.method == "GET" && request.path.starts_with(kConnection)) {
    if (const auto response =
            forward_to_owner(request, peer, std::string_view(request.path).substr(kConnection.size())))
      return reply(*response);
  }
  return std::nullopt;
}

}  // namespace sse::admin
