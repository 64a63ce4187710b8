#include "admin/cluster_admin.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <random>
#include <type_traits>

#include "admin/node_operations.h"
#include "admin/node_replies.h"
#include "admin/node_rows.h"
#include "admin/split_request.h"
#include "api/types.h"
#include "base/error.h"
#include "base/text.h"
#include "cluster/core/node_list.h"
#include "cluster/core/topics.h"
#include "cluster/core/wire.h"

namespace sse::admin {
namespace {

using cluster::NodeList;
using cluster::RawRequest;
using cluster::RawResponse;
using event::Json;

// Maximum depth of a page in a merged list: each node has to send all rows before it.
constexpr std::uint64_t kMaxDepth = 200'000;
// Rows of connections are long, and by default Redis disconnects a subscriber with more than 32 MB of pending output.
constexpr std::uint64_t kMaxRows = 2000;

// 0 for an invalid number; the route then reports the error.
std::uint64_t page_number(const RawRequest& request, const char* name, std::uint64_t fallback) {
  const std::string text = request.parameter(name);
  if (text.empty()) return fallback;
  std::uint64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && stop == text.data() + text.size() && number <= 1'000'000'000'000 ? number : 0;
}

// Which page of a list a request is for. Not good(): the route then reports the error.
struct PageQuery {
  std::uint64_t page;
  std::uint64_t size;

