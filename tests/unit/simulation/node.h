#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "admin/admin_routes.h"
#include "base/mutex.h"
#include "cluster/core/cluster.h"
#include "cluster/mesh/http_bus.h"
#include "cluster/mesh/mesh_repository.h"
#include "delivery/sender.h"
#include "net/httplib_app.h"
#include "net/worker_pool.h"
#include "pages/page_routes.h"
#include "pages/relayed_bodies.h"
#include "server/cluster_gateway.h"
#include "store/memory/memory_repository.h"
#include "store/repository_abilities.h"
#include "support/memory_discovery.h"
#include "unit/simulation/world.h"

namespace sse::simulation {

enum class StoreKind : unsigned char {
  kMemory,  ///< each node its own, in memory; it outlives the node as a file would
  kSqlite,  ///< each node its own file
  kShared,  ///< one in memory that all nodes use, in the place of Redis
};

/// What a run is made of, the same for all its nodes.
struct Setting {
  StoreKind store = StoreKind::kMemory;
  std::size_t nodes = 1;
  std::size_t loops = 2;
  bool history = false;  ///< of a node that is alone
  std::chrono::milliseconds ack_timeout{0};
  std::uint64_t max_backlog = 64 * 1024;
  bool drop_slow = false;
  std::size_t client_max_connections = 0;
  std::uint64_t per_recipient = 10'000;
};

inline constexpr std::array<const char*, 2> kServices{"s", "t"};

/// A repository with faults, between a node and its store: an OwnFaultyStore or a SharedFaultyStore.
class FaultyStore : public store::MessageRepository,
                    public store::MessageCatalog,
                    public store::DeadLetters,
                    public store::AttemptLog,
                    public store::WithdrawalReports,
                    public store::PartialStore {
 public:
  struct Inner {
    store::MessageRepository& messages;
    store::MessageCatalog& catalog;
    store::DeadLetters& dead;
    store::AttemptLog& attempts;
  };
  /// Of the calls to come, one in `in` fails; 0: none.
  void fail_one_in(std::uint64_t in) { fail_in_ = in; }
  /// Nothing of a node that was killed reaches the store any more.
  void shut() { shut_ = true; }
  std::uint64_t failures() const { return failures_; }
  std::size_t inside() const { return inside_; }

  bool stores_unions() const override { return true; }
  std::vector<store::AddOutcome> add_in_order(std::span<const store::NewMessage> messages,
                                              const std::function<void()>& committed) override;
  std::vector<MessageId> known_imports(std::span<const store::NewMessage> messages) override;
  void confirm(const ServiceName& service, const store::Recipient& recipient, MessageId id) override;
  void report_withdrawn(const ServiceName& service, Withdraw withdraw) override;
  Replaced replace_older(const ServiceName& service, const store::Recipient& recipient, const std::string& collapse,
                         MessageId than) override;
  std::vector<store::PendingMessage> pending(const ServiceName& service, std::span<const store::Recipient> recipients,
                                             MessageId after, std::size_t limit, ByteCount max_bytes,
                                             WallTime now) override;
  std::uint64_t expire(WallTime now) override;
  std::uint64_t size() const override { return inner_.messages.size(); }

  std::uint64_t count(const store::MessageFilter& filter) override;
  std::vector<store::PendingMessage> list(const store::MessageFilter& filter, std::uint64_t skip,
                                          std::size_t limit) override;
  std::vector<store::PendingMessage> find(MessageId id) override;
  std::uint64_t erase(MessageId id) override;
  std::uint64_t purge(const store::MessageFilter& filter) override;

  std::uint64_t count_dead(const store::MessageFilter& filter) override;
  std::vector<store::DeadLetter> list_dead(const store::MessageFilter& filter, std::uint64_t skip,
                                           std::size_t limit) override;
  std::vector<store::DeadLetter> page_dead(const store::MessageFilter& filter, std::size_t limit) override;
  std::vector<store::LetterOutcome> add_dead(std::span<const store::DeadLetter> letters) override;
  std::vector<MessageId> requeue(MessageId id, const store::MessageFilter& filter, WallTime now) override;
  std::uint64_t purge_dead(MessageId id, const store::MessageFilter& filter) override;

  void note_attempts(const ServiceName& service, std::span<const store::AttemptCount> attempts) override;

 protected:
  /// `in_memory`: it has a lock that must be free when the node is killed. `shared`: with other nodes.
  FaultyStore(World& world, Inner inner, bool in_memory, bool shared)
      : world_(world), inner_(inner), in_memory_(in_memory), shared_(shared) {}
  template <class Call>
  auto call(const char* what, Call make);

  World& world_;
  const Inner inner_;
  const bool in_memory_;

 private:
  const bool shared_;
  std::uint64_t fail_in_ = 0;
  std::uint64_t failures_ = 0;
  bool shut_ = false;
  std::size_t inside_ = 0;
};

/// One of a node's own store.
class OwnFaultyStore final : public FaultyStore, public store::AsyncAdd, public store::ConfirmationCounter {
 public:
  OwnFaultyStore(World& world, Inner inner, bool in_memory) : FaultyStore(world, inner, in_memory, false) {}

  bool add_async(store::NewMessage message, Added added) override;
  void count_confirmed(const ServiceName& service, observe::Counter* counter) override;
};

/// One of a store that all nodes use. It does not report what they settle.
class SharedFaultyStore final : public FaultyStore, public store::SharedStore {
 public:
  SharedFaultyStore(World& world, Inner inner, bool in_memory) : FaultyStore(world, inner, in_memory, true) {}

