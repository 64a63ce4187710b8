#include "cluster/client.h"

#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>

#include "base/error.h"
#include "base/units.h"
#include "cluster/topics.h"

namespace sse::cluster {
namespace {

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
    : address_(parse_redis_address(options.address).str()),
      bus_(bus_options(options)),
      discovery_(bus_.link(), discovery_options(options)) {
  bus_.start(deaf_);
  try {
    bus_.require_up(options.connect_patience);
  } catch (...) {
    bus_.stop();
    throw;
  }
}

ClusterClient::~ClusterClient() {
  bus_.stop();
}

RawResponse ClusterClient::handle(const RawRequest& request, std::chrono::milliseconds patience) {
  std::vector<Node> nodes = discovery_.nodes();
  if (nodes.empty()) {
    throw Error(ErrorCode::kUnavailable,
                "no node is in the cluster at " + address_ + "; start one with 'sse-serve --cluster " + address_ + "'");
  }
  // Any will do: one by chance shares the work. One that is about to stop only when there is no other.
  std::shuffle(nodes.begin(), nodes.end(), std::minstd_rand(std::random_device{}()));
  std::ranges::stable_partition(nodes, [](const Node& node) { return node.facts.value("state", "") == "ready"; });
  const std::string bytes = encode(RequestCommand{Door::kCluster, "", request.text()});
  for (const Node& node : nodes) {
    const Answers answers = std::move(bus_.ask({{node_topic(node.number), bytes}})->wait(patience).front());
    if (!answers.answers.empty()) return RawResponse::parse(answers.answers.front().bytes);
    if (!answers.failure.empty()) throw Error(ErrorCode::kUnavailable, answers.failure);
    if (answers.silent != 0) {
      throw Error(ErrorCode::kTimeout, "node '" + node.id + "' did not answer within " + format_duration(patience) +
                                           "; what was asked may have been done; give it longer with --timeout");
    }
    // It has just gone, and got nothing: another one.
  }
  throw Error(ErrorCode::kUnavailable, "no node of the cluster at " + address_ + " can be reached");
}

}  // namespace sse::cluster
