#include "cluster/mesh/node_probe.h"

#include "base/error.h"
#include "cluster/core/typed_json.h"
#include "cluster/mesh/node_connection.h"
#include "cluster/mesh/peer_link.h"
#include "net/listener.h"

namespace sse::cluster {
namespace {

constexpr std::size_t kMaxNodeInfo = std::size_t{64} << 10;

}  // namespace

NodeProbe probe_node(const std::string& address, std::chrono::milliseconds timeout,
                     const std::shared_ptr<const MeshTls>& tls) {
  net::ListenAddress at;
  try {
    at = net::ListenAddress::parse(address);
  } catch (const Error&) {
    return {true, nullptr};
  }
  using Outcome = NodeConnection::Outcome;
  NodeConnection connection(at, {.connect_timeout = timeout,
                                 .handshake_timeout = timeout,
                                 .answer_timeout = timeout,
                                 .max_response = kMaxNodeInfo,
                                 .tls = tls});
  const NodeConnection::Response response = connection.exchange({.method = "GET", .path = kNodeInfoPath});
  // A refused connection fails at once; a node that is frozen, unreachable or not trusted may still be alive.
  if (response.outcome != Outcome::kResponse) return {response.outcome == Outcome::kFailed, nullptr};
  NodeProbe probe{false, read_json(response.body, kMaxNodeInfo).value_or(event::Json())};
  if (response.status != 200 || !probe.node_info.is_object()) return {true, nullptr};
  return probe;
}

}  // namespace sse::cluster
