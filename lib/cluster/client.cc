#include "cluster/client.h"

#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/units.h"
#include "cluster/core/topics.h"
#include "cluster/core/typed_json.h"

namespace sse::cluster {
namespace {

constexpr std::chrono::milliseconds kLookForNodes{3000};
constexpr std::size_t kMaxShownNodes = 5;  // in an error

RedisBus::Options bus_options(const RedisClusterOptions& options) {
  RedisBus::Options bus;
  bus.link = link_options(options);
  bus.prefix = options.prefix;
  bus.node = bus_name("client-" + std::to_string(getpid()));
  return bus;
}

RedisDiscovery::Options discovery_options(const RedisClusterOptions& options) {
  RedisDiscovery::Options discovery;
  discovery.prefix = options.prefix;
  return discovery;
}

}  // namespace

ClusterClient::ClusterClient(const RedisClusterOptions& options)
    : address_(parse_redis_address(options.address).str()), option_("--cluster") {
  auto bus = std::make_unique<RedisBus>(bus_options(options));
  RedisBus& redis = *bus;
  bus_ = std::move(bus);
  discovery_ = std::make_unique<RedisDiscovery>(redis.link(), discovery_options(options));
  redis.start(ignore_commands_);
  redis.require_up(options.connect_timeout);
}

ClusterClient::ClusterClient(const HttpClusterOptions& options)
    : address_(shown_discovery(options.discovery)), option_("--discovery") {
  HttpClientParts parts =
      open_http_client(options, bus_name("client-" + std::to_string(getpid())), ignore_commands_, metrics_);
  mesh_ = parts.bus.get();
  bus_ = std::move(parts.bus);
  discovery_ = std::move(parts.discovery);
}

ClusterClient::~ClusterClient() {
  bus_->stop();
}

// Over HTTP with static addresses it takes a moment until the first node has identified itself.
std::vector<Node> ClusterClient::find_nodes(std::chrono::milliseconds timeout) {
  const SteadyTime deadline =
      Clock::system().steady_now() + std::min<std::chrono::milliseconds>(timeout, kLookForNodes);
  for (;;) {
    std::vector<Node> nodes = discovery_->nodes();
    if (!nodes.empty() || mesh_ == nullptr || Clock::system().steady_now() > deadline) return nodes;
    Clock::system().sleep_for(std::chrono::milliseconds(20));
  }
}

std::string ClusterClient::why_unreachable() const {
  std::string why;
  std::size_t shown = 0;
  for (const HttpBus::Seen& node : mesh_ != nullptr ? mesh_->unreachable() : std::vector<HttpBus::Seen>()) {
    if (shown++ == kMaxShownNodes) return why + "; and others";
    why += (why.empty() ? "" : "; ") + node.address + ": " + node.why;
  }
  return why;
}

RawResponse ClusterClient::handle(const RawRequest& request, std::chrono::milliseconds timeout) {
  if (mesh_ != nullptr) mesh_->set_hold(timeout);
  std::vector<Node> nodes = find_nodes(timeout);
  if (nodes.empty()) {
    if (const std::string why = why_unreachable(); !why.empty())
      throw Error(ErrorCode::kUnavailable, "no node of the cluster at " + address_ + " can be reached: " + why);
    throw Error(ErrorCode::kUnavailable, "no node is in the cluster at " + address_ + "; start one with 'sse-serve " +
                                             option_ + " " + address_ + "'");
  }
  std::string why_none;
  std::erase_if(nodes, [&](const Node& node) {
    const std::string why = why_refused(node.wire, node.id);
    if (!why.empty()) why_none = why;
    return !why.empty();
  });
  if (nodes.empty()) throw Error(ErrorCode::kUnavailable, why_none);
  // Any node will do: a random one spreads the load. A node that is stopping is the last choice.
  std::shuffle(nodes.begin(), nodes.end(), std::minstd_rand(std::random_device{}()));
  std::stable_partition(nodes.begin(), nodes.end(),
                        [](const Node& node) { return text_in(node.facts, "state") == "ready"; });
  const std::string bytes = encode(RequestCommand{RequestEntry::kCluster, "", request.text()});
  for (const Node& node : nodes) {
    const Replies answers = std::move(bus_->start_call({{node_topic(node.number), bytes}})->wait(timeout).front());
    if (!answers.answers.empty()) return RawResponse::parse(answers.answers.front().bytes);
    if (!answers.failure.empty()) throw Error(ErrorCode::kUnavailable, answers.failure);
    if (answers.silent != 0) {
      throw Error(ErrorCode::kTimeout, "node '" + node.id + "' did not answer within " + format_duration(timeout) +
                                           "; the request may have been carried out; increase --timeout");
    }
    // That node has just left and received nothing: try another one.
  }
  throw Error(ErrorCode::kUnavailable, "no node of the cluster at " + address_ + " can be reached");
}

}  // namespace sse::cluster
