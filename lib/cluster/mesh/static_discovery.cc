#include "cluster/mesh/static_discovery.h"

#include <algorithm>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "cluster/core/node_number.h"
#include "cluster/core/typed_json.h"
#include "net/listener.h"
#include "observe/barrier.h"

namespace sse::cluster {
namespace {

constexpr std::string_view kScheme = "static:";
constexpr unsigned kMaxNumberAttempts = 20;
constexpr std::chrono::milliseconds kAnnounceTimeout{1000};

}  // namespace

std::vector<std::string> parse_static_addresses(std::string_view text) {
  std::vector<std::string> addresses =
      text.starts_with(kScheme) ? split_list(text.substr(kScheme.size())) : std::vector<std::string>();
  if (addresses.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "'" + printable(text) +
                                                 "' names no nodes; write static:10.0.0.1:7600,10.0.0.2:7600 with the "
                                                 "--cluster-listen address of every node");
  }
  for (const std::string& address : addresses) {
    const net::ListenAddress parsed = net::ListenAddress::parse(address);
    if (parsed.is_unix() || parsed.port == 0)
      throw Error(ErrorCode::kInvalidArgument, "'" + printable(address) + "' is not the HOST:PORT of a node");
  }
  return addresses;
}

StaticDiscovery::StaticDiscovery(HttpBus& bus, Options options) : bus_(bus), options_(std::move(options)) {}

void StaticDiscovery::introduce() {
  if (std::exchange(introduced_, true)) return;
  std::vector<HttpBus::Peer> peers;
  for (const std::string& address : options_.addresses) peers.push_back({address, options_.secret, ""});
  bus_.set_peers(peers);
}

event::Json StaticDiscovery::hello(bool settled) {
  return {{"id", id_},          {"run", bus_.name()}, {"number", number_},
          {"settled", settled}, {"beat", ++beats_},   {"facts", facts_}};
}

std::vector<NodeProbe> StaticDiscovery::probe_all() const {
  std::vector<NodeProbe> probes(options_.addresses.size());
  std::vector<std::thread> threads;
  threads.reserve(probes.size());
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const auto probe = [&, i] {
      observe::guarded("probing the address of a node",
                       [&] { probes[i] = probe_node(options_.addresses[i], options_.timeout, bus_.tls()); });
    };
    try {
      threads.emplace_back(probe);
    } catch (const std::system_error&) {
      probe();  // no more threads are available
    }
  }
  for (std::thread& thread : threads) thread.join();
  return probes;
}

// As with Nacos: publish the number first, then check. Of two nodes that do so at the same time, at least one sees the
// other.
unsigned StaticDiscovery::join(const std::string& id, const event::Json& facts) {
  const MutexLock lock(mutex_);
  introduce();
  id_ = id;
  facts_ = facts;
  std::set<unsigned> taken;
  for (unsigned attempt = 0; attempt < kMaxNumberAttempts; ++attempt) {
    number_ = pick_number(id_, taken, attempt);
    bus_.set_hello(hello(false));
    taken.clear();
    for (const NodeProbe& probe : probe_all()) {
      const std::string other = text_in(probe.node_info, "id");
      if (other.empty() || text_in(probe.node_info, "run") == bus_.name()) continue;
      if (other == id_) {
        bus_.set_hello(nullptr);
        throw Error(ErrorCode::kConflict, "another node of this cluster has the id '" + printable(id_) +
                                              "'; give each node its own --server-id");
      }
      const std::uint64_t number = count_in(probe.node_info, "number", kNodeNumbers);
      if (number < kNodeNumbers) taken.insert(static_cast<unsigned>(number));
    }
    if (taken.contains(number_)) continue;
    joined_ = true;
    refreshed_ = bus_.clock().steady_now();
    bus_.announce(hello(true), kAnnounceTimeout);
    return number_;
  }
  bus_.set_hello(nullptr);
  throw Error(ErrorCode::kUnavailable,
              "could not agree on a number with the nodes that start at the same time; start this node again");
}

void StaticDiscovery::refresh(const event::Json& facts) {
  const MutexLock lock(mutex_);
  if (!joined_) return;
  facts_ = facts;
  const bool was_gone = bus_.clock().steady_now() - refreshed_ >= options_.ttl;
  refreshed_ = bus_.clock().steady_now();
  if (was_gone) {
    bus_.announce(hello(true), kAnnounceTimeout);
  } else {
    bus_.set_hello(hello(true));
  }
}

void StaticDiscovery::leave() noexcept {
  try {
    const MutexLock lock(mutex_);
    if (!std::exchange(joined_, false)) return;
    bus_.announce(nullptr, kAnnounceTimeout);
  } catch (const std::exception&) {
    // The other nodes notice by timeout.
  }
}

std::vector<Node> StaticDiscovery::nodes() {
  const MutexLock lock(mutex_);
  introduce();
  const std::vector<HttpBus::Seen> seen = bus_.seen();
  const SteadyTime now = bus_.clock().steady_now();
  std::vector<Node> nodes;
  if (joined_ && now - refreshed_ < options_.ttl) nodes.push_back({id_, number_, facts_});
  for (const HttpBus::Seen& one : seen) {
    const std::string id = text_in(one.hello, "id");
    const std::uint64_t number = count_in(one.hello, "number", kNodeNumbers);
    if (id.empty() || !flag_in(one.hello, "settled") || number >= kNodeNumbers) continue;
    Beat& beat = others_[one.address];
    const std::string mark = text_in(one.hello, "run") + ' ' + std::to_string(count_in(one.hello, "beat", 0));
    if (beat.mark != mark) beat = {mark, std::max(one.last_heard, now - options_.ttl)};
    if (now - beat.seen >= options_.ttl) continue;
    const auto facts = one.hello.find("facts");
    nodes.push_back(
        {id, static_cast<unsigned>(number), facts != one.hello.end() ? typed_facts(*facts) : event::Json::object()});
  }
  std::ranges::sort(nodes, {}, &Node::id);
  return nodes;
}

}  // namespace sse::cluster
