#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "cluster/bus.h"
#include "cluster/discovery.h"
#include "cluster/interest.h"
#include "cluster/wire.h"
#include "event/json.h"
#include "net/worker_pool.h"
#include "observe/metrics.h"

namespace sse::cluster {

/// What a node does for the others, and tells them of itself. Thread safe.
class LocalNode {
 public:
  /// Puts the frames into this node's streams, in their order; `done` gets how many streams took each, on any thread.
  /// On the bus' thread; may block while very much is under way.
  virtual void deliver(std::vector<DeliverCommand> commands, std::function<void(std::vector<std::uint32_t>)> done) = 0;
  /// Handles a request that another node passed on, for this node alone; returns the raw response. May block.
  virtual std::string handle(const RequestCommand& command) = 0;
  /// The same for one that may take long because it waits for something that is to happen: `done` gets the response,
  /// once, now or later and on any thread. Holds the thread it is called on no longer than other requests do.
  virtual void handle_soon(const RequestCommand& command, std::function<void(std::string)> done) {
    done(handle(command));
  }
  /// Keeps a piece of the body of a request that follows; returns the answer that BodyCommand names. May block.
  virtual std::string keep_body(const BodyCommand& /*command*/) { return "501 this node takes no bodies in pieces"; }
  /// Of each client the streams that are open here, and the end of some of them. On the bus' thread.
  virtual std::vector<std::vector<ConnectionId>> connections_of(const std::vector<ClientCommand>& clients) {
    return std::vector<std::vector<ConnectionId>>(clients.size());
  }
  virtual void replace(const ReplaceCommand& /*command*/) {}
  /// What is known here of where pending messages are, in their order. On the bus' thread.
  virtual std::vector<Place> locate(const std::vector<LocateCommand>& messages) {
    return std::vector<Place>(messages.size());
  }
  /// What was sent while this node could not be reached did not come here: pending messages have to be looked for.
  virtual void missed_something() = 0;
  /// For the list of nodes. Often, so quick.
  virtual event::Json facts() = 0;

 protected:
  ~LocalNode() = default;
};

/// One node's part in a cluster: it enters itself and stays entered, knows the others, receives what is for it, and
/// passes on what is for others. Thread safe.
class Cluster final : private Bus::Receiver {
 public:
  struct Options {
    std::string node;                           ///< the server id
    std::chrono::milliseconds patience{2000};   ///< for other nodes' answers
    std::chrono::milliseconds heartbeat{1000};  ///< how often the entry is refreshed and the others are looked for
    /// Whether the nodes known so far reach each other also without the registry.
    bool registry_apart = false;
    const Clock* clock = &Clock::system();  ///< outlives the cluster and all its parts
  };

  Cluster(Options options, std::unique_ptr<Bus> bus, std::unique_ptr<Discovery> discovery, observe::Registry& metrics);
  ~Cluster() { stop(); }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  /// Enters the node and returns its number. `local` outlives stop(). REQUIRES: the bus was started with receiver().
  /// Throws as Discovery::join().
  unsigned join(LocalNode& local);
  /// Begins to receive and to stay entered.
  void start();
  /// Takes the node out and ends everything. Idempotent.
  void stop() EXCLUDES(mutex_);

  /// Answers what other nodes' repositories ask; what it throws tells them that it could not be read (is_unread()).
  /// Before start(); on threads that may block.
  void set_keeper(std::function<std::string(const std::string&)> keeper) { keeper_ = std::move(keeper); }

  /// Called when other nodes can be reached again, on a thread of the bus; must be quick. Before start().
  void set_reunited(std::function<void()> reunited) { reunited_ = std::move(reunited); }

  /// For Bus::start(), which this does not call, so that the caller can wait for its bus in its own way.
  Bus::Receiver& receiver() { return *this; }
  Interest& interest() { return interest_; }
  const Options& options() const { return options_; }
  unsigned number() const { return number_; }

  /// Every node that is alive, this one included, ascending by id, as last seen.
  std::vector<Node> nodes() const EXCLUDES(mutex_);
  /// Whether a living node other than this has the number.
  bool is_other(unsigned number) const EXCLUDES(mutex_);
  /// Why this node is alone now, one sentence; empty while it is not.
  std::string degraded() const EXCLUDES(mutex_);

  /// What the others did with events.
  struct Delivered {
    std::vector<std::uint32_t> taken;  ///< by command
    std::vector<std::string> missing;  ///< nodes that may have missed them, or did not say
  };
  /// Sends each event to the nodes that hold a receiver of its topic. finish() waits for their answers.
  std::shared_ptr<Asked> deliver(const std::vector<DeliverCommand>& commands);
  Delivered finish(Asked& asked, std::size_t count);
  /// As finish(), without waiting: `done` as of Asked::then().
  void finish_soon(const std::shared_ptr<Asked>& asked, std::size_t count, std::function<void(Delivered)> done);

