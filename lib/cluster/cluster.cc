#include "cluster/cluster.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cluster/topics.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::cluster {
namespace {

constexpr std::size_t kThreadsOfAKind = 16;
constexpr std::chrono::seconds kThreadIdle{10};
constexpr std::size_t kMaxRequests = 1000;
// Behind it: why.
constexpr char kUnread = '!';
constexpr const char* kPieceRefused = "503 the node of that connection is busy; try again later";

std::string too_busy(const std::string& node) {
  const std::string why =
      "node '" + node + "' is too busy, or stops, and has not done what was asked; try again later\n";
  return "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Type: text/plain; charset=utf-8\r\n"
         "Content-Length: " +
         std::to_string(why.size()) + "\r\n\r\n" + why;
}

// Some node that may have something to say did not.
bool is_partial(const Answers& answers) {
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
        "--server-id '" + printable(id, 60) + "' does not do in a cluster: at most 200 bytes without blanks and '~'");
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
      orders_("sse-node-orders", 0, kThreadsOfAKind, kMaxRequests, kThreadIdle, *options_.clock),
      questions_("sse-node-asks", 0, kThreadsOfAKind, kMaxRequests, kThreadIdle, *options_.clock),
      pages_("sse-node-pages", 0, kThreadsOfAKind, kMaxRequests, kThreadIdle, *options_.clock),
      stores_("sse-node-stores", 0, kThreadsOfAKind, kMaxRequests, kThreadIdle, *options_.clock),
      sent_(metrics.counter("sse_cluster_sent_total", "Commands sent to other nodes")),
      received_(metrics.counter("sse_cluster_received_total", "Commands received from other nodes")),
      unanswered_(metrics.counter("sse_cluster_unanswered_total", "Answers of other nodes that did not come in time")),
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
  interest_.acquire({everybody_topic(), node_topic(number_)}, [] {});
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
  for (net::WorkerPool* pool : {&orders_, &questions_, &pages_, &stores_}) pool->stop();
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
    observe::guarded("those who wait for a subscription", [this] { interest_.give_up_waiting(); });
    observe::guarded("topics nobody wants", [this] { interest_.sweep(); });
    beat();
  }
}

