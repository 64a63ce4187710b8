#include "cluster/nacos/nacos_discovery.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cluster/core/node_number.h"
#include "cluster/core/typed_json.h"
#include "net/listener.h"

namespace sse::cluster {
namespace {

constexpr const char* kId = "sse-id";
constexpr const char* kNumber = "sse-number";
constexpr const char* kRun = "sse-run";
constexpr const char* kSecret = "sse-secret";
constexpr const char* kFacts = "sse-facts";
constexpr const char* kSince = "sse-since";
constexpr const char* kWireName = "sse-wire";
constexpr std::chrono::milliseconds kPollInterval{200};
constexpr unsigned kMaxAttempts = 20;
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

}  // namespace

struct NacosDiscovery::Entry {
  NacosInstance instance;
  Node node;
  std::string run;
  std::string since;
  std::string address;

  bool live() const { return instance.healthy && instance.enabled; }
};

NacosDiscovery::NacosDiscovery(Options options)
    : options_(std::move(options)), clock_(*options_.nacos.clock), client_(options_.nacos) {}

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

void NacosDiscovery::refuse_id() const {
  throw Error(ErrorCode::kConflict,
              "another node of this cluster has the id '" + printable(id_) + "'; give each node its own --server-id");
}

std::vector<NacosDiscovery::Entry> NacosDiscovery::remove_stale_entries() {
  const SteadyTime deadline = clock_.steady_now() + options_.join_timeout;
  for (;;) {
    std::vector<Entry> all = entries();
    bool in_the_way = false;
    for (const Entry& entry : all) {
      // An entry with this node's own address can only be of an earlier run.
      if (entry.node.id != id_ || entry.run == options_.run || entry.address == options_.address || !entry.live())
        continue;
      const Liveness life =
          options_.probe_liveness ? options_.probe_liveness(entry.address, id_, entry.run) : Liveness::kUnknown;
      if (life == Liveness::kAlive) refuse_id();
      if (life == Liveness::kDead) {
        client_.remove(entry.instance);
      } else {
        in_the_way = true;
      }
    }
    if (!in_the_way) return all;
    if (clock_.steady_now() > deadline) refuse_id();
    clock_.sleep_for(kPollInterval);
  }
}

void NacosDiscovery::enter(bool settled) {
  client_.enter(instance(settled));
  published_ = beaten_ = clock_.steady_now();
}

// Waits until Nacos shows this node. The returned entries were read after this node was registered.
std::vector<NacosDiscovery::Entry> NacosDiscovery::wait_to_be_seen() {
  const SteadyTime deadline = clock_.steady_now() + options_.join_timeout;
  for (;;) {
    std::vector<Entry> all = entries();
    const bool seen = std::ranges::any_of(all, [&, number = number_](const Entry& entry) {
      return entry.run == options_.run && entry.node.number == number && entry.address == options_.address;
    });
    if (seen) return all;
    if (clock_.steady_now() > deadline) {
      throw Error(ErrorCode::kUnavailable, "Nacos registered this node but does not list it within " +
                                               format_duration(options_.join_timeout) + "; see the log of Nacos");
    }
    clock_.sleep_for(kPollInterval);
    if (clock_.steady_now() - beaten_ > options_.beat && client_.beat(instance(false))) beaten_ = clock_.steady_now();
  }
}

unsigned NacosDiscovery::join(const std::string& id, const event::Json& facts) {
  const MutexLock lock(mutex_);
  id_ = id;
  facts_ = latest_ = facts;
  std::vector<Entry> all = remove_stale_entries();
  for (unsigned attempt = 0; attempt < kMaxAttempts; ++attempt) {
    std::set<unsigned> taken;
    const auto others = [&](const Entry& entry) {
      return entry.run != options_.run && entry.address != options_.address && entry.node.id != id;
    };
    for (const Entry& entry : all) {
      if (others(entry)) taken.insert(entry.node.number);
    }
    number_ = pick_number(id_, taken, attempt);
    enter(false);
    all = wait_to_be_seen();
    bool clash = false;
    for (const Entry& entry : all) {
      if (entry.node.id == id_ && entry.run != options_.run && entry.address != options_.address && entry.live()) {
        client_.remove(instance(false));
        refuse_id();
      }
      clash = clash || (others(entry) && entry.node.number == number_);
    }
    if (clash) continue;
    enter(true);
    joined_ = true;
    return number_;
  }
  client_.remove(instance(false));
  throw Error(ErrorCode::kUnavailable,
              "could not agree on a number with the nodes that start at the same time; "
              "start this node again");
}

void NacosDiscovery::refresh(const event::Json& facts) {
  const MutexLock lock(mutex_);
  if (!joined_) return;
  latest_ = facts;
  const SteadyTime now = clock_.steady_now();
  const bool other_state = state_in(facts) != state_in(facts_);
  if (other_state || (facts != facts_ && now - published_ >= options_.facts_every)) {
    facts_ = facts;
    enter(true);
  } else if (now - beaten_ >= std::min(options_.beat, client_.beat_interval())) {
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
    if (!std::exchange(joined_, false)) return;
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
      if (entry.node.id != id_ && why_refused(entry.node.wire, entry.node.id).empty())
        peers.push_back({entry.address, value_of(entry.instance, kSecret), entry.node.id});
      if (entry.run == options_.run) entry.node.facts = latest_;
      // A node that is about to join may still change its number.
      if (!entry.since.empty()) nodes.push_back(std::move(entry.node));
    }
  }
  if (options_.on_peers) options_.on_peers(peers);
  return nodes;
}

}  // namespace sse::cluster
