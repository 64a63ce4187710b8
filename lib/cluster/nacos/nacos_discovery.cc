#include "cluster/nacos/nacos_discovery.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cluster/core/typed_json.h"
#include "net/listener.h"
#include "observe/log.h"

namespace sse::cluster {
namespace {

constexpr const char* kId = "sse-id";
constexpr const char* kNumber = "sse-number";
constexpr const char* kRun = "sse-run";
constexpr const char* kSecret = "sse-secret";
constexpr const char* kFacts = "sse-facts";
constexpr const char* kSince = "sse-since";
constexpr const char* kWireName = "sse-wire";
constexpr const char* kDisabled = "disabled in Nacos";
// Nacos accepts 1024 characters of metadata in total, names included.
constexpr std::size_t kMaxMetadata = 1000;

std::string value_of(const NacosInstance& instance, const char* name) {
  const auto found = instance.metadata.find(name);
  return found == instance.metadata.end() ? std::string() : found->second;
}

std::string state_in(const event::Json& facts) {
  return facts.is_object() ? event::string_field(facts, "state") : std::string();
}

std::size_t size_of(const std::map<std::string, std::string>& metadata) {
  std::size_t n = 0;
  for (const auto& [name, value] : metadata) n += name.size() + value.size();
  return n;
}

NacosClient::Options client_options(NacosClient::Options client, bool shared_secret) {
  client.secret_entry = kSecret;
  client.omit_secret = shared_secret;
  return client;
}

}  // namespace

NacosDiscovery::NacosDiscovery(Options options)
    : options_(std::move(options)),
      clock_(*options_.nacos.clock),
      client_(client_options(options_.nacos, options_.shared_secret)) {}

NacosInstance NacosDiscovery::instance(bool settled) const {
  const net::ListenAddress at = net::ListenAddress::parse(options_.address);
  NacosInstance made;
  made.ip = at.host;
  made.port = at.port;
  made.metadata = {{kId, id_},
                   {kNumber, std::to_string(number_)},
                   {kRun, options_.run},
                   {kSecret, options_.secret},
                   {kWireName, std::to_string(kWireVersion)},
                   {"preserved.heart.beat.interval", std::to_string(options_.beat.count())},
                   {"preserved.heart.beat.timeout", std::to_string(options_.unhealthy_after.count())},
                   {"preserved.ip.delete.timeout", std::to_string(options_.removed_after.count())}};
  if (settled) made.metadata[kSince] = std::to_string(to_millis(clock_.wall_now()));
  made.metadata[kFacts] = event::dump_json(facts_);
  if (size_of(made.metadata) > kMaxMetadata) {
    event::Json few = event::Json::object();
    for (const char* name : {"url", "version", "state"}) {
      if (facts_.is_object() && facts_.contains(name)) few[name] = facts_[name];
    }
    made.metadata[kFacts] = event::dump_json(few);
  }
  return made;
}

std::vector<NacosDiscovery::Entry> NacosDiscovery::entries() {
  std::vector<Entry> entries;
  for (NacosInstance& instance : client_.instances()) {
    Entry entry;
    entry.node.id = value_of(instance, kId);
    const std::string number = value_of(instance, kNumber);
    const auto [stop, error] = std::from_chars(number.data(), number.data() + number.size(), entry.node.number);
    // Another program that uses the service's name is not a node.
    if (entry.node.id.empty() || error != std::errc{} || entry.node.number >= kNodeNumbers) continue;
    entry.run = value_of(instance, kRun);
    entry.since = value_of(instance, kSince);
    entry.node.wire = whole_number(value_of(instance, kWireName)).value_or(kUnstatedWireVersion);
    net::ListenAddress at;
    at.host = instance.ip;
    at.port = instance.port;
    entry.address = at.str();
    entry.node.facts = read_facts(value_of(instance, kFacts));
    entry.instance = std::move(instance);
    entries.push_back(std::move(entry));
  }
  return entries;
}

void NacosDiscovery::enter(bool settled) {
  client_.enter(instance(settled));
  published_ = beaten_ = listed_ = clock_.steady_now();
}

void NacosDiscovery::refresh(const event::Json& facts) {
  const MutexLock lock(mutex_);
  if (!joined_) return;
  latest_ = facts;
  say_hello();
  const SteadyTime now = clock_.steady_now();
  const bool other_state = state_in(facts) != state_in(facts_);
  if (!registered_) {
    facts_ = facts;
    register_late();
  } else if (!disabled_ && (other_state || (facts != facts_ && now - published_ >= options_.facts_every))) {
    facts_ = facts;
    enter(true);
  } else if (now - beaten_ >= std::min(options_.beat, client_.beat_interval())) {
    // A disabled node publishes no facts: no node would read them, and to Nacos 1 they would enable it.
    if (!client_.beat(instance(true))) enter(true);
    beaten_ = now;
  }
  if (conflict_.empty()) return;
  look_for_conflict(entries());
  if (!conflict_.empty()) throw Error(ErrorCode::kConflict, conflict_);
}

void NacosDiscovery::leave() noexcept {
  try {
    const MutexLock lock(mutex_);
    if (!std::exchange(joined_, false) || !std::exchange(registered_, false)) return;
    client_.remove(instance(true));
  } catch (const std::exception&) {
    // The entry expires.
  }
}

void NacosDiscovery::look_for_conflict(const std::vector<Entry>& all) {
  conflict_.clear();
  for (const Entry& entry : all) {
    if (!entry.live() || entry.run == options_.run || entry.address == options_.address || entry.since.empty())
      continue;
    if (entry.node.id == id_) {
      conflict_ = "another node of this cluster has the id '" + printable(id_) + "'; give each its own --server-id";
    } else if (entry.node.number == number_) {
      conflict_ = "node '" + printable(entry.node.id) + "' took this node's number while it was away; restart one";
    }
  }
}

// `listed`: in the list that was just read.
void NacosDiscovery::note_listed(bool listed) {
  const SteadyTime now = clock_.steady_now();
  if (listed) listed_ = now;
  // Nacos knows the node, for it has accepted a later heartbeat.
  const bool disabled = registered_ && beaten_ > listed_ && now - listed_ >= options_.unlisted_after;
  if (std::exchange(disabled_, disabled) == disabled) return;
  if (disabled_) {
    observe::log_warn("this node is disabled in Nacos: other programs do not find it there; its streams go on",
                      {{"node", id_}, {"nacos", options_.nacos.address.str()}});
  } else {
    observe::log_info("Nacos lists this node again", {{"node", id_}});
  }
}

// What the other nodes need to know of this one while Nacos does not list it.
void NacosDiscovery::say_hello() {
  if (!options_.on_hello) return;
  event::Json hello{{"id", id_}, {"run", options_.run}, {"number", number_}, {"settled", true}};
  if (disabled_) {
    hello["unlisted"] = kDisabled;
    hello["facts"] = latest_;
  }
  if (hello == hello_) return;
  hello_ = hello;
  options_.on_hello(hello);
}

// Nodes that Nacos does not list, but that answer this one.
void NacosDiscovery::add_unlisted(std::vector<Node>& nodes, std::vector<HttpBus::Peer>& peers) {
  std::map<std::string, std::string> unlisted;
  for (const HttpBus::Seen& seen : options_.heard ? options_.heard() : std::vector<HttpBus::Seen>()) {
    Node node;
    node.id = text_in(seen.hello, "id");
    const std::uint64_t number = count_in(seen.hello, "number", kNodeNumbers);
    const bool is_node = !node.id.empty() && number < kNodeNumbers && flag_in(seen.hello, "settled") &&
                         text_in(seen.hello, "run") == seen.name;
    node.number = static_cast<unsigned>(number);
    const bool known = std::ranges::any_of(
        nodes, [&](const Node& other) { return other.id == node.id || other.number == node.number; });
    if (!seen.up || !is_node || known || node.id == id_ || (joined_ && node.number == number_)) continue;
    const auto facts = seen.hello.find("facts");
    node.facts = facts != seen.hello.end() ? typed_facts(*facts) : facts_of_[node.id];
    node.unlisted = text_in(seen.hello, "unlisted");
    peers.push_back({seen.address, seen.secret, node.id});
    if (!node.unlisted.empty()) {
      if (unlisted_[node.id].empty())
        observe::log_warn("another node is not listed, and answers", {{"node", node.id}, {"error", node.unlisted}});
      unlisted[node.id] = node.unlisted;
    }
    nodes.push_back(std::move(node));
  }
  unlisted_ = std::move(unlisted);
}

std::vector<Node> NacosDiscovery::nodes() {
  std::vector<Entry> all = entries();
  std::erase_if(all, [](const Entry& entry) { return !entry.live(); });
  // Newest run of a node first.
  std::ranges::sort(all, [](const Entry& a, const Entry& b) {
    return std::pair(a.node.id, b.since) < std::pair(b.node.id, a.since);
  });
  std::vector<Node> nodes;
  std::vector<HttpBus::Peer> peers;
  {
    const MutexLock lock(mutex_);
    if (joined_) look_for_conflict(all);
    std::string last;
    for (Entry& entry : all) {
      if (std::exchange(last, entry.node.id) == entry.node.id) continue;
      std::string secret = value_of(entry.instance, kSecret);
      if (secret.empty() && options_.shared_secret) secret = options_.secret;
      if (entry.node.id != id_ && why_refused(entry.node.wire, entry.node.id).empty())
        peers.push_back({entry.address, secret, entry.node.id});
      if (entry.run == options_.run) entry.node.facts = latest_;
      // A node that is about to join may still change its number.
      if (!entry.since.empty()) nodes.push_back(std::move(entry.node));
    }
    if (joined_) {
      const bool listed = std::ranges::any_of(nodes, [id = id_](const Node& node) { return node.id == id; });
      note_listed(listed);
      if (!listed) nodes.push_back({id_, number_, latest_, kWireVersion, disabled_ ? kDisabled : ""});
      say_hello();
    }
    add_unlisted(nodes, peers);
    std::ranges::sort(nodes, {}, &Node::id);
    facts_of_.clear();
    for (const Node& node : nodes) facts_of_[node.id] = node.facts;
  }
  if (options_.on_peers) options_.on_peers(peers);
  return nodes;
}

}  // namespace sse::cluster
