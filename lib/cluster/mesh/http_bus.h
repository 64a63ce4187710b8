#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/mutex.h"
#include "cluster/core/bus.h"
#include "cluster/core/request_tracker.h"
#include "cluster/mesh/mesh_message.h"
#include "cluster/mesh/peer_link.h"
#include "cluster/mesh/peer_subscriptions.h"
#include "event/json.h"
#include "net/event_loop.h"
#include "net/http_front.h"
#include "net/httplib_app.h"
#include "net/listener.h"
#include "net/worker_pool.h"
#include "observe/metrics.h"

namespace sse::cluster {

/// A bus without a broker: every node posts to every other node over HTTP, with the secret that the other node expects.
/// Each peer has a keep-alive connection and a thread, so that a dead node delays no other.
///
/// Nodes announce their subscriptions to each other: first all topics, then numbered changes, so that a gap is detected
/// and the announcement starts over. A command goes to the subscribers of its topic. It also goes to peers that may be
/// subscribers: those that have not announced all topics, or have been silent for a lease. Such a peer excuses itself
/// if it is not a subscriber. So an unknown state costs a needless post, but no command is missed.
///
/// Replies that are ready when a node has handled a post leave with its response, others in a post of that node.
class HttpBus final : public Bus, private PeerLink::Owner {
 public:
  struct Options {
    std::string node;       ///< unique; `<server id>~<run>`
    std::string listen;     ///< ADDR:PORT; empty: for a program that only sends, and receives replies in the responses
    std::string advertise;  ///< HOST:PORT at which other nodes reach it; empty: the listen address
    std::string secret;     ///< that other nodes must show
    std::chrono::milliseconds ping{1000};
    std::chrono::milliseconds lease{3500};  ///< more than two pings
    /// A node that has not replied for so long is no longer a member; 0: only discovery decides.
    std::chrono::milliseconds give_up{0};
    PeerLink::Options link;
    std::size_t max_connections = 1024;          ///< maximum from other nodes
    ByteCount max_body_memory = mebibytes(320);  ///< for bodies of posts
    std::string spool_folder = "/tmp";           ///< where large posts are buffered
    const Clock* clock = &Clock::system();       ///< must outlive the bus and its links
  };
  /// Another node, as known by discovery.
  struct Peer {
    std::string address;  ///< HOST:PORT
    std::string secret;
    std::string id;  ///< its server id; empty if only the address is known
  };
  /// The state of another node, as seen by this bus.
  struct Seen {
    std::string address;
    std::string secret;
    std::string id;         ///< its server id; empty: not known
    std::string name;       ///< its bus name; empty: it has never replied
    event::Json hello;      ///< its most recent hello
    SteadyTime last_heard;  ///< time of its most recent message
    bool up = false;
    std::string why;  ///< why it is not up; empty: not tried yet
  };

  /// Binds the address. Throws Error that names the option.
  HttpBus(Options options, observe::Registry& metrics);
  ~HttpBus() override;
  HttpBus(const HttpBus&) = delete;
  HttpBus& operator=(const HttpBus&) = delete;

  void start(Receiver& receiver) override;
  void stop() override;

  /// Sets the peers that discovery knows. A node that is neither among them nor posts here is forgotten. They may
  /// include this node's own address. Any thread.
  void set_peers(const std::vector<Peer>& peers) EXCLUDES(mutex_);
  /// Sets what this node publishes about itself in every post and response; all but `facts` also without a secret, see
  /// probe_node(). Any thread.
  void set_hello(event::Json hello) EXCLUDES(mutex_);
  /// As set_hello(), and waits until all reachable nodes have received it, at most for `timeout`.
  void announce(event::Json hello, std::chrono::milliseconds timeout) EXCLUDES(mutex_);
  /// For programs without `listen`: how long nodes wait for replies, to put them into the response. Any thread.
  void set_hold(std::chrono::milliseconds hold) EXCLUDES(mutex_);
  std::vector<Seen> seen() const EXCLUDES(mutex_);
  /// The nodes that discovery knows and that this node cannot reach. Any thread.
  std::vector<Seen> unreachable() const EXCLUDES(mutex_);
  /// Waits until each peer knows all topics or is unreachable; false after `timeout`.
  bool settle(std::chrono::milliseconds timeout) EXCLUDES(mutex_);

