#include "gateway/cluster_admin.h"

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
#include "cluster/raw_http.h"
#include "cluster/topics.h"
#include "cluster/typed_json.h"
#include "cluster/wire.h"

namespace sse::gateway {
namespace {

using cluster::ListRule;
using cluster::RawRequest;
using cluster::RawResponse;
using event::Json;

// How far into a list a page may lie: each node has to send everything before it.
constexpr std::uint64_t kDeepest = 200'000;
// Connections are described at length, and Redis cuts off a subscriber that owes more than 32 MB by default.
constexpr std::uint64_t kMostRows = 2000;
// Of names in one request that every node is sent.
constexpr std::size_t kPieceBytes = std::size_t{128} << 10;
constexpr std::size_t kIdBytes = 23;
constexpr std::uint64_t kMostCounted = 1'000'000'000'000;

// Of rows while they are sorted.
constexpr const char* kRate = "eventRate";
constexpr std::string_view kExplain = "/api/v1/explain";
constexpr std::string_view kExport = "/api/v1/export";
constexpr std::string_view kClose = "/api/v1/connections/close";
constexpr std::string_view kDurations = "/api/v1/durations";

// Which tokens and users are the same is told by hashes, whose key is the request's own: see key_parameter().
constexpr const char* kKeyField = "key";
constexpr const char* kUserKeysField = "userKeys";

struct Sorting {
  std::string_view name;
  const char* field;
};
struct ListRoute {
  std::string_view path;
  const char* key;                   // "": rows are never the same
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
    // Tokens are shown masked, so that two may look the same.
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

// Where each node has a store of its own.
constexpr ListRoute kStoreLists[] = {{"/api/v1/messages", "", {{{"id", "id"}}}},
                                     {"/api/v1/dead", "", {{{"died", "diedTime"}}}}};

constexpr std::string_view kConnection = "/api/v1/connections/";
// The messages are the cluster's, but each node knows where they went from there.
constexpr std::string_view kMessage = "/api/v1/messages/";

// 0 when it is no number that a page could have; the route itself then says so.
std::uint64_t page_number(const RawRequest& request, const char* name, std::uint64_t fallback) {
  const std::string text = request.parameter(name);
  if (text.empty()) return fallback;
  std::uint64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && stop == text.data() + text.size() && number <= 1'000'000'000'000 ? number : 0;
}

// Nothing for what no node of ours answers: an object is what all have in common, and a list in it is one of objects,
// or of names.
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

// As the nodes sort by it: events a second of a stream's life.
void note_rates(Json& rows, WallTime at) {
  const std::int64_t now = to_millis(at);
  for (Json& row : rows) {
    if (!row.is_object()) continue;
    const std::int64_t created = std::clamp<std::int64_t>(cluster::number_in(row, "createTime", now), 0, now);
    const auto age = std::max<std::int64_t>(now - created, 1000);
    const std::uint64_t count = std::min(cluster::count_in(row, "messageCount"), kMostCounted);
    row[kRate] = count * 1'000'000 / static_cast<std::uint64_t>(age);
  }
}

bool counts_users(std::string_view path) {
  return path == "/api/v1/tenants" || path == "/api/v1/channels" || path == "/api/v1/tokens";
}

// Nobody who sees hashes of one answer can compare them with those of another.
std::string key_parameter() {
  std::random_device random;
  std::string key;
  for (int i = 0; i < 4; ++i) key += std::to_string(random());
  return key;
}

// Nullopt where the page makes no sense, which the route itself then says.
std::optional<ListRule> rule_of(const ListRoute& route, const RawRequest& request) {
  ListRule rule;
  rule.key = route.key;
  if (counts_users(route.path)) {
    rule.set = kUserKeysField;
    rule.count = "users";
  }
  rule.page = page_number(request, "pageNum", 1);
  rule.size = page_number(request, "pageSize", 100);
  if (rule.page == 0 || rule.size == 0 || rule.size > api::kMostPageSize) return std::nullopt;
  const std::string sort = request.parameter("sort");
  rule.tie = route.sortings.front().field;
  rule.sort = rule.tie;
  for (const Sorting& sorting : route.sortings) {
    if (!sorting.name.empty() && sorting.name == sort) rule.sort = sorting.field;
  }
  rule.descending = route.newest_first || request.parameter("order") == "desc";
  return rule;
}

// Those that a node could not hear of are in its own answer.
RawResponse answer(Json merged, const std::vector<std::string>& missing) {
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

ClusterAdmin::Gathered ClusterAdmin::gather(const RawRequest& request, const net::Peer& peer) {
  const std::string text = request.text();
  RawRequest without_token = request;
  without_token.remove_header("Authorization");
  const auto asked = cluster_.pass_on({cluster::Door::kAdmin, peer.address, without_token.text()});
  Gathered gathered;
  gathered.own = RawResponse::parse(app_.process_here(text, peer, true).bytes);
  if (auto mine = document(gathered.own)) gathered.documents.push_back(std::move(*mine));
  cluster::Cluster::Responses others = cluster_.finish(*asked);
  for (const auto& [node, bytes] : others.responses) {
    const RawResponse response = RawResponse::parse(bytes);
    if (auto theirs = document(response)) {
      gathered.documents.push_back(std::move(*theirs));
    } else if (response.status != 404 && (response.status == 200 || response.status != gathered.own.status)) {
      // Also what makes no sense.
      others.missing.push_back(node);
    }
  }
  std::ranges::sort(others.missing);
  gathered.missing = std::move(others.missing);
  return gathered;
}

RawResponse ClusterAdmin::list(const RawRequest& request, const net::Peer& peer, ListRule rule) {
  const std::uint64_t needed = rule.page * rule.size;
  if (needed > kDeepest) {
    return problem_response(ErrorCode::kInvalidArgument, "that page begins past entry " + std::to_string(kDeepest) +
                                                             ", which a cluster cannot show; narrow it down");
  }
  // Rows that may be the same are wanted all, as far as one page of a node goes.
  const std::uint64_t most = rule.key.empty() ? std::min(needed, kMostRows) : api::kMostPageSize;
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
    Gathered gathered = gather(part, peer);
    if (gathered.own.status != 200) return gathered.own;
    missing.insert(gathered.missing.begin(), gathered.missing.end());
    bool more = false;
    for (Json& one : gathered.documents) {
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
  return answer(std::move(merged), {missing.begin(), missing.end()});
}

std::optional<RawResponse> ClusterAdmin::explain(const RawRequest& request, const net::Peer& peer) {
  const std::uint64_t page = page_number(request, "pageNum", 1);
  const std::uint64_t size = page_number(request, "pageSize", 100);
  if (page == 0 || size == 0 || size > api::kMostPageSize) return std::nullopt;
  RawRequest all = request;
  all.set_parameter("pageNum", "1");
  all.set_parameter("pageSize", std::to_string(api::kMostPageSize));
  const Gathered gathered = gather(all, peer);
  if (gathered.own.status != 200) return gathered.own;
  return answer(cluster::merge_explanations(gathered.documents, page, size), gathered.missing);
}

namespace {

// What the nodes answered to the same question for a page, each with the ids of its messages.
struct ExportParts {
  // The page ends where the first of those ends that have more.
  std::uint64_t through = UINT64_MAX;
  std::uint64_t last = 0;
  std::uint64_t total = 0;
  std::vector<std::pair<std::uint64_t, std::string_view>> lines;  // views into `bodies`
  std::deque<std::string> bodies;

  // False when it is no answer to that.
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
  const auto asked = cluster_.pass_on({cluster::Door::kAdmin, peer.address, part.text()});
  RawResponse own = RawResponse::parse(app_.process_here(text, peer, true).bytes);
  cluster::Cluster::Responses others = cluster_.finish(*asked);
  ExportParts parts;
  RawResponse page{200, own.type, "", {}};
  if (!parts.add(own)) return own;
  for (const auto& [node, bytes] : others.responses) {
    RawResponse theirs = RawResponse::parse(bytes);
    // One that does not host this service has nothing of it.
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

// Each node knows of the steps that were taken there.
RawResponse ClusterAdmin::trace(const RawRequest& request, const net::Peer& peer) {
  const Gathered gathered = gather(request, peer);
  if (gathered.own.status != 200 && gathered.own.status != 404) return gathered.own;
  if (gathered.documents.empty()) return gathered.own;
  return answer(cluster::merge_traces(gathered.documents), gathered.missing);
}

namespace {

// A body for each part of `all`, which holds about kPieceBytes of names.
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

std::vector<RawRequest> pieces_of(const RawRequest& request) {
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
    Gathered gathered = gather(piece, peer);
    if (gathered.own.status != 200 && gathered.own.status != 404) return gathered.own;
    refused = std::move(gathered.own);
    missing.insert(gathered.missing.begin(), gathered.missing.end());
    std::ranges::move(gathered.documents, std::back_inserter(documents));
  }
  if (documents.empty()) return refused;
  return answer(cluster::merge_objects(documents), {missing.begin(), missing.end()});
}

RawResponse ClusterAdmin::object(const RawRequest& request, const net::Peer& peer) {
  const Gathered gathered = gather(request, peer);
  // What makes no sense here makes none elsewhere; what is not found here may be there.
  if (gathered.own.status != 200 && gathered.own.status != 404) return gathered.own;
  if (gathered.documents.empty()) return gathered.own;
  return answer(cluster::merge_objects(gathered.documents), gathered.missing);
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
  const bool concerned = request.path == "/api/v1/messages" || request.path.starts_with(kMessage) ||
                         request.path == "/api/v1/dead" || request.path == "/api/v1/dead/requeue";
  if (!concerned) return std::nullopt;
  if (is_trace(request)) return trace(request, peer);
  if (request.method == "GET" && settle_) settle_();
  return object(request, peer);
}

std::optional<RawResponse> ClusterAdmin::at_owner(const RawRequest& request, const net::Peer& peer,
                                                  std::string_view id) {
  const auto number = parse_id(id);
  if (!number) return std::nullopt;
  const unsigned node = cluster::node_of_id(*number);
  if (!cluster_.is_other(node)) return std::nullopt;
  RawRequest without_token = request;
  without_token.remove_header("Authorization");
  try {
    return RawResponse::parse(cluster_.pass_on(node, {cluster::Door::kAdmin, peer.address, without_token.text()}));
  } catch (const Error& e) {
    return problem_response(e.code(), e.what());
  }
}

std::optional<net::Reply> ClusterAdmin::operator()(std::string_view text, const net::Peer& peer, bool keep_alive,
                                                   const net::RequestExtras& extras) {
  RawRequest request = RawRequest::parse(text);
  if (request.method.empty() || !request.header(kLocalHeader).empty()) return std::nullopt;
  if (!token_.accepts(request.header("Authorization"))) return std::nullopt;
  const bool passed_on = std::ranges::any_of(
      kObjects, [&](const ObjectRoute& route) { return request.method == route.method && request.path == route.path; });
  // Most large bodies are sends, which this node takes: no other one gets to see them.
  if (passed_on && extras.file != -1) request.body = net::read_body_file(extras, 0, extras.file_size);
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
  // One for users or tokens is sent to them, and reaches every node by itself.
  if (request.path == kDurations && request.method == "POST" && request.body.find("\"target\"") != std::string::npos) {
    return std::nullopt;
  }
  if (passed_on && request.method == "POST") {
    std::vector<RawRequest> pieces;
    try {
      pieces = pieces_of(request);
    } catch (const Error&) {
      return std::nullopt;  // what is wrong with it, the route itself says
    }
    return reply(objects(pieces, peer));
  }
  if (passed_on) return reply(object(request, peer));
  if (is_trace(request)) return reply(trace(request, peer));
  if (request.method == "GET" && request.path.starts_with(kConnection)) {
    if (const auto response = at_owner(request, peer, std::string_view(request.path).substr(kConnection.size())))
      return reply(*response);
  }
  return std::nullopt;
}

}  // namespace sse::gateway