  store::MessageRepository& local() override { return *this; }
  void report_settled(const ServiceName&, Settled) override {}
  bool reports_settled() const override { return false; }
};

class Network;
class Node;

/// Where a node listens for others, and what it hands what they post.
class Entrance {
 public:
  /// Its threads belong to the group of who makes it.
  Entrance(World& world, std::size_t threads);
  /// Runs `job` at a moment of the world, on one of its threads. Nothing when it is closed.
  void at(std::int64_t when, std::function<void()> job) EXCLUDES(mutex_);
  void close() EXCLUDES(mutex_);

 private:
  void run() EXCLUDES(mutex_);

  World& world_;
  NodeClock clock_;
  Mutex mutex_;
  CondVar changed_;
  std::multimap<std::int64_t, std::function<void()>> jobs_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

/// What lies between the nodes. What they post takes its time, comes twice, comes after its sender has given up, or not
/// at all, each way on its own.
class Network {
 public:
  explicit Network(World& world) : world_(world), registry(std::make_shared<cluster::MemoryRegistry>()) {}

  struct Way {
    std::chrono::milliseconds min_delay{0};
    std::chrono::milliseconds max_delay{3};
    bool cut = false;
    std::uint64_t late_in = 0;   ///< one post in so many takes seconds; 0: none
    std::uint64_t twice_in = 0;  ///< one in so many comes a second time
    std::uint64_t lost_in = 0;   ///< of one in so many the response is lost
  };
  Way& way(std::size_t from, std::size_t to) { return ways_[{from, to}]; }
  void mend() { ways_.clear(); }
  bool troubled() const { return troubled_; }
  void note_trouble() { troubled_ = true; }

  std::unique_ptr<cluster::PostCarrier> forwarder(std::size_t from, const std::string& address,
                                                  const cluster::PeerLink::Options& options, const Clock& clock);
  void enter(std::size_t node, Node* entered) { nodes_[node] = entered; }
  void leave(std::size_t node) { nodes_.erase(node); }
  Node* at(std::size_t node) const {
    const auto found = nodes_.find(node);
    return found == nodes_.end() ? nullptr : found->second;
  }
  std::uint64_t posts() const { return posts_; }

 private:
  class RequestForwarder;

  World& world_;
  std::map<std::size_t, Node*> nodes_;
  std::map<std::pair<std::size_t, std::size_t>, Way> ways_;
  bool troubled_ = false;
  std::uint64_t posts_ = 0;

 public:
  const std::shared_ptr<cluster::MemoryRegistry> registry;
  bool registry_down = false;
};

std::string address_of(std::size_t node);

/// What outlives a node.
struct Machine {
  Machine(World& world, std::size_t node, std::string folder);

  World& world;
  const std::size_t number;
  const std::string folder;
  NodeClock clock;
  int runs = 0;  ///< files of a killed run stay with it: its threads may have them open
  // In memory.
  IdGenerator ids;
  std::unique_ptr<store::MemoryRepository> memory;
  store::MemoryRepository* store = nullptr;  ///< that, or the one all nodes share

  std::string file() const { return folder + "/" + std::to_string(number) + "-" + std::to_string(runs) + ".db"; }
  /// A copy of the file as it is now, for the next run.
  void take_file_along();
};

/// The parts of a server, put together as server::Server does it, without its HTTP fronts.
class Node {
 public:
  Node(const Setting& setting, Machine& machine, Network& network);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Block. One that could not start is of no use any more.
  void start();
  void stop();

  bool up() const { return up_; }
  std::size_t number() const { return machine_.number; }
  NodeClock& clock() { return machine_.clock; }
  delivery::Sender& sender(std::size_t service) { return *services_.at(service).sender; }
  /// What this node holds itself, without faults of its own.
  FaultyStore& store() { return *store_; }
  /// What its senders use.
  store::MessageRepository& repository() { return *repository_; }
  store::DeadLetters& dead() { return *dead_; }
  cluster::MeshRepository* mesh() { return mesh_.get(); }
  cluster::Cluster* cluster() { return cluster_.get(); }
  cluster::HttpBus* bus() { return bus_; }
  observe::Registry& metrics() { return metrics_; }
  Entrance& entrance() { return *entrance_; }
  /// Threads that may block, for what operators and pages ask.
  net::WorkerPool& requests() { return requests_; }
  void expire();

 private:
  void open();
  void open_store();
  void open_cluster();

  const Setting setting_;
  Machine& machine_;
  Network& network_;
  bool up_ = false;
  observe::Registry metrics_;
  std::unique_ptr<IdGenerator> own_ids_;
  IdGenerator* ids_ = nullptr;
  std::unique_ptr<Entrance> entrance_;
  std::unique_ptr<store::MessageRepository> file_;
  std::unique_ptr<FaultyStore> store_;
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::unique_ptr<net::EventLoop> maintenance_loop_;
  std::vector<application::Service> services_;
  net::HttplibApp pages_app_;
  net::HttplibApp admin_app_;
  admin::AdminToken token_;
  net::ByteBudget bodies_memory_{mebibytes(1), "--max-body-memory"};
  std::unique_ptr<pages::RelayedBodies> bodies_;
  cluster::HttpBus* bus_ = nullptr;
  std::unique_ptr<server::ClusterGateway> gateway_;
  std::unique_ptr<cluster::Cluster> cluster_;
  std::unique_ptr<cluster::MeshRepository> mesh_;
  store::MessageRepository* repository_ = nullptr;
  store::DeadLetters* dead_ = nullptr;
  store::AttemptLog* attempts_ = nullptr;
  net::WorkerPool requests_;
  net::WorkerPool maintenance_;
};

}  // namespace sse::simulation
