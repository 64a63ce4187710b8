#include "cluster/node_probe.h"

#include <httplib.h>

#include "base/clock.h"
#include "base/error.h"
#include "cluster/bounded_http.h"
#include "cluster/peer_link.h"
#include "cluster/typed_json.h"
#include "net/listener.h"

namespace sse::cluster {
namespace {

constexpr std::size_t kMaxAnswer = std::size_t{64} << 10;

}  // namespace

NodeProbe probe_node(const std::string& address, std::chrono::milliseconds timeout) {
  NodeProbe probe;
  net::ListenAddress at;
  try {
    at = net::ListenAddress::parse(address);
  } catch (const Error&) {
    probe.nobody = true;
    return probe;
  }
  httplib::Client http(at.host, at.port);
  const auto seconds = static_cast<time_t>(timeout.count() / 1000);
  const auto micros = static_cast<time_t>(timeout.count() % 1000 * 1000);
  http.set_connection_timeout(seconds, micros);
  http.set_read_timeout(seconds, micros);
  // The time-out is the library's, and runs by the system's clock.
  const SteadyTime begin = Clock::system().steady_now();
  httplib::Request request;
  request.method = "GET";
  request.path = kWhoPath;
  BoundedBody body(request, kMaxAnswer);
  const httplib::Result result = http.send(request);
  if (result) {
    probe.who = read_json(body.take(), kMaxAnswer).value_or(event::Json());
    if (result->status != 200 || !probe.who.is_object()) probe = {true, nullptr};
    return probe;
  }
  if (body.too_large()) {
    probe.nobody = true;
    return probe;
  }
  // A refusal comes at once; a node that is frozen or cut off may be there all the same.
  probe.nobody = Clock::system().steady_now() - begin < timeout / 2;
  return probe;
}

}  // namespace sse::cluster