namespace {

// Or started again since.
bool is_gone(const Node& node, const std::vector<Node>& seen) {
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
  if (!seen.empty()) {
    std::vector<Bus::Living> living;
    for (const Node& node : seen) living.push_back({node.id, node_topic(node.number)});
    bus_->set_living(living);
  }
  bool changed = false;
  bool lost_one = false;
  {
    const MutexLock lock(mutex_);
    lost_one = !seen.empty() && std::ranges::any_of(nodes_, [&](const Node& node) { return is_gone(node, seen); });
    changed = why.empty() != why_lost_.empty() || (why.empty() && !ever_up_);
    ever_up_ = ever_up_ || why.empty();
    why_lost_ = why;
    // Without the registry nobody knows who lives: the last ones seen are asked, and named when they do not answer.
    if (!seen.empty()) nodes_ = std::move(seen);
    nodes_gauge_.set(static_cast<std::int64_t>(nodes_.size()));
  }
  // It may have died between storing a message and sending it, and its sender may have been told since that the message
  // is known: nobody else sends it.
  if (lost_one) local_.load()->missed_something();
  const bool together = why.empty() || (options_.registry_apart && bus.empty());
  up_gauge_.set(together ? 1 : 0);
  if (!changed) return;
  if (why.empty()) {
    observe::log_info("in the cluster", {{"node", options_.node}, {"number", std::to_string(number_)}});
  } else {
    observe::log_error(together ? "degraded: the nodes known so far go on, but who comes and goes is not seen"
                                : "degraded: the other nodes cannot be reached, this node goes on alone",
                       {{"error", why}});
  }
}

void Cluster::bus_up() {
  if (!started_.load()) return;
  local_.load()->missed_something();
  if (reunited_) reunited_();
}

void Cluster::bus_down(const std::string& why) {
  {
    const MutexLock lock(mutex_);
    if (stopping_ || !why_lost_.empty()) return;
    why_lost_ = why;
  }
  up_gauge_.set(0);
  observe::log_error("degraded: the other nodes cannot be reached, this node goes on alone", {{"error", why}});
}

std::vector<Node> Cluster::nodes() const {
  const MutexLock lock(mutex_);
  return nodes_;
}

std::string Cluster::degraded() const {
  const MutexLock lock(mutex_);
  return why_lost_;
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

std::shared_ptr<Asked> Cluster::deliver(const std::vector<DeliverCommand>& commands) {
  std::vector<Command> out;
  out.reserve(commands.size());
  for (const DeliverCommand& command : commands)
    out.push_back({receiver_topic(command.service, command.kind, command.name), encode(command)});
  sent_.add(out.size());
  return bus_->ask(out);
}

// Those that the bus says are silent have no names there: whoever is known and has not answered may be one.
std::vector<std::string> Cluster::silent_ones(const std::vector<Answers>& all) const {
  if (std::ranges::none_of(all, is_partial)) return {};
  std::set<std::string> named;
  bool somebody = false;
  const std::vector<std::string> known = others();
  for (const Answers& answers : all) {
    if (!is_partial(answers)) continue;
    if (!answers.missing.empty()) {
      for (const std::string& name : answers.missing) named.insert(node_of(name));
      continue;
    }
    somebody = somebody || answers.silent != 0;
    std::set<std::string> heard;
    for (const auto& [node, bytes] : answers.answers) heard.insert(node_of(node));
    for (const std::string& id : known) {
      if (!heard.contains(id)) named.insert(id);
    }
  }
  if (somebody && named.empty()) named.insert("(a node that is gone or frozen)");
  return {named.begin(), named.end()};
}

Cluster::Delivered Cluster::finish(Asked& asked, std::size_t count) {
  return delivered_of(asked.wait(options_.patience), count);
}

void Cluster::finish_soon(const std::shared_ptr<Asked>& asked, std::size_t count, std::function<void(Delivered)> done) {
  asked->then(options_.patience, [this, count, done = std::move(done)](const std::vector<Answers>& all) {
    done(delivered_of(all, count));
  });
}

Cluster::Delivered Cluster::delivered_of(const std::vector<Answers>& all, std::size_t count) {
  Delivered delivered;
  delivered.taken.resize(count);
  for (std::size_t i = 0; i < all.size() && i < count; ++i) {
    for (const auto& [node, bytes] : all[i].answers) delivered.taken[i] += taken_in(bytes);
    unanswered_.add(all[i].silent);
  }
  delivered.missing = silent_ones(all);
  return delivered;
}

std::shared_ptr<Asked> Cluster::pass_on(const RequestCommand& command) {
  sent_.add();
  return bus_->ask({{everybody_topic(), encode(command)}});
}

Cluster::Responses Cluster::finish(Asked& asked) {
  Answers answers = std::move(asked.wait(options_.patience).front());
  unanswered_.add(answers.silent);
  Responses responses;
  std::set<std::string> heard;
  for (auto& [node, bytes] : answers.answers) {
    heard.insert(node_of(node));
    responses.responses.push_back({node_of(node), std::move(bytes)});
  }
  // One that is entered but did not even receive it is missing, too.
  for (const std::string& id : others()) {
    if (!heard.contains(id)) responses.missing.push_back(id);
  }
  // So is one that is no more entered, but subscribed.
  for (const std::string& name : answers.missing) {
    if (std::ranges::find(responses.missing, node_of(name)) == responses.missing.end())
      responses.missing.push_back(node_of(name));
  }
  std::ranges::sort(responses.missing);
  std::ranges::sort(responses.responses, {}, &Answers::One::node);
  return responses;
}

std::string Cluster::pass_on(unsigned number, const RequestCommand& command, std::chrono::milliseconds timeout) {
  return ask_one(number, encode(command), timeout);
}

std::string Cluster::pass_on(unsigned number, const BodyCommand& command) {
  return ask_one(number, encode(command), options_.patience);
}

std::string Cluster::new_transfer() {
  return run_ + "-" + std::to_string(transfers_.fetch_add(1, std::memory_order_relaxed));
}

std::string Cluster::ask_one(unsigned number, std::string command, std::chrono::milliseconds timeout) {
  sent_.add();
  const auto asked = bus_->ask({{node_topic(number), std::move(command)}});
  Answers answers = std::move(asked->wait(timeout).front());
  if (!answers.answers.empty()) return std::move(answers.answers.front().bytes);
  if (!answers.failure.empty()) throw Error(ErrorCode::kUnavailable, answers.failure);
  if (answers.silent != 0) {
    unanswered_.add(answers.silent);
    throw Error(ErrorCode::kTimeout, "the node of that connection did not answer within " + format_duration(timeout) +
                                         "; what was asked may have been done");
  }
  throw Error(ErrorCode::kUnavailable, "the node of that connection is gone");
}

std::vector<Cluster::Streams> Cluster::connections_of(const std::vector<ClientCommand>& clients) {
  std::vector<Command> out;
  out.reserve(clients.size());
  for (const ClientCommand& client : clients)
    out.push_back({receiver_topic(client.service, event::TargetKind::kUser, client.user), encode(client)});
  sent_.add(out.size());
  const std::vector<Answers> all = bus_->ask(out)->wait(options_.patience);
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

Cluster::Located Cluster::locate(const std::vector<LocateCommand>& messages) {
  Located located;
  std::vector<Place>& places = located.places;
  places.resize(messages.size());
  located.unread.resize(messages.size());
  if (messages.empty()) return located;
  std::vector<Command> out;
  out.reserve(messages.size());
  for (const LocateCommand& message : messages)
    out.push_back({receiver_topic(message.service, message.kind, message.name), encode(message)});
  sent_.add(out.size());
  const std::vector<Answers> all = bus_->ask(out)->wait(options_.patience);
  std::set<std::string> failed;
  for (std::size_t i = 0; i < all.size() && i < places.size(); ++i) {
    located.unread[i] = is_partial(all[i]);
    unanswered_.add(all[i].silent);
    for (const auto& [node, bytes] : all[i].answers) {
      const std::optional<Place> theirs = decode_place(bytes);
      if (!theirs) {
        located.unread[i] = true;
        failed.insert(node_of(node));
        continue;
      }
      places[i].state = std::max(places[i].state, theirs->state);
      places[i].connection = std::max(places[i].connection, theirs->connection);
    }
  }
  for (std::string& node : silent_ones(all)) failed.insert(std::move(node));
  located.missing.assign(failed.begin(), failed.end());
  return located;
}

void Cluster::replace(unsigned number, const ReplaceCommand& command) {
  sent_.add();
  bus_->ask({{node_topic(number), encode(command)}});
}

void Cluster::received(std::vector<Bus::Incoming> commands, Bus::Together together) {
  received_.add(commands.size());
  LocalNode* const local = local_.load();
  if (local == nullptr) {
    // Nobody has a reason to send something before this node has entered itself.
    for (const Bus::Incoming& incoming : commands) incoming.answer("");
    return;
  }
  std::vector<DeliverCommand> events;
  std::vector<std::function<void(std::string)>> waiting;
  std::vector<ClientCommand> clients;
  std::vector<std::function<void(std::string)>> asking;
  std::vector<LocateCommand> places;
  std::vector<std::function<void(std::string)>> seeking;
  for (Bus::Incoming& incoming : commands) {
    try {
      auto decoded = decode(incoming.bytes);
      if (auto* event = std::get_if<DeliverCommand>(&decoded)) {
        events.push_back(std::move(*event));
        waiting.push_back(std::move(incoming.answer));
      } else if (auto* client = std::get_if<ClientCommand>(&decoded)) {
        clients.push_back(std::move(*client));
        asking.push_back(std::move(incoming.answer));
      } else if (auto* place = std::get_if<LocateCommand>(&decoded)) {
        places.push_back(std::move(*place));
        seeking.push_back(std::move(incoming.answer));
      } else if (const auto* replace = std::get_if<ReplaceCommand>(&decoded)) {
        local->replace(*replace);
        incoming.answer("");
      } else if (auto* request = std::get_if<RequestCommand>(&decoded)) {
        net::WorkerPool& pool = pool_for(request->door);
        handle(
            pool, std::move(incoming),
            [local, command = std::move(*request)](Answer answer) { local->handle_soon(command, std::move(answer)); },
            too_busy(options_.node));
      } else if (auto* piece = std::get_if<BodyCommand>(&decoded)) {
        // Of what a page says: it waits for no more than that does.
        handle(
            pages_, std::move(incoming),
            [local, command = std::move(*piece)](const Answer& answer) { answer(local->keep_body(command)); },
            kPieceRefused);
      } else {
        handle(
            stores_, std::move(incoming),
            [this, command = std::move(std::get<StoreCommand>(decoded))](const Answer& answer) {
              answer(ask_keeper(command.bytes));
            },
            kUnread + std::string("it is too busy, or stops"));
      }
    } catch (const Error& e) {
      observe::log_error("a command of another node is refused",
                         {{"node", node_of(incoming.origin)}, {"error", e.what()}});
      incoming.answer("");
    } catch (...) {
      observe::note_exception("a command of another node");
      if (incoming.answer) incoming.answer("");
    }
  }
  // What came in together goes to the streams together.
  if (!events.empty()) {
    local->deliver(std::move(events), [together = std::move(together),
                                       waiting = std::move(waiting)](const std::vector<std::uint32_t>& taken) {
      for (std::size_t i = 0; i < waiting.size(); ++i) waiting[i](std::to_string(taken.at(i)));
    });
  }
  if (!clients.empty()) {
    const auto found = local->connections_of(clients);
    for (std::size_t i = 0; i < asking.size(); ++i) asking[i](encode_ids(found.at(i)));
  }
  if (!places.empty()) {
    const std::vector<Place> found = local->locate(places);
    for (std::size_t i = 0; i < seeking.size(); ++i) seeking[i](encode_place(found.at(i)));
  }
}

std::string Cluster::ask_keeper(const std::string& bytes) {
  try {
    return keeper_ ? keeper_(bytes) : std::string();
  } catch (const Error& e) {
    observe::log_error("another node's question about pending messages cannot be answered", {{"error", e.what()}});
    return kUnread + std::string(e.what());
  }
}

bool is_unread(std::string_view answer) {
  return answer.starts_with(kUnread);
}

std::string unread_reason(std::string_view answer) {
  return printable(answer.substr(std::min<std::size_t>(1, answer.size())), 300);
}

net::WorkerPool& Cluster::pool_for(Door door) {
  switch (door) {
    case Door::kPages:
      return pages_;
    case Door::kCluster:
      return orders_;
    case Door::kAdmin:
      break;
  }
  return questions_;
}

void Cluster::handle(net::WorkerPool& pool, Bus::Incoming incoming, std::function<void(Answer)> work,
                     std::string unless) {
  // Answers at the latest where nobody has it any more.
  class Once {
   public:
    Once(Answer answer, std::string otherwise) : answer_(std::move(answer)), otherwise_(std::move(otherwise)) {}
    Once(const Once&) = delete;
    Once& operator=(const Once&) = delete;
    ~Once() { give(std::move(otherwise_)); }
    void give(std::string text) {
      if (given_.exchange(true)) return;
      observe::guarded("the answer to another node", [&] { answer_(std::move(text)); });
    }

   private:
    const Answer answer_;
    std::string otherwise_;
    std::atomic<bool> given_{false};
  };
  const auto once = std::make_shared<Once>(std::move(incoming.answer), std::move(unless));
  pool.submit([once, todo = std::move(work)] {
    observe::guarded("what another node asks",
                     [&] { todo([once](std::string text) { once->give(std::move(text)); }); });
  });
}

}  // namespace sse::cluster
