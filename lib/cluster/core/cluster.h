#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "cluster/core/bus.h"
#include "cluster/core/discovery.h"
#include "cluster/core/interest.h"
#include "cluster/core/local_node.h"
#include "cluster/core/wire.h"
#include "event/json.h"
#include "net/worker_pool.h"
#include "observe/metrics.h"

namespace sse::cluster {

/// One node's membership in a cluster: registers the node and keeps it registered, tracks the other nodes, receives
/// commands for this node and sends commands to others. Thread safe.
class Cluster final : private Bus::Receiver {
 public:
  struct Options {
    std::string node;                           ///< the server id
    std::chrono::milliseconds timeout{2000};    ///< for replies of other nodes
    std::chrono::milliseconds heartbeat{1000};  ///< interval of refreshing the entry and reading the list of nodes
    /// Whether nodes that know each other can communicate without the registry.
    bool registry_apart = false;
    const Clock* clock = &Clock::system();  ///< must outlive the cluster and all its parts
  };

  Cluster(Options options, std::unique_ptr<Bus> bus, std::unique_ptr<Discovery> discovery, observe::Registry& metrics);
  ~Cluster() { stop(); }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  /// Registers the node and returns its number. `local` must outlive stop(). REQUIRES: the bus was started with
  /// receiver(). Throws as Discovery::join().
  unsigned join(LocalNode& local);
  /// Begins to receive commands and to send heartbeats.
  void start();
  /// Deregisters the node and stops all threads. Idempotent.
  void stop() EXCLUDES(mutex_);

  /// Sets the handler for queries of other nodes' repositories; if it throws, those nodes see an unread store
  /// (is_unread()). Called on threads that may block. Set it before start().
  void set_store(std::function<std::string(const std::string&)> store) { store_ = std::move(store); }

  /// Called when other nodes become reachable again, on a thread of the bus; must be quick. Set it before start().
  void on_reconnected(std::function<void()> reconnected) { reconnected_ = std::move(reconnected); }

  /// For Bus::start(), which the caller calls itself, so that it can decide how to wait for its bus.
  Bus::Receiver& receiver() { return *this; }
  Interest& interest() { return interest_; }
  const Options& options() const { return options_; }
  unsigned number() const { return number_; }

  /// All live nodes, this one included, ascending by id, as of the last heartbeat.
  std::vector<Node> nodes() const EXCLUDES(mutex_);
  /// Whether a live node other than this one has the number.
  bool is_other(unsigned number) const EXCLUDES(mutex_);
  /// Why this node is isolated now, one sentence; empty while it is not.
  std::string degraded() const EXCLUDES(mutex_);
  /// Node::unlisted of this node.
  std::string unlisted() const EXCLUDES(mutex_);

  /// The result of a delivery on other nodes.
  struct Delivered {
    std::vector<std::uint32_t> taken;  ///< by command
    std::vector<std::string> missing;  ///< nodes that may have missed events, or did not reply
  };
  /// Sends each event to the nodes with a receiver of its topic. finish_async() reports their replies.
  std::shared_ptr<PendingCall> deliver(const std::vector<DeliverCommand>& commands);
  /// `count`: the number of commands. `done` is called as in PendingCall::then().
  void finish_async(const std::shared_ptr<PendingCall>& pending_call, std::size_t count,
                    std::function<void(Delivered)> done);

  /// Streams of a client on other nodes.
  struct Streams {
    std::vector<ConnectionId> ids;
    bool unread = false;  ///< a node that may have more did not reply
  };
  /// Returns the streams of each client. Blocks until the replies arrive.
  std::vector<Streams> connections_of(const std::vector<ClientCommand>& clients);
  /// What other nodes know of the state of pending messages.
  struct FoundStates {
    std::vector<Place> places;         ///< by message
    std::vector<bool> unread;          ///< by message: a node that may know more did not reply
    std::vector<std::string> missing;  ///< those nodes
  };
  /// Blocks until the replies arrive.
  FoundStates find_delivery_states(const std::vector<DeliveryStateCommand>& messages);
  /// Sends what concerns the members of channels to the node with that id. `done` is called once, at once or on a
  /// thread of the bus, with whether the node has it; must be quick.
  void send_presence(const std::string& node, const PresenceCommand& command, std::function<void(bool arrived)> done);
  /// Sends the order to close streams to the node with that number. Does not wait.
  void replace(unsigned number, const ReplaceCommand& command);

