#include "cluster/core/cluster.h"

#include <algorithm>
#include <random>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "cluster/core/topics.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::cluster {
namespace {

constexpr std::size_t kThreadsOfAKind = 16;
constexpr std::chrono::seconds kThreadIdle{10};
constexpr std::size_t kMaxRequests = 1000;
// Programs that publish in the cluster may invent names.
constexpr std::size_t kMaxRefused = 10'000;

}  // namespace

void require_node_id(const std::string& id) {
  const bool fits = !id.empty() && id.size() <= 200 && is_valid_utf8(id) &&
                    std::ranges::none_of(id, [](unsigned char c) { return c <= ' ' || c == '~' || c == 0x7f; });
  if (!fits) {
    throw Error(
        ErrorCode::kInvalidArgument,
        "--server-id '" + printable(id, 60) + "' is not valid in a cluster: at most 200 bytes without blanks and '~'");
  }
}

std::string bus_name(const std::string& node_id) {
  std::random_device random;
  return node_id + "~" + std::to_string(random()) + std::to_string(random());
}

std::string node_of(const std::string& bus_name) {
  return bus_name.substr(0, bus_name.rfind('~'));
}

Cluster::Cluster(Options options, std::unique_ptr<Bus> bus, std::unique_ptr<Discovery> discovery,
                 observe::Registry& metrics)
    : options_(std::move(options)),
      bus_(std::move(bus)),
      discovery_(std::move(discovery)),
      interest_(*bus_),
      run_(bus_name(options_.node)),
      cluster_requests_("sse-node-orders", 0, kThreadsOfAKind, kMaxRequests, kThreadIdle, *options_.clock),
      admin_requests_("sse-node-asks", 0, kThreadsOfAKind, kMaxRequests, kThreadIdle, *options_.clock),
      pages_("sse-node-pages", 0, kThreadsOfAKind, kMaxRequests, kThreadIdle, *options_.clock),
      store_queries_("sse-node-stores", 0, kThreadsOfAKind, kMaxRequests, kThreadIdle, *options_.clock),
      sent_(metrics.counter("sse_cluster_sent_total", "Commands sent to other nodes")),
      received_(metrics.counter("sse_cluster_received_total", "Commands received from other nodes")),
      unanswered_(metrics.counter("sse_cluster_unanswered_total", "Replies of other nodes that were not in time")),
      nodes_gauge_(metrics.gauge("sse_cluster_nodes", "Nodes alive, this one included")),
      up_gauge_(metrics.gauge("sse_cluster_up", "1 while the other nodes can be reached, 0 while degraded")) {}

unsigned Cluster::join(LocalNode& local) {
  local_ = &local;
  number_ = discovery_->join(options_.node, local.facts());
  const MutexLock lock(mutex_);
  nodes_ = {Node{options_.node, number_, event::Json::object()}};
  return number_;
}

void Cluster::start() {
  started_.store(true);
  interest_.acquire({broadcast_topic(), node_topic(number_)}, [] {});
  beat();
  heartbeat_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "sse-cluster");
    run_heartbeat();
  });
}

void Cluster::stop() {
  {
    const MutexLock lock(mutex_);
    if (std::exchange(stopping_, true)) return;
    changed_.notify_all();
  }
  if (heartbeat_.joinable()) heartbeat_.join();
  if (local_.load() != nullptr) discovery_->leave();
  bus_->stop();
  for (net::WorkerPool* pool : {&cluster_requests_, &admin_requests_, &pages_, &store_queries_}) pool->stop();
}

void Cluster::run_heartbeat() {
  for (;;) {
    {
      const SteadyTime next = options_.clock->steady_now() + options_.heartbeat;
      const MutexLock lock(mutex_);
      while (!stopping_ && changed_.wait_until(mutex_, next, *options_.clock)) {
      }
      if (stopping_) return;
    }
    observe::guarded("timing out subscription waits", [this] { interest_.give_up_waiting(); });
    observe::guarded("unsubscribing unused topics", [this] { interest_.sweep(); });
    beat();
  }
}

namespace {

// Also true if the node was restarted since.
bool has_left(const Node& node, const std::vector<Node>& seen) {
  const auto start = [](const Node& one) {
    if (!one.facts.is_object()) return event::Json();
    const auto found = one.facts.find("startTime");
    return found == one.facts.end() ? event::Json() : *found;
  };
  const auto same = std::ranges::find(seen, node.id, &Node::id);
  return same == seen.end() || (!start(node).is_null() && start(node) != start(*same));
}

}  // namespace

