#include "cluster/mesh/node_probe.h"

#include <httplib.h>

#include "base/clock.h"
#include "base/error.h"
#include "cluster/core/typed_json.h"
#include "cluster/mesh/bounded_http.h"
#include "cluster/mesh/peer_link.h"
#include "net/listener.h"

namespace sse::cluster {
namespace {

constexpr std::size_t kMaxNodeInfo = std::size_t{64} << 10;

}  // namespace

NodeProbe probe_node(const std::string& address, std::chrono::milliseconds timeout) {
  NodeProbe probe;
  net::ListenAddress at;
  try {
    at = net::ListenAddress::parse(address);
  } catch (const Error&) {
    probe.not_a_node = true;
    return probe;
  }
  httplib::Client http(at.host, at.port);
  const auto seconds = static_cast<time_t>(timeout.count() / 1000);
  const auto micros = static_cast<time_t>(timeout.count() % 1000 * 1000);
  http.set_connection_timeout(seconds, micros);
  http.set_read_timeout(seconds, micros);
  // The timeout is httplib's, which uses the system's clock.
  const SteadyTime begin = Clock::system().steady_now();
  httplib::Request request;
  request.method = "GET";
  request.path = kNodeInfoPath;
  BoundedBody body(request, kMaxNodeInfo);
  const httplib::Result result = http.send(request);
  if (result) {
    probe.node_info = read_json(body.take(), kMaxNodeInfo).value_or(event::Json());
    if (result->status != 200 || !probe.node_info.is_object()) probe = {true, nullptr};
    return probe;
  }
  if (body.too_large()) {
    probe.not_a_node = true;
    return probe;
  }
  // A refused connection fails at once; a node that is frozen or unreachable may still be alive.
  probe.not_a_node = Clock::system().steady_now() - begin < timeout / 2;
  return probe;
}

}  // namespace sse::cluster