  /// Streams of a client at other nodes.
  struct Streams {
    std::vector<ConnectionId> ids;
    bool unread = false;  ///< some node that may have more did not say
  };
  /// Of each client. Waits.
  std::vector<Streams> connections_of(const std::vector<ClientCommand>& clients);
  /// What other nodes know of where pending messages are.
  struct Located {
    std::vector<Place> places;         ///< by message
    std::vector<bool> unread;          ///< of which some node that may know more did not say
    std::vector<std::string> missing;  ///< those nodes
  };
  /// Waits.
  Located locate(const std::vector<LocateCommand>& messages);
  /// Has the node with that number close streams. Does not wait.
  void replace(unsigned number, const ReplaceCommand& command);

  /// What others answered to a request.
  struct Responses {
    std::vector<Answers::One> responses;  ///< raw, with the id of their node
    std::vector<std::string> missing;     ///< nodes that did not answer in time
  };
  /// Passes a request on to every other node.
  std::shared_ptr<Asked> pass_on(const RequestCommand& command);
  Responses finish(Asked& asked);
  /// To one node, and waits. Throws Error(kUnavailable) or Error(kTimeout) without a response.
  std::string pass_on(unsigned number, const RequestCommand& command) {
    return pass_on(number, command, options_.patience);
  }
  /// As above, and waits for `timeout`: for what takes that node longer.
  std::string pass_on(unsigned number, const RequestCommand& command, std::chrono::milliseconds timeout);
  /// A piece of the body of a request that follows; returns that node's answer, and throws as above without one.
  std::string pass_on(unsigned number, const BodyCommand& command);
  /// A fresh BodyCommand::transfer.
  std::string new_transfer();

 private:
  void received(std::vector<Bus::Incoming> commands, Bus::Together together) override;
  Delivered delivered_of(const std::vector<Answers>& all, std::size_t count);
  void bus_up() override;
  void bus_down(const std::string& why) override;

  using Answer = std::function<void(std::string)>;
  /// Has `work` answer on a thread of the pool; `unless`: the answer when that has no room, or `work` gives none.
  static void handle(net::WorkerPool& pool, Bus::Incoming incoming, std::function<void(Answer)> work,
                     std::string unless);
  net::WorkerPool& pool_for(Door door);
  std::string ask_keeper(const std::string& bytes);
  std::string ask_one(unsigned number, std::string command, std::chrono::milliseconds timeout);
  void beat() EXCLUDES(mutex_);
  void run_heartbeat() EXCLUDES(mutex_);
  std::vector<std::string> others() const EXCLUDES(mutex_);
  std::vector<std::string> silent_ones(const std::vector<Answers>& all) const;

  const Options options_;
  const std::unique_ptr<Bus> bus_;
  const std::unique_ptr<Discovery> discovery_;
  Interest interest_;
  std::atomic<LocalNode*> local_{nullptr};  // set by join(); the bus may be up before
  std::atomic<bool> started_{false};        // until then the node is being put together, and has nothing to miss
  unsigned number_ = 0;
  const std::string run_;  // of this process, for transfers
  std::atomic<std::uint64_t> transfers_{0};
  std::function<std::string(const std::string&)> keeper_;  // constant after start()
  std::function<void()> reunited_;                         // constant after start()
  // What others ask, each kind on threads of its own, so that none waits for another: an order of a program without a
  // server asks other nodes, and those are asked by this node's pages and for this node's streams, too.
  net::WorkerPool orders_;     // to the whole cluster
  net::WorkerPool questions_;  // to this node's part of the admin API
  net::WorkerPool pages_;      // what pages say about their connections, and the pieces of it
  net::WorkerPool stores_;     // what other nodes' repositories ask
  std::thread heartbeat_;

  observe::Counter& sent_;
  observe::Counter& received_;
  observe::Counter& unanswered_;
  observe::Gauge& nodes_gauge_;
  observe::Gauge& up_gauge_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Node> nodes_ GUARDED_BY(mutex_);
  std::string why_lost_ GUARDED_BY(mutex_);  // the bus or the registry, whichever was lost last
  bool ever_up_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
};

/// Whether an answer to a StoreCommand says that the node was too busy, or failed: what it has is not known. Nodes of
/// an older version say nothing in that case, and take this for what makes no sense.
bool is_unread(std::string_view answer);
/// Why, in words.
std::string unread_reason(std::string_view answer);

/// Throws Error(kInvalidArgument) for a node id that does not do in a cluster.
void require_node_id(const std::string& id);

/// A bus' name for a node: the id, and something that tells its runs apart.
std::string bus_name(const std::string& node_id);
/// The id in it.
std::string node_of(const std::string& bus_name);

}  // namespace sse::cluster
