#include "cluster/core/cluster.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cluster/core/topics.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::cluster {
namespace {

constexpr std::size_t kThreadsOfAKind = 16;
constexpr std::chrono::seconds kThreadIdle{10};
constexpr std::size_t kMaxRequests = 1000;
// Followed by the reason.
constexpr char kUnread = '!';
// Programs that publish in the cluster may invent names.
constexpr std::size_t kMaxRefused = 10'000;
constexpr const char* kPieceRefused = "503 the node of that connection is busy; try again later";

std::string too_busy(const std::string& node) {
  const std::string why =
      "node '" + node + "' is too busy or stopping, and has not handled the request; try again later\n";
  return "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Type: text/plain; charset=utf-8\r\n"
         "Content-Length: " +
         std::to_string(why.size()) + "\r\n\r\n" + why;
}

// Whether a node that may have data did not reply.
bool is_partial(const Replies& answers) {
  return !answers.failure.empty() || answers.silent != 0;
}

std::uint32_t taken_in(const std::string& text) {
  std::uint32_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

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

std::shared_ptr<PendingCall> Cluster::deliver(const std::vector<DeliverCommand>& commands) {
  std::vector<Command> out;
  out.reserve(commands.size());
  for (const DeliverCommand& command : commands)
    out.push_back({receiver_topic(command.service, command.kind, command.name), encode(command)});
  sent_.add(out.size());
  return bus_->start_call(out);
}

// A bus may not name silent nodes: then every known node that has not replied may be one.
std::vector<std::string> Cluster::unanswering_nodes(const std::vector<Replies>& all) const {
  if (std::ranges::none_of(all, is_partial)) return {};
  std::set<std::string> named;
  bool any_silent = false;
  const std::vector<std::string> known = others();
  for (const Replies& answers : all) {
    if (!is_partial(answers)) continue;
    if (!answers.missing.empty()) {
      for (const std::string& name : answers.missing) named.insert(node_of(name));
      continue;
    }
    any_silent = any_silent || answers.silent != 0;
    std::set<std::string> replied;
    for (const auto& [node, bytes] : answers.answers) replied.insert(node_of(node));
    for (const std::string& id : known) {
      if (!replied.contains(id)) named.insert(id);
    }
  }
  if (any_silent && named.empty()) named.insert("(a node that is gone or frozen)");
  return {named.begin(), named.end()};
}

Cluster::Delivered Cluster::finish(PendingCall& pending_call, std::size_t count) {
  return delivered_of(pending_call.wait(options_.timeout), count);
}

void Cluster::finish_async(const std::shared_ptr<PendingCall>& pending_call, std::size_t count,
                           std::function<void(Delivered)> done) {
  pending_call->then(options_.timeout, [this, count, done = std::move(done)](const std::vector<Replies>& all) {
    done(delivered_of(all, count));
  });
}

Cluster::Delivered Cluster::delivered_of(const std::vector<Replies>& all, std::size_t count) {
  Delivered delivered;
  delivered.taken.resize(count);
  for (std::size_t i = 0; i < all.size() && i < count; ++i) {
    for (const auto& [node, bytes] : all[i].answers) delivered.taken[i] += taken_in(bytes);
    unanswered_.add(all[i].silent);
  }
  delivered.missing = unanswering_nodes(all);
  return delivered;
}

std::shared_ptr<PendingCall> Cluster::pass_on(const RequestCommand& command) {
  sent_.add();
  return bus_->start_call({{broadcast_topic(), encode(command)}});
}

Cluster::Responses Cluster::finish(PendingCall& pending_call) {
  Replies answers = std::move(pending_call.wait(options_.timeout).front());
  unanswered_.add(answers.silent);
  Responses responses;
  std::set<std::string> replied;
  for (auto& [node, bytes] : answers.answers) {
    replied.insert(node_of(node));
    responses.responses.push_back({node_of(node), std::move(bytes)});
  }
  // A registered node that did not receive the request is missing, too.
  for (const std::string& id : others()) {
    if (!replied.contains(id)) responses.missing.push_back(id);
  }
  // So is a node that is no longer registered but still subscribed.
  for (const std::string& name : answers.missing) {
    if (std::ranges::find(responses.missing, node_of(name)) == responses.missing.end())
      responses.missing.push_back(node_of(name));
  }
  std::ranges::sort(responses.missing);
  std::ranges::sort(responses.responses, {}, &Replies::One::node);
  return responses;
}

std::string Cluster::pass_on(unsigned number, const RequestCommand& command, std::chrono::milliseconds timeout) {
  return call_node(number, encode(command), timeout);
}

std::string Cluster::pass_on(unsigned number, const BodyCommand& command) {
  return call_node(number, encode(command), options_.timeout);
}

std::string Cluster::new_transfer() {
  return run_ + "-" + std::to_string(transfers_.fetch_add(1, std::memory_order_relaxed));
}

std::string Cluster::call_node(unsigned number, std::string command, std::chrono::milliseconds timeout) {
  if (const std::string why = refusal_of(number); !why.empty()) throw Error(ErrorCode::kUnavailable, why);
  sent_.add();
  const auto pending_call = bus_->start_call({{node_topic(number), std::move(command)}});
  Replies answers = std::move(pending_call->wait(timeout).front());
  if (!answers.answers.empty()) return std::move(answers.answers.front().bytes);
  if (!answers.failure.empty()) throw Error(ErrorCode::kUnavailable, answers.failure);
  if (answers.silent != 0) {
    unanswered_.add(answers.silent);
    throw Error(ErrorCode::kTimeout, "the node of that connection did not answer within " + format_duration(timeout) +
                                         "; the request may have been carried out");
  }
  throw Error(ErrorCode::kUnavailable, "the node of that connection is gone");
}

std::vector<Cluster::Streams> Cluster::connections_of(const std::vector<ClientCommand>& clients) {
  std::vector<Command> out;
  out.reserve(clients.size());
  for (const ClientCommand& client : clients)
    out.push_back({receiver_topic(client.service, event::TargetKind::kUser, client.user), encode(client)});
  sent_.add(out.size());
  const std::vector<Replies> all = bus_->start_call(out)->wait(options_.timeout);
  std::vector<Streams> found(clients.size());
  for (std::size_t i = 0; i < all.size() && i < found.size(); ++i) {
    found[i].unread = is_partial(all[i]);
    for (const auto& [node, bytes] : all[i].answers) {
      const std::vector<ConnectionId> ids = decode_ids(bytes);
      found[i].ids.insert(found[i].ids.end(), ids.begin(), ids.end());
    }
  }
  return found;
}

Cluster::FoundStates Cluster::find_delivery_states(const std::vector<DeliveryStateCommand>& messages) {
  FoundStates found_states;
  std::vector<Place>& places = found_states.places;
  places.resize(messages.size());
  found_states.unread.resize(messages.size());
  if (messages.empty()) return found_states;
  std::vector<Command> out;
  out.reserve(messages.size());
  for (const DeliveryStateCommand& message : messages)
    out.push_back({receiver_topic(message.service, message.kind, message.name), encode(message)});
  sent_.add(out.size());
  const std::vector<Replies> all = bus_->start_call(out)->wait(options_.timeout);
  std::set<std::string> failed;
  for (std::size_t i = 0; i < all.size() && i < places.size(); ++i) {
    found_states.unread[i] = is_partial(all[i]);
    unanswered_.add(all[i].silent);
    for (const auto& [node, bytes] : all[i].answers) {
      const std::optional<Place> theirs = decode_place(bytes);
      if (!theirs) {
        found_states.unread[i] = true;
        failed.insert(node_of(node));
        continue;
      }
      places[i].state = std::max(places[i].state, theirs->state);
      places[i].connection = std::max(places[i].connection, theirs->connection);
    }
  }
  for (std::string& node : unanswering_nodes(all)) failed.insert(std::move(node));
  found_states.missing.assign(failed.begin(), failed.end());
  return found_states;
}

void Cluster::replace(unsigned number, const ReplaceCommand& command) {
  sent_.add();
  bus_->start_call({{node_topic(number), encode(command)}});
}

void Cluster::received(std::vector<Bus::Incoming> commands, Bus::ReplyBatch reply_batch) {
  received_.add(commands.size());
  LocalNode* const local = local_.load();
  if (local == nullptr) {
    // Other nodes have no reason to send commands before this node is registered.
    for (const Bus::Incoming& incoming : commands) incoming.answer("");
    return;
  }
  std::vector<DeliverCommand> events;
  std::vector<std::function<void(std::string)>> event_replies;
  std::vector<ClientCommand> clients;
  std::vector<std::function<void(std::string)>> client_replies;
  std::vector<DeliveryStateCommand> places;
  std::vector<std::function<void(std::string)>> state_replies;
  for (Bus::Incoming& incoming : commands) {
    try {
      auto decoded = decode(incoming.bytes);
      if (auto* event = std::get_if<DeliverCommand>(&decoded)) {
        events.push_back(std::move(*event));
        event_replies.push_back(std::move(incoming.answer));
      } else if (auto* client = std::get_if<ClientCommand>(&decoded)) {
        clients.push_back(std::move(*client));
        client_replies.push_back(std::move(incoming.answer));
      } else if (auto* place = std::get_if<DeliveryStateCommand>(&decoded)) {
        places.push_back(std::move(*place));
        state_replies.push_back(std::move(incoming.answer));
      } else if (const auto* replace = std::get_if<ReplaceCommand>(&decoded)) {
        local->replace(*replace);
        incoming.answer("");
      } else if (auto* request = std::get_if<RequestCommand>(&decoded)) {
        net::WorkerPool& pool = pool_for(request->entry);
        handle(
            pool, std::move(incoming),
            [local, command = std::move(*request)](Answer answer) { local->handle_async(command, std::move(answer)); },
            too_busy(options_.node));
      } else if (auto* piece = std::get_if<BodyCommand>(&decoded)) {
        // In the pool of page requests: a chunk waits only as long as they do.
        handle(
            pages_, std::move(incoming),
            [local, command = std::move(*piece)](const Answer& answer) { answer(local->store_body_chunk(command)); },
            kPieceRefused);
      } else {
        handle(
            store_queries_, std::move(incoming),
            [this, command = std::move(std::get<StoreCommand>(decoded))](const Answer& answer) {
              answer(query_store(command.bytes));
            },
            kUnread + std::string("it is too busy or stopping"));
      }
    } catch (const Error& e) {
      observe::log_error("refused a command of another node",
                         {{"node", node_of(incoming.origin)}, {"error", e.what()}});
      incoming.answer("");
    } catch (...) {
      observe::note_exception("a command of another node");
      if (incoming.answer) incoming.answer("");
    }
  }
  // Events that arrive together are sent to the streams together.
  if (!events.empty()) {
    local->deliver(std::move(events), [reply_batch = std::move(reply_batch), event_replies = std::move(event_replies)](
                                          const std::vector<std::uint32_t>& taken) {
      for (std::size_t i = 0; i < event_replies.size(); ++i) event_replies[i](std::to_string(taken.at(i)));
    });
  }
  if (!clients.empty()) {
    const auto found = local->connections_of(clients);
    for (std::size_t i = 0; i < client_replies.size(); ++i) client_replies[i](encode_ids(found.at(i)));
  }
  if (!places.empty()) {
    const std::vector<Place> found = local->find_delivery_states(places);
    for (std::size_t i = 0; i < state_replies.size(); ++i) state_replies[i](encode_place(found.at(i)));
  }
}

std::string Cluster::query_store(const std::string& bytes) {
  try {
    return store_ ? store_(bytes) : std::string();
  } catch (const Error& e) {
    observe::log_error("cannot answer another node's query of pending messages", {{"error", e.what()}});
    return kUnread + std::string(e.what());
  }
}

bool is_unread(std::string_view answer) {
  return answer.starts_with(kUnread);
}

std::string unread_reason(std::string_view answer) {
  return printable(answer.substr(std::min<std::size_t>(1, answer.size())), 300);
}

net::WorkerPool& Cluster::pool_for(RequestEntry entry) {
  switch (entry) {
    case RequestEntry::kPages:
      return pages_;
    case RequestEntry::kCluster:
      return cluster_requests_;
    case RequestEntry::kAdmin:
      break;
  }
  return admin_requests_;
}

void Cluster::handle(net::WorkerPool& pool, Bus::Incoming incoming, std::function<void(Answer)> work,
                     std::string unless) {
  // Replies at the latest when the last reference to it is released.
  class SingleReply {
   public:
    SingleReply(Answer answer, std::string otherwise) : answer_(std::move(answer)), fallback_(std::move(otherwise)) {}
    SingleReply(const SingleReply&) = delete;
    SingleReply& operator=(const SingleReply&) = delete;
    ~SingleReply() { give(std::move(fallback_)); }
    void give(std::string text) {
      if (given_.exchange(true)) return;
      observe::guarded("the answer to another node", [&] { answer_(std::move(text)); });
    }

   private:
    const Answer answer_;
    std::string fallback_;
    std::atomic<bool> given_{false};
  };
  const auto once = std::make_shared<SingleReply>(std::move(incoming.answer), std::move(unless));
  pool.submit([once, todo = std::move(work)] {
    observe::guarded("a request of another node",
                     [&] { todo([once](std::string text) { once->give(std::move(text)); }); });
  });
}

}  // namespace sse::cluster