void Cluster::beat() {
  std::string why;
  std::vector<Node> seen;
  try {
    discovery_->refresh(local_.load()->facts());
    seen = discovery_->nodes();
  } catch (const Error& e) {
    why = e.what();
  } catch (...) {
    observe::note_exception("the heartbeat of this node");
    why = "the registry of nodes cannot be used: this program failed, see its log";
  }
  const std::string bus = bus_->why_down();
  if (!bus.empty()) why = bus;
  note_versions(seen);
  if (!seen.empty()) {
    std::vector<Bus::LiveNode> live_nodes;
    for (const Node& node : seen) {
      // The bus does not wait for a node that understands none of its messages.
      if (why_refused(node.wire, node.id).empty()) live_nodes.push_back({node.id, node_topic(node.number)});
    }
    bus_->set_live_nodes(live_nodes);
  }
  bool changed = false;
  bool lost_one = false;
  {
    const MutexLock lock(mutex_);
    lost_one = !seen.empty() && std::ranges::any_of(nodes_, [&](const Node& node) { return has_left(node, seen); });
    changed = why.empty() != last_failure_.empty() || (why.empty() && !ever_up_);
    ever_up_ = ever_up_ || why.empty();
    last_failure_ = why;
    // Without the registry the live nodes are unknown: the last known ones are queried, and named if they do not reply.
    if (!seen.empty()) nodes_ = std::move(seen);
    nodes_gauge_.set(static_cast<std::int64_t>(nodes_.size()));
  }
  // That node may have died between storing a message and sending it, and a retry of its sender may have been answered
  // as a duplicate since: no other node sends the message.
  if (lost_one) local_.load()->on_messages_missed();
  const bool reply_batch = why.empty() || (options_.registry_apart && bus.empty());
  up_gauge_.set(reply_batch ? 1 : 0);
  if (!changed) return;
  if (why.empty()) {
    observe::log_info("in the cluster", {{"node", options_.node}, {"number", std::to_string(number_)}});
  } else {
    observe::log_error(reply_batch ? "degraded: the known nodes go on, but joining and leaving nodes are not seen"
                                   : "degraded: the other nodes cannot be reached, this node continues alone",
                       {{"error", why}});
  }
}

// Logs each node once per version, not once per message.
void Cluster::refused(const std::string& node, std::uint64_t version) {
  const std::string id = node_of(node);
  {
    const MutexLock lock(mutex_);
    const auto known = refused_.find(id);
    if (known == refused_.end() ? refused_.size() >= kMaxRefused : known->second == version) return;
    refused_[id] = version;
  }
  observe::log_error("refuses another node", {{"node", id}, {"error", why_refused(version, id)}});
}

void Cluster::note_versions(const std::vector<Node>& seen) {
  for (const Node& node : seen) {
    if (!why_refused(node.wire, node.id).empty()) {
      refused(node.id, node.wire);
    } else {
      const MutexLock lock(mutex_);
      refused_.erase(node.id);
    }
  }
}

void Cluster::bus_up() {
  if (!started_.load()) return;
  local_.load()->on_messages_missed();
  if (reconnected_) reconnected_();
}

void Cluster::bus_down(const std::string& why) {
  {
    const MutexLock lock(mutex_);
    if (stopping_ || !last_failure_.empty()) return;
    last_failure_ = why;
  }
  up_gauge_.set(0);
  observe::log_error("degraded: the other nodes cannot be reached, this node continues alone", {{"error", why}});
}

std::vector<Node> Cluster::nodes() const {
  const MutexLock lock(mutex_);
  return nodes_;
}

std::string Cluster::degraded() const {
  const MutexLock lock(mutex_);
  return last_failure_;
}

std::string Cluster::unlisted() const {
  const MutexLock lock(mutex_);
  const auto self = std::ranges::find(nodes_, options_.node, &Node::id);
  return self == nodes_.end() ? "" : self->unlisted;
}

std::string Cluster::refusal_of(unsigned number) const {
  const MutexLock lock(mutex_);
  const auto found = std::ranges::find(nodes_, number, &Node::number);
  return found == nodes_.end() ? "" : why_refused(found->wire, found->id);
}

std::vector<std::string> Cluster::others() const {
  std::vector<std::string> ids;
  const MutexLock lock(mutex_);
  for (const Node& node : nodes_) {
    if (node.id != options_.node) ids.push_back(node.id);
  }
  return ids;
}

bool Cluster::is_other(unsigned number) const {
  if (number == number_) return false;
  const MutexLock lock(mutex_);
  return std::ranges::any_of(nodes_, [&](const Node& node) { return node.number == number; });
}

}  // namespace sse::cluster
