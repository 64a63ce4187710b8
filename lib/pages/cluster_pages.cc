#include "pages/cluster_pages.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "api/types.h"
#include "base/error.h"
#include "base/text.h"
#include "cluster/core/node_list.h"
#include "cluster/core/raw_http.h"
#include "cluster/core/topics.h"
#include "cluster/core/typed_json.h"
#include "event/json.h"
#include "net/multipart.h"
#include "pages/profile_row.h"
#include "pages/request_planner.h"

namespace sse::pages {
namespace {

using cluster::RawRequest;
using cluster::RawResponse;
using event::Json;

constexpr std::string_view kName = "connectionId";
constexpr std::string_view kUsers = "users";
constexpr std::string_view kConnections = "connections";

// Paging as in the Java library: values out of range are clamped. Nullopt if not a number; the route reports the error.
std::optional<std::uint64_t> count_parameter(const RawRequest& request, const char* name, std::uint64_t fallback) {
  const std::string text = request.parameter(name);
  if (text.empty()) return fallback;
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return static_cast<std::uint64_t>(std::clamp<std::int64_t>(value, 0, 1'000'000'000));
}

// A connection belongs to one node.
struct ConnectionRow {
  Json document;

  static ConnectionRow read(const Json& row) {
    if (!row.is_object()) cluster::refuse_reply();
    return {row};
  }
  const Json& json() const { return document; }
  cluster::SortKey sort_key(std::string_view column) const {
    if (column == kUserColumn) return cluster::text_in(document, "accessUserId");
    return whole_number(cluster::text_in(document, "id")).value_or(0);
  }
  static constexpr std::string_view kUserColumn = "user";
};

}  // namespace

std::uint64_t find_connection_id(std::string_view text, const net::RequestExtras& extras) {
  RawRequest request = RawRequest::parse(text);
  if (const std::string id = request.parameter(kName); !id.empty()) return parse_id(id).value_or(0);
  const std::string type = to_lower(request.header("Content-Type"));
  const bool multipart = net::is_multipart(type);
  const bool form = multipart || type.starts_with("application/x-www-form-urlencoded");
  const ByteCount max_body = multipart ? kMaxDisconnectBody : kMaxForm;
  if (form && std::max<std::uint64_t>(request.body.size(), extras.file_size) > max_body.count()) return 0;
  try {
    if (extras.file != -1) {
      if (!extras.loadable) return 0;
      request.body = net::read_body_file(extras, 0, extras.file_size);
    }
    if (form) {
      const auto fields = net::read_form(request.header("Content-Type"), request.body);
      const auto id = fields.find(std::string(kName));
      return id == fields.end() ? 0 : parse_id(id->second).value_or(0);
    }
    if (request.body.find(kName) == std::string::npos) return 0;
    const event::Json body = event::parse_json(request.body, "the request body");
    return body.is_object() ? event::id_field(body, kName) : 0;
  } catch (const Error&) {
    return 0;  // the route reports the error
  }
}

// Must be cheap: it is called for every request of every page.
bool ClusterPages::is_connection_request(std::string_view text) const {
  if (!text.starts_with("POST ")) return false;
  const std::string_view target = text.substr(5, text.find(' ', 5) - 5);
  const std::string_view path = target.substr(0, target.find('?'));
  if (!path.ends_with(".do")) return false;
  for (const application::Service& service : services_) {
    if (path.starts_with(service.path) && path.substr(service.path.size()).starts_with("/connect/")) return true;
  }
  return false;
}

std::string_view ClusterPages::query_in(std::string_view text) const {
  if (!text.starts_with("GET ")) return {};
  const std::string_view target = text.substr(4, text.find(' ', 4) - 4);
  const std::string_view path = target.substr(0, target.find('?'));
  for (const application::Service& service : services_) {
    for (const std::string_view what : {kUsers, kConnections}) {
      if (path == service.path + "/connect/" + std::string(what) + ".json") return what;
    }
  }
  return {};
}

// Each node authenticates the requester itself. A refusal by this node is final.
template <class Row>
std::optional<net::Reply> ClusterPages::query(std::string_view column, std::string_view text, const net::Peer& peer,
                                              bool keep_alive) {
  RawRequest request = RawRequest::parse(text);
  const auto asked_page = count_parameter(request, "pageNum", 1);
  const auto asked_size = count_parameter(request, "pageSize", 100);
  if (request.parameter("cluster") == "false" || !asked_page || !asked_size) return std::nullopt;
  const std::uint64_t page = std::max<std::uint64_t>(*asked_page, 1);
  // 0 requests an empty page with the total alone.
  const std::uint64_t size = std::min(*asked_size, api::kMaxPageSize);
  request.set_parameter("pageNum", "1");
  request.set_parameter("pageSize",
                        std::to_string(size == 0 ? 0 : std::min(page, api::kMaxPageSize / size + 1) * size));
  const std::string part = request.text();
  // This node first: a request that it refuses is not forwarded.
  RawResponse own = RawResponse::parse(app_.process_locally(part, peer, true).bytes);
  std::vector<cluster::NodeList<Row>> lists;
  // False for a response that a correct node does not send.
  const auto add = [&](const RawResponse& response) {
    if (response.status != 200) return false;
    const std::optional<Json> json = cluster::read_json(response.body, cluster::kMaxNodeDocument);
    if (!json || !json->contains("data")) return false;
    try {
      lists.push_back(cluster::NodeList<Row>::read((*json)["data"]));
    } catch (const Error&) {
      return false;
    }
    return true;
  };
  if (add(own)) {
    const auto call = cluster_.pass_on({cluster::RequestEntry::kPages, peer.address, part});
    cluster::Cluster::Responses others = cluster_.finish(*call);
    for (const auto& [node, bytes] : others.responses) {
      if (!add(RawResponse::parse(bytes))) others.missing.push_back(node);
    }
    cluster::NodeList<Row> merged = cluster::merge_lists(std::move(lists));
    cluster::sort_rows(merged.rows, column, false);
    if (size == 0) merged.rows.clear();
    Json body = event::parse_json(own.body, "this node's own answer");
    body["data"] = cluster::page_json(merged, page, std::max<std::uint64_t>(size, 1));
    body["data"]["pageSize"] = size;
    body["data"]["timeout"] = !others.missing.empty();
    own.body = event::dump_json(body);
  }
  net::Reply reply;
  reply.keep_alive = keep_alive;
  reply.bytes = own.text();
  return reply;
}

// The reply to each piece of the body says whether the node refuses the request, and with which status.
std::string ClusterPages::forward(unsigned node, std::string_view text, const net::Peer& peer,
                                  const net::RequestExtras& extras) {
  cluster::RequestCommand command{cluster::RequestEntry::kPages, peer.address, std::string(text), ""};
  if (extras.file != -1) {
    command.body = cluster_.new_transfer();
    for (std::uint64_t offset = 0; offset < extras.file_size; offset += cluster::kBodyPiece) {
      const std::string answer =
          cluster_.pass_on(node, cluster::BodyCommand{command.body, offset, extras.file_size,
                                                      net::read_body_file(extras, offset, cluster::kBodyPiece)});
      if (answer == cluster::kBodyTaken) continue;
      const std::size_t blank = std::min(answer.find(' '), answer.size());
      const std::uint64_t status = parse_id(answer.substr(0, blank)).value_or(0);
      if (status < 400 || status > 599) {
        throw Error(ErrorCode::kUnavailable,
                    "the node of that connection does not accept the request body; do all nodes run one version?");
      }
      throw application::Refusal(static_cast<int>(status), answer.substr(std::min(blank + 1, answer.size())));
    }
  }
  const std::string_view path = text.substr(0, std::min(text.find('?'), text.find("\r\n")));
  const bool calls_application = path.find("/connect/message/") != std::string_view::npos ||
                                 path.find("/connect/subscribe.do") != std::string_view::npos ||
                                 path.find("/connect/publish.do") != std::string_view::npos ||
                                 path.find("/connect/upload/") != std::string_view::npos;
  const std::chrono::milliseconds timeout = cluster_.options().timeout;
  // A large body takes the other node longer, too.
  return cluster_.pass_on(node, command, calls_application || extras.file != -1 ? timeout + answer_timeout_ : timeout);
}

std::optional<net::Reply> ClusterPages::operator()(std::string_view text, const net::Peer& peer, bool keep_alive,
                                                   const net::RequestExtras& extras) {
  const std::string_view what = query_in(text);
  if (what == kUsers) return query<ProfileRow>("", text, peer, keep_alive);
  if (what == kConnections) return query<ConnectionRow>(ConnectionRow::kUserColumn, text, peer, keep_alive);
  if (!is_connection_request(text)) return std::nullopt;
  const std::uint64_t id = find_connection_id(text, extras);
  if (id == 0) return std::nullopt;
  const unsigned node = cluster::node_of_id(id);
  // A node that has left has no connections: this node responds, as for any unknown connection.
  if (!cluster_.is_other(node)) return std::nullopt;
  net::Reply reply;
  reply.keep_alive = keep_alive;
  try {
    reply.bytes = forward(node, text, peer, extras);
  } catch (const application::Refusal& e) {
    reply.bytes = refuse_(text, e.status(), e.what());
  } catch (const Error& e) {
    reply.bytes = refuse_(text, http_status(e.code()), e.what());
  }
  return reply;
}

}  // namespace sse::pages