  /// Handles a post of another node, independent of its transport, and waits for the response. Throws Error(kConflict)
  /// if the post is from another run of this node. Any thread.
  MeshMessage handle(MeshMessage post) EXCLUDES(mutex_);

  /// The address at which other nodes reach this node, HOST:PORT.
  const std::string& address() const { return address_; }
  /// The local address on which it listens; a proxy may be in front.
  std::string listening() const { return listener_ ? listener_->address().str() : std::string(); }
  const std::string& secret() const { return options_.secret; }
  const std::string& name() const { return options_.node; }
  /// Null: nodes communicate in clear.
  const std::shared_ptr<MeshTls>& tls() const { return options_.link.tls; }
  const Clock& clock() const { return clock_; }

  void subscribe(const std::vector<std::string>& topics, std::function<void(bool)> on_subscribed) override
      EXCLUDES(mutex_);
  void unsubscribe(const std::vector<std::string>& topics) override EXCLUDES(mutex_);
  std::shared_ptr<PendingCall> start_call(const std::vector<Command>& commands) override EXCLUDES(mutex_);
  std::string why_down() const override EXCLUDES(mutex_);

 private:
  struct MeshServer;  // the HTTP server for posts of other nodes
  event::Json node_info() const EXCLUDES(mutex_);
  class Outbox;  // late replies to other nodes
  struct Batch;  // the replies to one post

  // PeerLink::Owner
  bool write_post(PeerLink& link, MeshMessage& post, std::string& secret) override EXCLUDES(mutex_);
  void on_response(PeerLink& link, const MeshMessage& post, MeshMessage response) override EXCLUDES(mutex_);
  void failed(PeerLink& link, const MeshMessage& post, const std::string& why) override EXCLUDES(mutex_);

  /// Throws as decode_mesh_message(), and reports a refused node to the receiver.
  MeshMessage decode_post(std::string_view bytes);
  /// As handle(), without waiting: `done` receives the response, immediately or on another thread.
  void handle_async(MeshMessage post, const std::function<void(const MeshMessage&)>& done) EXCLUDES(mutex_);
  std::shared_ptr<Batch> begin(MeshMessage post) EXCLUDES(mutex_);
  /// Records the sender's address and subscriptions; true if it has to announce them again.
  bool note_sender(const MeshMessage& post) EXCLUDES(mutex_);
  void answer_later(const std::string& address, std::uint64_t number, std::string bytes) EXCLUDES(mutex_);
  PeerLink& link_to(const Peer& peer) REQUIRES(mutex_);
  void forget(const std::string& address) REQUIRES(mutex_);
  void lose(const std::string& address, const std::deque<MeshMessage::Command>& commands);
  bool is_member(const PeerLink& link, SteadyTime now) const REQUIRES(mutex_);
  std::string why_down_locked() const REQUIRES(mutex_);
  /// Notifies the receiver when the bus goes down.
  void notice_down() EXCLUDES(mutex_);

  const Options options_;
  const Clock& clock_;
  std::string address_;
  RequestTracker tracker_;
  std::unique_ptr<net::Listener> listener_;
  const std::shared_ptr<Outbox> outbox_;
  std::atomic<Receiver*> receiver_{nullptr};  // links may be up before start()
  std::atomic<std::size_t> holding_{0};       // threads of MeshServer that wait for replies
  bool started_ = false;

  mutable Mutex mutex_;
  CondVar changed_;
  std::set<std::string> topics_ GUARDED_BY(mutex_);
  PeerSubscriptions peer_subscriptions_ GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<PeerLink>> links_ GUARDED_BY(mutex_);  // by address
  std::vector<std::shared_ptr<PeerLink>> gone_ GUARDED_BY(mutex_);             // to be joined
  std::unordered_set<std::string> wanted_ GUARDED_BY(mutex_);                  // addresses that discovery knows
  std::unordered_set<std::string> own_ GUARDED_BY(mutex_);                     // addresses that lead to this node
  event::Json hello_ GUARDED_BY(mutex_);
  std::uint64_t hellos_ GUARDED_BY(mutex_) = 1;
  std::uint64_t urgent_hello_ GUARDED_BY(mutex_) = 0;  // of the most recent announce()
  std::chrono::milliseconds hold_ GUARDED_BY(mutex_){2000};
  bool down_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;

  std::unique_ptr<MeshServer> mesh_server_;  // last member: its threads use the others
};

}  // namespace sse::cluster
