#include "unit/simulation/node.h"

#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "cluster/core/topics.h"
#include "cluster/core/wire.h"
#include "cluster/mesh/mesh_message.h"
#include "store/sqlite/sqlite_repository.h"

namespace sse::simulation {

using std::chrono::milliseconds;

namespace {

constexpr std::size_t kEntranceThreads = 6;
constexpr std::size_t kRequestThreads = 6;
constexpr milliseconds kExpirePeriod{5000};
constexpr milliseconds kTimeout{2000};

// The callbacks of the node whose thread is in a store that all nodes share.
thread_local const std::map<ServiceName, store::WithdrawalReports::Withdraw>* withdraw_here = nullptr;
std::map<const FaultyStore*, std::map<ServiceName, store::WithdrawalReports::Withdraw>> withdraw_of;

}  // namespace

// The store.

template <class Call>
auto FaultyStore::call(const char* what, Call make) {
  if (shut_) throw Error(ErrorCode::kIo, "the process is gone");
  if (fail_in_ != 0 && world_.random().below(fail_in_) == 0) {
    ++failures_;
    throw Error(ErrorCode::kIo, std::string("no disk to ") + what);
  }
  struct Inside {
    explicit Inside(std::size_t& n) : count(n) { ++count; }
    ~Inside() { --count; }
    std::size_t& count;
  };
  const Inside inside(inside_);
  withdraw_here = &withdraw_of[this];
  if (!in_memory_) return make();
  const World::NoPreemption steady;
  return make();
}

bool OwnFaultyStore::add_async(store::NewMessage message, Added added) {
  try {
    // What is told on the way takes locks of its own.
    if (in_memory_) {
      std::vector<store::AddOutcome> outcomes = call("add", [&] { return inner_.messages.add_all({&message, 1}); });
      added(std::move(message), std::move(outcomes.front()));
      return true;
    }
    return call("add", [&] { return store::ability<store::AsyncAdd>(inner_.messages)->add_async(message, added); });
  } catch (const Error& e) {
    added(std::move(message), {{}, false, 0, store::AddOutcome::Refusal{e.code(), e.what()}});
    return true;
  }
}

void FaultyStore::confirm(const ServiceName& service, const store::Recipient& recipient, MessageId id) {
  if (shut_) return;
  const World::NoPreemption steady;
  inner_.messages.confirm(service, recipient, id);
}

void OwnFaultyStore::count_confirmed(const ServiceName& service, observe::Counter* counter) {
  store::ability<store::ConfirmationCounter>(inner_.messages)->count_confirmed(service, counter);
}

void FaultyStore::report_withdrawn(const ServiceName& service, Withdraw withdraw) {
  auto* const reports = store::ability<store::WithdrawalReports>(inner_.messages);
  if (!shared_) {
    reports->report_withdrawn(service, std::move(withdraw));
    return;
  }
  withdraw_of[this][service] = std::move(withdraw);
  reports->report_withdrawn(service, [service](const std::vector<store::Withdrawn>& gone) {
    if (withdraw_here == nullptr) return;
    const auto found = withdraw_here->find(service);
    if (found != withdraw_here->end() && found->second) found->second(gone);
  });
}

std::vector<store::AddOutcome> FaultyStore::add_in_order(std::span<const store::NewMessage> messages,
                                                         const std::function<void()>& committed) {
  // What is told on the way takes locks of its own.
  if (in_memory_) {
    std::vector<store::AddOutcome> outcomes = call("add", [&] { return inner_.messages.add_all(messages); });
    if (committed) committed();
    return outcomes;
  }
  return call("add", [&] { return inner_.messages.add_in_order(messages, committed); });
}

std::vector<MessageId> FaultyStore::known_imports(std::span<const store::NewMessage> messages) {
  return call("look", [&] { return store::ability<store::PartialStore>(inner_.messages)->known_imports(messages); });
}

store::PartialStore::Replaced FaultyStore::replace_older(const ServiceName& service, const store::Recipient& recipient,
                                                         const std::string& collapse, MessageId than) {
  auto* const partial = store::ability<store::PartialStore>(inner_.messages);
  return call("replace", [&] { return partial->replace_older(service, recipient, collapse, than); });
}

std::vector<store::PendingMessage> FaultyStore::pending(const ServiceName& service,
                                                        std::span<const store::Recipient> recipients, MessageId after,
                                                        std::size_t limit, ByteCount max_bytes, WallTime now) {
  return call("read", [&] { return inner_.messages.pending(service, recipients, after, limit, max_bytes, now); });
}

std::uint64_t FaultyStore::expire(WallTime now) {
  return call("expire", [&] { return inner_.messages.expire(now); });
}

std::uint64_t FaultyStore::count(const store::MessageFilter& filter) {
  return call("count", [&] { return inner_.catalog.count(filter); });
}
std::vector<store::PendingMessage> FaultyStore::list(const store::MessageFilter& filter, std::uint64_t skip,
                                                     std::size_t limit) {
  return call("list", [&] { return inner_.catalog.list(filter, skip, limit); });
}
std::vector<store::PendingMessage> FaultyStore::find(MessageId id) {
  return call("find", [&] { return inner_.catalog.find(id); });
}
std::uint64_t FaultyStore::erase(MessageId id) {
  return call("erase", [&] { return inner_.catalog.erase(id); });
}
std::uint64_t FaultyStore::purge(const store::MessageFilter& filter) {
  return call("purge", [&] { return inner_.catalog.purge(filter); });
}
std::uint64_t FaultyStore::count_dead(const store::MessageFilter& filter) {
  return call("count", [&] { return inner_.dead.count_dead(filter); });
}
std::vector<store::DeadLetter> FaultyStore::list_dead(const store::MessageFilter& filter, std::uint64_t skip,
                                                      std::size_t limit) {
  return call("list", [&] { return inner_.dead.list_dead(filter, skip, limit); });
}
std::vector<store::DeadLetter> FaultyStore::page_dead(const store::MessageFilter& filter, std::size_t limit) {
  return call("list", [&] { return inner_.dead.page_dead(filter, limit); });
}
std::vector<store::LetterOutcome> FaultyStore::add_dead(std::span<const store::DeadLetter> letters) {
  return call("add", [&] { return inner_.dead.add_dead(letters); });
}
std::vector<MessageId> FaultyStore::requeue(MessageId id, const store::MessageFilter& filter, WallTime now) {
  return call("requeue", [&] { return inner_.dead.requeue(id, filter, now); });
}
std::uint64_t FaultyStore::purge_dead(MessageId id, const store::MessageFilter& filter) {
  return call("purge", [&] { return inner_.dead.purge_dead(id, filter); });
}

void FaultyStore::note_attempts(const ServiceName& service, std::span<const store::AttemptCount> attempts) {
  if (shut_) return;
  const World::NoPreemption steady;
  inner_.attempts.note_attempts(service, attempts);
}

// The network.

std::string address_of(std::size_t node) {
  return std::string(1, static_cast<char>('a' + node)) + ":1";
}

Entrance::Entrance(World& world, std::size_t threads) : world_(world), clock_(world) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

void Entrance::at(std::int64_t when, std::function<void()> job) {
  const MutexLock lock(mutex_);
  if (closed_) return;
  jobs_.emplace(when, std::move(job));
  changed_.notify_all();
}

void Entrance::close() {
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    jobs_.clear();
    changed_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Entrance::run() {
  for (;;) {
    std::function<void()> job;
    {
      const MutexLock lock(mutex_);
      while (!closed_ && (jobs_.empty() || jobs_.begin()->first > world_.now())) {
        if (jobs_.empty()) {
          changed_.wait(mutex_);
        } else {
          changed_.wait_until(mutex_, SteadyTime(std::chrono::nanoseconds(jobs_.begin()->first)), clock_);
        }
      }
      if (closed_) return;
      job = std::move(jobs_.begin()->second);
      jobs_.erase(jobs_.begin());
    }
    job();
  }
}

class Network::RequestForwarder final : public cluster::PostCarrier {
 public:
  RequestForwarder(Network& network, std::size_t from, std::size_t to, const cluster::PeerLink::Options& options,
                   const Clock& clock)
      : network_(network), from_(from), to_(to), options_(options), clock_(clock) {}

  bool post(const std::string& body, const std::string& secret, std::string& response, std::string& problem) override {
    World& world = network_.world_;
    ++network_.posts_;
    const Way there = network_.way(from_, to_);
    Node* node = network_.at(to_);
    const SteadyTime started = clock_.steady_now();
    if (interrupted_ || node == nullptr) {
      problem = "it cannot be reached";
      return false;
    }
    if (there.cut) {
      wait(*exchange_, started + options_.connect_timeout);
      problem = "it cannot be reached, as nothing comes back";
      return false;
    }
    const auto exchange = std::make_shared<Exchange>();
    {
      const MutexLock lock(mutex_);
      exchange_ = exchange;
    }
    const auto drawn = [&](const Way& way) {
      return milliseconds(way.min_delay.count() +
                          static_cast<std::int64_t>(world.random().below(
                              static_cast<std::uint64_t>((way.max_delay - way.min_delay).count()) + 1)));
    };
    milliseconds takes = drawn(there);
    if (there.late_in != 0 && world.random().below(there.late_in) == 0) takes += milliseconds(4000);
    deliver(*node, takes, body, secret, exchange);
    if (there.twice_in != 0 && world.random().below(there.twice_in) == 0)
      deliver(*node, takes + drawn(there), body, secret, std::make_shared<Exchange>());
    if (!wait(*exchange, started + options_.answer_timeout)) {
      problem = interrupted_ ? "it was broken off" : "it has not answered";
      return false;
    }
    const MutexLock lock(exchange->mutex);
    response = exchange->response;
    problem = exchange->problem;
    return problem.empty();
  }

  void interrupt() override {
    const MutexLock lock(mutex_);
    interrupted_ = true;
    const MutexLock inner(exchange_->mutex);
    exchange_->changed.notify_all();
  }

 private:
  struct Exchange {
    Mutex mutex;
    CondVar changed;
    bool done = false;
    std::string response;
    std::string problem;
  };

  bool wait(Exchange& exchange, SteadyTime deadline) {
    const MutexLock lock(exchange.mutex);
    while (!exchange.done && !interrupted_ && exchange.changed.wait_until(exchange.mutex, deadline, clock_)) {
    }
    return exchange.done;
  }

  void deliver(Node& node, milliseconds takes, const std::string& body, const std::string& secret,
               const std::shared_ptr<Exchange>& exchange) {
    Network& network = network_;
    World& world = network.world_;
    node.entrance().at(world.now() + std::chrono::nanoseconds(takes).count(),
                       [&network, &world, &node, from = from_, to = to_, body, secret, exchange] {
                         std::string response;
                         std::string problem;
                         try {
                           if (secret != node.bus()->secret())
                             throw Error(ErrorCode::kPermissionDenied, "another secret is expected");
                           response = encode(node.bus()->handle(cluster::decode_mesh_message(body)));
                         } catch (const Error& e) {
                           problem = e.what();
                         }
                         const Way back = network.way(to, from);
                         if (back.cut || (back.lost_in != 0 && world.random().below(back.lost_in) == 0)) return;
                         const MutexLock lock(exchange->mutex);
                         exchange->response = std::move(response);
                         exchange->problem = std::move(problem);
                         exchange->done = true;
                         exchange->changed.notify_all();
                       });
  }

  Network& network_;
  const std::size_t from_;
  const std::size_t to_;
  const cluster::PeerLink::Options options_;
  const Clock& clock_;
  Mutex mutex_;
  bool interrupted_ = false;
  std::shared_ptr<Exchange> exchange_ = std::make_shared<Exchange>();
};

std::unique_ptr<cluster::PostCarrier> Network::forwarder(std::size_t from, const std::string& address,
                                                         const cluster::PeerLink::Options& options,
                                                         const Clock& clock) {
  return std::make_unique<RequestForwarder>(*this, from, static_cast<std::size_t>(address.front() - 'a'), options,
                                            clock);
}

namespace {

// Nodes that a registry in memory knows, told to the bus as Nacos' are.
class SimulatedDiscovery final : public cluster::Discovery {
 public:
  SimulatedDiscovery(Network& network, std::size_t node, cluster::HttpBus& bus, const Clock& clock)
      : network_(network), node_(node), bus_(bus), inner_(network.registry, clock) {}

  unsigned join(const std::string& id, const event::Json& facts) override {
    {
      // An earlier run of it is dead: who asked it would see.
      const MutexLock lock(network_.registry->mutex);
      network_.registry->entries.erase(id);
    }
    const unsigned number = inner_.join(id, with_address(facts));
    nodes();
    return number;
  }
  void refresh(const event::Json& facts) override {
    require_registry();
    inner_.refresh(with_address(facts));
  }
  void leave() noexcept override { inner_.leave(); }
  std::vector<cluster::Node> nodes() override {
    require_registry();
    std::vector<cluster::Node> nodes = inner_.nodes();
    std::vector<cluster::HttpBus::Peer> peers;
    for (const cluster::Node& node : nodes) {
      const auto address = node.facts.find("address");
      const auto secret = node.facts.find("secret");
      if (address == node.facts.end() || secret == node.facts.end()) continue;
      peers.push_back({std::string(*address), std::string(*secret), node.id});
    }
    bus_.set_peers(peers);
    return nodes;
  }

 private:
  event::Json with_address(event::Json facts) const {
    if (!facts.is_object()) facts = event::Json::object();
    facts["address"] = address_of(node_);
    facts["secret"] = bus_.secret();
    return facts;
  }
  void require_registry() const {
    if (network_.registry_down) throw Error(ErrorCode::kUnavailable, "the registry cannot be reached");
  }

  Network& network_;
  const std::size_t node_;
  cluster::HttpBus& bus_;
  cluster::MemoryDiscovery inner_;
};

}  // namespace

// The node.

Machine::Machine(World& the_world, std::size_t node, std::string where)
    : world(the_world),
      number(node),
      folder(std::move(where)),
      clock(the_world),
      ids(static_cast<unsigned>(node), 0, clock) {}

void Machine::take_file_along() {
  const std::string before = file();
  ++runs;
  for (const char* part : {"", "-wal"}) {
    std::error_code none;
    std::filesystem::copy_file(before + part, file() + part, none);
  }
}

Node::Node(const Setting& setting, Machine& machine, Network& network)
    : setting_(setting),
      machine_(machine),
      network_(network),
      requests_("requests", 0, kRequestThreads, 10'000, std::chrono::seconds(60), machine.clock),
      maintenance_("chores", 0, 1, 16, std::chrono::seconds(60), machine.clock) {}

void Node::open() {
  const Clock& clock = machine_.clock;
  if (setting_.nodes > 1) {
    entrance_ = std::make_unique<Entrance>(machine_.world, kEntranceThreads);
    open_cluster();
  }
  const unsigned number = cluster_ ? cluster_->join(*gateway_) : static_cast<unsigned>(machine_.number);
  if (setting_.store == StoreKind::kMemory) {
    ids_ = &machine_.ids;
  } else {
    own_ids_ = std::make_unique<IdGenerator>(number, 0, clock);
    ids_ = own_ids_.get();
  }
  open_store();
  for (std::size_t i = 0; i < setting_.loops; ++i)
    loops_.push_back(std::make_unique<net::EventLoop>("stream-" + std::to_string(i), clock));
  maintenance_loop_ = std::make_unique<net::EventLoop>("maintenance", clock);
  maintenance_loop_->run_every(kExpirePeriod, [this] { maintenance_.submit([this] { expire(); }); });
  for (const char* name : kServices) {
    delivery::SenderOptions sender;
    sender.ttl = std::chrono::hours(24);
    sender.remote_nodes = gateway_.get();
    sender.attempts = attempts_;
    sender.history.events = setting_.history ? 200 : 0;
    sender.hub.service = ServiceName(name);
    sender.hub.in_cluster = gateway_ != nullptr;
    sender.hub.ack_timeout = setting_.ack_timeout;
    sender.hub.client_max_connections = setting_.client_max_connections;
    sender.hub.stream.max_backlog = setting_.max_backlog;
    sender.hub.stream.overflow = setting_.drop_slow ? net::Stream::Overflow::kDrop : net::Stream::Overflow::kClose;
    services_.push_back(
        {std::string("/") + name, std::make_unique<delivery::Sender>(sender, loops_, *ids_, metrics_, *repository_)});
  }
}

Node::~Node() = default;

void Node::open_cluster() {
  const Clock& clock = machine_.clock;
  const std::string id(1, static_cast<char>('a' + machine_.number));
  cluster::HttpBus::Options options;
  options.node = cluster::bus_name(id);
  options.listen = "127.0.0.1:0";
  options.advertise = address_of(machine_.number);
  options.secret = "secret of " + options.node;
  options.clock = &clock;
  options.link.forwarder = [this](const std::string& address, const cluster::PeerLink::Options& link) {
    return network_.forwarder(machine_.number, address, link, machine_.clock);
  };
  auto bus = std::make_unique<cluster::HttpBus>(options, metrics_);
  bus_ = bus.get();
  cluster::Cluster::Options node;
  node.node = id;
  node.timeout = kTimeout;
  node.registry_apart = true;
  node.clock = &clock;
  auto discovery = std::make_unique<SimulatedDiscovery>(network_, machine_.number, *bus, clock);
  cluster_ = std::make_unique<cluster::Cluster>(node, std::move(bus), std::move(discovery), metrics_);
  bus_->start(cluster_->receiver());
  bodies_ = std::make_unique<pages::RelayedBodies>(pages::RelayedBodies::Options());
  gateway_ = std::make_unique<server::ClusterGateway>(
      *cluster_, services_, pages_app_, admin_app_, token_, [] { return event::Json::object(); },
      server::ClusterGateway::ForwardedPages{*bodies_, bodies_memory_,
                                             [](const net::RequestHead&) { return net::RequestPlan(); },
                                             [](std::string_view, int, const std::string&) { return std::string(); }});
  network_.enter(machine_.number, this);
}

void Node::open_store() {
  store::StoreLimits limits;
  limits.per_recipient = setting_.per_recipient;
  if (setting_.store == StoreKind::kSqlite) {
    store::SqliteRepository::Options sqlite;
    sqlite.path = machine_.file();
    sqlite.sync = store::SqliteRepository::Sync::kFull;
    sqlite.limits = limits;
    auto file = std::make_unique<store::SqliteRepository>(sqlite, *ids_);
    store_ = std::make_unique<OwnFaultyStore>(machine_.world, FaultyStore::Inner{*file, *file, *file, *file}, false);
    file_ = std::move(file);
  } else {
    store::MemoryRepository& memory = *machine_.store;
    const FaultyStore::Inner inner{memory, memory, memory, memory};
    if (setting_.store == StoreKind::kShared) {
      store_ = std::make_unique<SharedFaultyStore>(machine_.world, inner, true);
    } else {
      store_ = std::make_unique<OwnFaultyStore>(machine_.world, inner, true);
    }
  }
  repository_ = store_.get();
  dead_ = store_.get();
  attempts_ = store_.get();
  if (!cluster_) return;
  if (setting_.store == StoreKind::kShared) {
    // Redis breaks a subscriber's connection where it cannot give it what was published, so that it looks. This bus
    // tells the one that could not post; it tells the others.
    cluster_->set_store([this](const std::string&) {
      gateway_->on_messages_missed();
      return std::string();
    });
    cluster_->on_reconnected([this] {
      bus_->start_call({{cluster::broadcast_topic(), cluster::encode(cluster::StoreCommand{"look"})}});
    });
    return;
  }
  cluster::MeshRepository::Options mesh;
  mesh.timeout = cluster_->options().timeout;
  mesh.clock = &machine_.clock;
  mesh.refresh_pending = [this] { gateway_->on_messages_missed(); };
  mesh_ = std::make_unique<cluster::MeshRepository>(cluster::MeshRepository::Own{*store_, *store_, *store_, *store_},
                                                    *bus_, cluster_->interest(), mesh);
  repository_ = mesh_.get();
  dead_ = mesh_.get();
  attempts_ = mesh_.get();
  cluster_->set_store([this](const std::string& bytes) { return mesh_->handle(bytes); });
  cluster_->on_reconnected([this] { mesh_->refresh_other_nodes(); });
}

void Node::start() {
  open();
  for (const auto& loop : loops_) loop->start();
  maintenance_loop_->start();
  if (gateway_) {
    cluster_->start();
    gateway_->start();
  }
  if (mesh_) mesh_->start();
  up_ = true;
}

void Node::stop() {
  up_ = false;
  for (const application::Service& service : services_) service.sender->end_waits();
  for (const application::Service& service : services_) service.sender->hub().drain();
  const SteadyTime deadline = machine_.clock.steady_now() + std::chrono::seconds(12);
  const auto streams = [this] {
    std::size_t n = 0;
    for (const application::Service& service : services_) n += service.sender->hub().directory().sockets();
    return n;
  };
  while (streams() != 0 && machine_.clock.steady_now() < deadline) machine_.clock.sleep_for(milliseconds(50));
  maintenance_.stop();
  requests_.stop();
  for (const application::Service& service : services_) service.sender->stop();
  if (gateway_) {
    gateway_->stop();
    cluster_->stop();
    network_.leave(machine_.number);
    entrance_->close();
  }
  maintenance_loop_->stop();
  for (const auto& loop : loops_) loop->stop();
  // The file is closed by what stops last.
  services_.clear();
  file_.reset();
}

void Node::expire() {
  try {
    for (const application::Service& service : services_) service.sender->expire_history();
    repository_->expire(machine_.clock.wall_now());
  } catch (const Error&) {
    // The next time.
  }
}

}  // namespace sse::simulation