  /// The responses of other nodes to a request.
  struct Responses {
    std::vector<Replies::One> responses;  ///< encoded, with the id of their node
    std::vector<std::string> missing;     ///< nodes that did not reply in time
  };
  /// Sends a request to all other nodes.
  std::shared_ptr<PendingCall> pass_on(const RequestCommand& command) { return call_all(encode(command)); }
  std::shared_ptr<PendingCall> pass_on(const AdminCommand& command) { return call_all(encode(command)); }
  Responses finish(PendingCall& pending_call);
  /// Forwards a request to one node and waits. Throws Error(kUnavailable) or Error(kTimeout) without a response.
  std::string pass_on(unsigned number, const RequestCommand& command) {
    return pass_on(number, command, options_.timeout);
  }
  /// As above, with its own `timeout`, for requests that take longer.
  std::string pass_on(unsigned number, const RequestCommand& command, std::chrono::milliseconds timeout);
  /// As above; the reply has a status.
  AdminReply pass_on(unsigned number, const AdminCommand& command);
  /// Sends a chunk of the body of a request that follows; returns that node's reply, throws as above without one.
  std::string pass_on(unsigned number, const BodyCommand& command);
  /// A new unique BodyCommand::transfer.
  std::string new_transfer();

 private:
  void received(std::vector<Bus::Incoming> commands, Bus::ReplyBatch reply_batch) override;
  Delivered delivered_of(const std::vector<Replies>& all, std::size_t count);
  void bus_up() override;
  void bus_down(const std::string& why) override;
  void refused(const std::string& node, std::uint64_t version) override EXCLUDES(mutex_);

  class Arrived;
  using Answer = std::function<void(std::string)>;
  /// Runs `work`, which replies, on a thread of the pool; the reply is `unless` if the pool is full or `work` sends
  /// none.
  static void handle(net::WorkerPool& pool, Bus::Incoming incoming, std::function<void(Answer)> work,
                     std::string unless);
  std::string query_store(const std::string& bytes);
  std::shared_ptr<PendingCall> call_all(std::string command);
  std::string call_node(unsigned number, std::string command, std::chrono::milliseconds timeout);
  void beat() EXCLUDES(mutex_);
  void run_heartbeat() EXCLUDES(mutex_);
  /// Why the node with that number is refused; empty if it is not.
  std::string refusal_of(unsigned number) const EXCLUDES(mutex_);
  void note_versions(const std::vector<Node>& seen) EXCLUDES(mutex_);
  std::vector<std::string> others() const EXCLUDES(mutex_);
  std::vector<std::string> unanswering_nodes(const std::vector<Replies>& all) const;

  const Options options_;
  const std::unique_ptr<Bus> bus_;
  const std::unique_ptr<Discovery> discovery_;
  Interest interest_;
  std::atomic<LocalNode*> local_{nullptr};  // set by join(); the bus may be up before that
  std::atomic<bool> started_{false};        // before that the node is starting, and misses nothing
  unsigned number_ = 0;
  const std::string run_;  // of this process, for transfers
  std::atomic<std::uint64_t> transfers_{0};
  std::function<std::string(const std::string&)> store_;  // constant after start()
  std::function<void()> reconnected_;                     // constant after start()
  // Requests of other nodes, each kind in its own pool, so that no kind waits for another: a request of a program
  // without a server queries other nodes, which may serve requests of this node's pages and streams at the same time.
  net::WorkerPool cluster_requests_;  // to the whole cluster
  net::WorkerPool admin_requests_;    // to this node's part of the admin API
  net::WorkerPool pages_;             // page requests about connections, and chunks of their bodies
  net::WorkerPool store_queries_;     // queries of other nodes' repositories
  std::thread heartbeat_;

  observe::Counter& sent_;
  observe::Counter& received_;
  observe::Counter& unanswered_;
  observe::Gauge& nodes_gauge_;
  observe::Gauge& up_gauge_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Node> nodes_ GUARDED_BY(mutex_);
  std::map<std::string, std::uint64_t> refused_ GUARDED_BY(mutex_);  // reported nodes of another wire version, by id
  std::string last_failure_ GUARDED_BY(mutex_);  // of the bus or the registry, the more recent failure
  bool ever_up_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
};

/// Whether a reply to a StoreCommand says that the node was too busy or failed, so that its store is unknown. A node of
/// an older version sends an empty reply in that case, and treats this reply as an invalid one.
bool is_unread(std::string_view answer);
/// The reason in such a reply, one sentence.
std::string unread_reason(std::string_view answer);

/// Throws Error(kInvalidArgument) for a node id that a cluster cannot use.
void require_node_id(const std::string& id);

/// A node's unique name on a bus: its id and a random suffix that distinguishes its runs.
std::string bus_name(const std::string& node_id);
/// The node id in a bus name.
std::string node_of(const std::string& bus_name);

}  // namespace sse::cluster
