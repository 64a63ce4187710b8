#include "gateway/cluster_pages.h"

#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "cluster/raw_http.h"
#include "cluster/topics.h"
#include "event/json.h"
#include "hub/attributes.h"

namespace sse::gateway {
namespace {

using cluster::RawRequest;
using cluster::RawResponse;

constexpr std::string_view kName = "connectionId";

// The value of a small text field of a multipart body (RFC 7578), which FormData of a beacon becomes.
std::string multipart_field(const std::string& body) {
  const std::size_t name = body.find("name=\"connectionId\"");
  if (name == std::string::npos) return "";
  const std::size_t begin = body.find("\r\n\r\n", name);
  if (begin == std::string::npos) return "";
  const std::size_t end = body.find("\r\n", begin + 4);
  return end == std::string::npos ? "" : body.substr(begin + 4, end - begin - 4);
}

}  // namespace

std::uint64_t named_connection(std::string_view text) {
  const RawRequest request = RawRequest::parse(text);
  if (const std::string id = request.parameter(kName); !id.empty()) return parse_id(id).value_or(0);
  const std::string type = to_lower(request.header("Content-Type"));
  if (type.starts_with("multipart/form-data")) return parse_id(multipart_field(request.body)).value_or(0);
  if (type.starts_with("application/x-www-form-urlencoded"))
    return parse_id(hub::form_value(request.body, kName)).value_or(0);
  if (request.body.find(kName) == std::string::npos) return 0;
  try {
    const event::Json body = event::parse_json(request.body, "the request body");
    return body.is_object() ? event::id_field(body, kName) : 0;
  } catch (const Error&) {
    return 0;  // the route says what is wrong with it
  }
}

// Cheap: every request of every page comes by.
bool ClusterPages::is_about_a_connection(std::string_view text) const {
  if (!text.starts_with("POST ")) return false;
  const std::string_view target = text.substr(5, text.find(' ', 5) - 5);
  const std::string_view path = target.substr(0, target.find('?'));
  if (!path.ends_with(".do")) return false;
  for (const Service& service : services_) {
    if (path.starts_with(service.path) && path.substr(service.path.size()).starts_with("/connect/")) return true;
  }
  return false;
}

std::optional<net::Reply> ClusterPages::operator()(std::string_view text, const net::Peer& peer, bool keep_alive) {
  if (!is_about_a_connection(text)) return std::nullopt;
  const std::uint64_t id = named_connection(text);
  if (id == 0) return std::nullopt;
  const unsigned node = cluster::node_of_id(id);
  // A node that is gone has no connections any more: answered here, as for any that does not exist.
  if (!cluster_.is_other(node)) return std::nullopt;
  net::Reply reply;
  reply.keep_alive = keep_alive;
  try {
    reply.bytes = cluster_.pass_on(node, {cluster::Door::kPages, peer.address, std::string(text)});
  } catch (const Error& e) {
    const event::Json body{{"success", false},
                           {"code", http_status(e.code())},
                           {"data", nullptr},
                           {"message", nullptr},
                           {"errorMessage", printable(e.what(), 500)}};
    reply.bytes = RawResponse{http_status(e.code()), "application/json", event::dump_json(body)}.text();
  }
  return reply;
}

}  // namespace sse::gateway