  explicit PageQuery(const RawRequest& request)
      : page(page_number(request, "pageNum", 1)), size(page_number(request, "pageSize", 100)) {}
  bool good() const { return page != 0 && size != 0 && size <= api::kMaxPageSize; }
};

RawResponse problem_response(ErrorCode code, const std::string& sentence) {
  return response_of(cluster::refusal_reply(code, sentence));
}

// A random key, so that hashes of different responses cannot be compared.
std::string key_parameter() {
  std::random_device random;
  std::string key;
  for (int i = 0; i < 4; ++i) key += std::to_string(random());
  return key;
}

// Adds the nodes that did not reply to those that the replies of other nodes name.
RawResponse merged_response(Json merged, const std::set<std::string>& missing) {
  std::set<std::string> all = cluster::texts_in(merged, "missing");
  all.insert(missing.begin(), missing.end());
  if (!all.empty()) merged["missing"] = all;
  return {200, "application/json", event::dump_json(merged)};
}

template <class Reply>
Json merged_json(std::vector<Reply> replies) {
  for (std::size_t i = 1; i < replies.size(); ++i) replies.front().merge(std::move(replies[i]));
  return replies.front().json();
}

}  // namespace

struct ClusterAdmin::Route {
  std::string_view operation;  // see node_operations.h
  Response (ClusterAdmin::*handle)(const RawRequest&, const net::Peer&);
  enum class Kind : unsigned char {
    kPlain,
    kOwnStores,  // if the nodes share a store, the node that receives the request handles it alone
    kNames,      // names connections or users in its body, which may be large
  } kind = Kind::kPlain;
};

std::span<const ClusterAdmin::Route> ClusterAdmin::routes() {
  constexpr auto kOwnStores = Route::Kind::kOwnStores;
  constexpr auto kNames = Route::Kind::kNames;
  static constexpr std::array kRoutes{
      Route{"connections", &ClusterAdmin::list<ConnectionRow>},
      Route{"closed-connections", &ClusterAdmin::list<ClosedRow>},
      Route{"close-connections", &ClusterAdmin::objects<CloseReply>, kNames},
      Route{"connection", &ClusterAdmin::connection},
      Route{"change-connection", &ClusterAdmin::connection},
      Route{"users", &ClusterAdmin::list<UserRow>},
      Route{"user-ids", &ClusterAdmin::list<UserIdRow>},
      Route{"user", &ClusterAdmin::object<UserReply>},
      Route{"tenants", &ClusterAdmin::list<NameRow>},
      Route{"channels", &ClusterAdmin::list<NameRow>},
      Route{"channel", &ClusterAdmin::object<ChannelReply>},
      Route{"tokens", &ClusterAdmin::list<NameRow>},
      Route{"explain", &ClusterAdmin::explain},
      Route{"durations", &ClusterAdmin::object<DurationsReply>},
      Route{"set-durations", &ClusterAdmin::set_durations, kNames},
      Route{"clear-durations", &ClusterAdmin::objects<ClearDurationReply>, kNames},
      Route{"message-trace", &ClusterAdmin::object<TraceReply>},
      Route{"messages", &ClusterAdmin::list_stores<MessageRow>, kOwnStores},
      Route{"delete-messages", &ClusterAdmin::object<DeleteReply>, kOwnStores},
      Route{"retry-message", &ClusterAdmin::object<RetryReply>, kOwnStores},
      Route{"message", &ClusterAdmin::message, kOwnStores},
      Route{"delete-message", &ClusterAdmin::object<DeleteReply>, kOwnStores},
      Route{"export", &ClusterAdmin::export_page, kOwnStores},
      Route{"dead-letters", &ClusterAdmin::list_stores<DeadRow>, kOwnStores},
      Route{"delete-dead-letters", &ClusterAdmin::object<DeleteReply>, kOwnStores},
      Route{"requeue-dead-letters", &ClusterAdmin::object<RequeueReply>, kOwnStores},
  };
  return kRoutes;
}

ClusterAdmin::NodeReplies ClusterAdmin::query_nodes(const RawRequest& request, const net::Peer& peer) {
  const auto call = cluster_.pass_on(command_of(*find_operation(request), request, peer.address));
  NodeReplies replies;
  replies.own = RawResponse::parse(app_.process_locally(request.text(), peer, true).bytes);
  cluster::Cluster::Responses others = cluster_.finish(*call);
  replies.others.reserve(others.responses.size());
  for (const auto& [node, bytes] : others.responses)
    replies.others.emplace_back(node, cluster::decode_admin_reply(bytes));
  replies.missing = std::move(others.missing);
  return replies;
}

template <class Reply>
ClusterAdmin::Typed<Reply> ClusterAdmin::query(const RawRequest& request, const net::Peer& peer) {
  NodeReplies nodes = query_nodes(request, peer);
  Typed<Reply> typed;
  typed.own = std::move(nodes.own);
  typed.missing.insert(nodes.missing.begin(), nodes.missing.end());
  // False for a response that a correct node does not send.
  const auto add = [&](int status, const std::string& document) {
    if (status != 200) return false;
    const std::optional<Json> json = cluster::read_json(document, cluster::kMaxNodeDocument);
    if (!json) return false;
    try {
      typed.replies.push_back(Reply::read(*json));
    } catch (const Error&) {
      return false;
    }
    return true;
  };
  add(typed.own.status, typed.own.body);
  for (const auto& [node, reply] : nodes.others) {
    // 404 is an answer: the object is not on that node.
    if (!add(reply.status, reply.document) && reply.status != 404 &&
        (reply.status == 200 || reply.status != typed.own.status))
      typed.missing.insert(node);
  }
  return typed;
}

template <class Row>
ClusterAdmin::Response ClusterAdmin::list(const RawRequest& request, const net::Peer& peer) {
  const PageQuery query_page(request);
  if (!query_page.good()) return std::nullopt;
  const std::uint64_t needed = query_page.page * query_page.size;
  if (needed > kMaxDepth) {
    return problem_response(ErrorCode::kInvalidArgument, "that page begins past entry " + std::to_string(kMaxDepth) +
                                                             ", the limit in a cluster; narrow the list with a filter");
  }
  // Rows that may be equal have to be merged, so all are fetched, in the largest pages a node sends.
  const std::uint64_t page_size = cluster::MergeableRow<Row> ? api::kMaxPageSize : std::min(needed, kMaxRows);
  constexpr bool kHashed = std::is_same_v<Row, NameRow>;
  const std::string keys = kHashed ? key_parameter() : "";
  std::vector<NodeList<Row>> lists;
  std::set<std::string> missing;
  for (std::uint64_t round = 1; round == 1 || (round - 1) * page_size < needed; ++round) {
    RawRequest part = request;
    part.set_parameter("pageNum", std::to_string(round));
    part.set_parameter("pageSize", std::to_string(page_size));
    if (kHashed) {
      part.set_parameter("keys", keys);
      part.set_header(kLocalHeader, "1");
    }
    Typed<NodeList<Row>> nodes = query<NodeList<Row>>(part, peer);
    if (nodes.own.status != 200) return std::move(nodes.own);
    missing.merge(nodes.missing);
    bool more = false;
    for (NodeList<Row>& one : nodes.replies) {
      more = more || one.rows.size() >= page_size;
      // A node's total counts once.
      if (round > 1) one.total = 0;
      if constexpr (std::is_same_v<Row, ConnectionRow>) {
        for (ConnectionRow& row : one.rows) row.note_rate(cluster_.options().clock->wall_now());
      }
      lists.push_back(std::move(one));
    }
    if (!more) break;
  }
  NodeList<Row> merged = cluster::merge_lists(std::move(lists));
  // The most recently closed come first.
  const bool descending = std::is_same_v<Row, ClosedRow> || request.parameter("order") == "desc";
  cluster::sort_rows(merged.rows, request.parameter("sort"), descending);
  return merged_response(cluster::page_json(merged, query_page.page, query_page.size), missing);
}

template <class Row>
ClusterAdmin::Response ClusterAdmin::list_stores(const RawRequest& request, const net::Peer& peer) {
  if (PageQuery(request).good() && settle_) settle_();
  return list<Row>(request, peer);
}

template <class Reply>
ClusterAdmin::Response ClusterAdmin::object(const RawRequest& request, const net::Peer& peer) {
  Typed<Reply> nodes = query<Reply>(request, peer);
  if (nodes.refused()) return std::move(nodes.own);
  return merged_response(merged_json(std::move(nodes.replies)), nodes.missing);
}

template <class Reply>
ClusterAdmin::Response ClusterAdmin::objects(const RawRequest& request, const net::Peer& peer) {
  std::vector<RawRequest> pieces;
  try {
    pieces = split_request(request);
  } catch (const Error&) {
    return std::nullopt;  // the route reports the error
  }
  std::vector<Reply> all;
  std::set<std::string> missing;
  RawResponse not_found;
  for (const RawRequest& piece : pieces) {
    Typed<Reply> nodes = query<Reply>(piece, peer);
    if (nodes.own.status != 200 && nodes.own.status != 404) return std::move(nodes.own);
    not_found = std::move(nodes.own);
    missing.merge(nodes.missing);
    std::move(nodes.replies.begin(), nodes.replies.end(), std::back_inserter(all));
  }
  if (all.empty()) return not_found;
  return merged_response(merged_json(std::move(all)), missing);
}

ClusterAdmin::Response ClusterAdmin::set_durations(const RawRequest& request, const net::Peer& peer) {
  if (request.body.find("\"target\"") != std::string::npos) return std::nullopt;
  return objects<SetDurationReply>(request, peer);
}

ClusterAdmin::Response ClusterAdmin::message(const RawRequest& request, const net::Peer& peer) {
  if (settle_) settle_();
  return object<MessageReply>(request, peer);
}

ClusterAdmin::Response ClusterAdmin::explain(const RawRequest& request, const net::Peer& peer) {
  const PageQuery query_page(request);
  if (!query_page.good()) return std::nullopt;
  RawRequest all = request;
  all.set_parameter("pageNum", "1");
  all.set_parameter("pageSize", std::to_string(api::kMaxPageSize));
  Typed<ExplainReply> nodes = query<ExplainReply>(all, peer);
  if (nodes.own.status != 200) return std::move(nodes.own);
  const ExplainReply merged = ExplainReply::merged(std::move(nodes.replies));
  return merged_response(merged.json(query_page.page, query_page.size), nodes.missing);
}

// The node in the id has the connection.
ClusterAdmin::Response ClusterAdmin::connection(const RawRequest& request, const net::Peer& peer) {
  const cluster::AdminCommand command = command_of(*find_operation(request), request, peer.address);
  const auto number = parse_id(command.id);
  if (!number) return std::nullopt;
  const unsigned node = cluster::node_of_id(*number);
  if (!cluster_.is_other(node)) return std::nullopt;
  try {
    return response_of(cluster_.pass_on(node, command));
  } catch (const Error& e) {
    return problem_response(e.code(), e.what());
  }
}

std::optional<net::Reply> ClusterAdmin::operator()(std::string_view text, const net::Peer& peer, bool keep_alive,
                                                   const net::RequestExtras& extras) {
  RawRequest request = RawRequest::parse(text);
  if (request.method.empty() || !request.header(kLocalHeader).empty()) return std::nullopt;
  if (!token_.accepts(request.header("Authorization"))) return std::nullopt;
  const NodeOperation* const operation = find_operation(request);
  if (operation == nullptr) return std::nullopt;
  const auto all = routes();
  const auto route = std::ranges::find(all, operation->name, &Route::operation);
  if (route == all.end() || (route->kind == Route::Kind::kOwnStores && !own_stores_)) return std::nullopt;
  // Other large bodies are not read here.
  if (route->kind == Route::Kind::kNames && extras.file != -1)
    request.body = net::read_body_file(extras, 0, extras.file_size);
  const Response response = (this->*route->handle)(request, peer);
  if (!response) return std::nullopt;
  net::Reply reply;
  reply.bytes = response->text();
  reply.keep_alive = keep_alive;
  return reply;
}

}  // namespace sse::admin
