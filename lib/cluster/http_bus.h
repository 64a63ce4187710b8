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
#include <unordered_set>
#include <vector>

#include "base/mutex.h"
#include "cluster/bus.h"
#include "cluster/gathering.h"
#include "cluster/mesh_message.h"
#include "cluster/peer_link.h"
#include "cluster/peer_topics.h"
#include "event/json.h"
#include "net/event_loop.h"
#include "net/http_front.h"
#include "net/httplib_app.h"
#include "net/listener.h"
#include "net/worker_pool.h"
#include "observe/metrics.h"

namespace sse::cluster {

/// A bus without anything in the middle: every node posts to every other one over HTTP, with the secret that one wants
/// to be shown, on a kept-alive connection and a thread of its own for each, so that a dead node holds up nobody else.
///
/// Nodes tell each other which topics they want: all once, then what changes, numbered, so that a gap is seen and it
/// begins anew. A command goes to the nodes that want its topic; and to those that may, because they have not told yet
/// or have been silent for a lease, who then say that they do not. So an unknown is a post too many, never one too few.
///
/// Answers that are ready when a node has handled a post leave with its response, others in a post of that node.
class HttpBus final : public Bus, private PeerLink::Owner {
 public:
  struct Options {
    std::string node;       ///< unique; `<server id>~<run>`
    std::string listen;     ///< ADDR:PORT; empty: for a program that only asks, and gets its answers in the responses
    std::string advertise;  ///< HOST:PORT that others reach it at; empty: what it listens on
    std::string secret;     ///< that others must show
    std::chrono::milliseconds ping{1000};
    std::chrono::milliseconds lease{3500};  ///< more than two pings
    /// A node that has not answered for so long is no member any more; 0: only discovery says who is.
    std::chrono::milliseconds give_up{0};
    PeerLink::Options link;
    std::size_t max_connections = 1024;          ///< of other nodes
    ByteCount max_body_memory = mebibytes(320);  ///< bytes of posts in memory
    std::string spool_folder = "/tmp";           ///< where large posts wait
    const Clock* clock = &Clock::system();       ///< outlives the bus; of its links, too
  };
  /// Another node, as discovery knows it.
  struct Peer {
    std::string address;  ///< HOST:PORT
    std::string secret;
    std::string id;  ///< of its server; empty where only the address is known
  };
  /// What this node knows of another one.
  struct Seen {
    std::string address;
    std::string secret;
    std::string name;   ///< of its bus; empty: it has never answered
    event::Json hello;  ///< what it said last
    SteadyTime heard;   ///< when
    bool up = false;
    std::string why;  ///< when not up; empty: not tried yet
  };

  /// Binds the address. Throws Error that names the option.
  HttpBus(Options options, observe::Registry& metrics);
  ~HttpBus() override;
  HttpBus(const HttpBus&) = delete;
  HttpBus& operator=(const HttpBus&) = delete;

  void start(Receiver& receiver) override;
  void stop() override;

  /// These, and those who post here, are the nodes there are; who is in neither is forgotten. Its own address may be
  /// among them. Any thread.
  void set_peers(const std::vector<Peer>& peers) EXCLUDES(mutex_);
  /// What this node says about itself in every post and response; all but `facts` to anybody who asks, see
  /// probe_node(). Any thread.
  void set_hello(event::Json hello) EXCLUDES(mutex_);
  /// As set_hello(), and waits until every node that can be reached knows, at most for `patience`.
  void tell_hello(event::Json hello, std::chrono::milliseconds patience) EXCLUDES(mutex_);
  /// For who has no `listen`: how long other nodes wait for answers, to give them in the response. Any thread.
  void set_hold(std::chrono::milliseconds hold) EXCLUDES(mutex_);
  std::vector<Seen> seen() const EXCLUDES(mutex_);
  /// Waits until every peer has either been told all topics or cannot be reached; false after `patience`.
  bool settle(std::chrono::milliseconds patience) EXCLUDES(mutex_);

  /// What a post of another node is answered with, however it was carried here. Waits for that. Throws Error(kConflict)
  /// for another run of this node. Any thread.
  MeshMessage handle(MeshMessage post) EXCLUDES(mutex_);

  /// Where others reach this node, HOST:PORT.
  const std::string& address() const { return address_; }
  /// Where it listens, behind whatever stands between.
  std::string listening() const { return listener_ ? listener_->address().str() : std::string(); }
  const std::string& secret() const { return options_.secret; }
  const std::string& name() const { return options_.node; }
  const Clock& clock() const { return clock_; }

  void subscribe(const std::vector<std::string>& topics, std::function<void(bool)> standing) override EXCLUDES(mutex_);
  void unsubscribe(const std::vector<std::string>& topics) override EXCLUDES(mutex_);
  std::shared_ptr<Asked> ask(const std::vector<Command>& commands) override EXCLUDES(mutex_);
  std::string why_down() const override EXCLUDES(mutex_);

 private:
  struct Door;  // what others post to
  event::Json who() const EXCLUDES(mutex_);
  class Outbox;  // answers on their way back
  struct Batch;  // of one post

  // PeerLink::Owner
  bool write_post(PeerLink& link, MeshMessage& post, std::string& secret) override EXCLUDES(mutex_);
  void took(PeerLink& link, const MeshMessage& post, MeshMessage response) override EXCLUDES(mutex_);
  void failed(PeerLink& link, const MeshMessage& post, const std::string& why) override EXCLUDES(mutex_);

  /// As handle(), without waiting: `done` gets it, now or on another thread.
  void handle_soon(MeshMessage post, const std::function<void(const MeshMessage&)>& done) EXCLUDES(mutex_);
  std::shared_ptr<Batch> begin(MeshMessage post) EXCLUDES(mutex_);
  /// Notes who posted and what it wants; whether it has to say that all again.
  bool note_sender(const MeshMessage& post) EXCLUDES(mutex_);
  void answer_later(const std::string& address, std::uint64_t number, std::string bytes) EXCLUDES(mutex_);
  PeerLink& link_to(const Peer& peer) REQUIRES(mutex_);
  void forget(const std::string& address) REQUIRES(mutex_);
  void lose(const std::string& address, const std::deque<MeshMessage::Command>& commands);
  bool counts(const PeerLink& link, SteadyTime now) const REQUIRES(mutex_);
  std::string why_down_locked() const REQUIRES(mutex_);
  /// Tells the receiver when that has changed.
  void notice_down() EXCLUDES(mutex_);

  const Options options_;
  const Clock& clock_;
  std::string address_;
  Gathering gathering_;
  std::unique_ptr<net::Listener> listener_;
  const std::shared_ptr<Outbox> outbox_;
  std::atomic<Receiver*> receiver_{nullptr};  // links may be up before start()
  std::atomic<std::size_t> holding_{0};       // threads of the door that wait for answers
  bool started_ = false;

  mutable Mutex mutex_;
  CondVar changed_;
  std::set<std::string> topics_ GUARDED_BY(mutex_);
  PeerTopics peer_topics_ GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<PeerLink>> links_ GUARDED_BY(mutex_);  // by address
  std::vector<std::shared_ptr<PeerLink>> gone_ GUARDED_BY(mutex_);             // to be joined
  std::unordered_set<std::string> wanted_ GUARDED_BY(mutex_);                  // addresses that discovery knows
  std::unordered_set<std::string> own_ GUARDED_BY(mutex_);                     // addresses that lead back here
  event::Json hello_ GUARDED_BY(mutex_);
  std::uint64_t hellos_ GUARDED_BY(mutex_) = 1;
  std::uint64_t urgent_hello_ GUARDED_BY(mutex_) = 0;  // the last one of tell_hello()
  std::chrono::milliseconds hold_ GUARDED_BY(mutex_){2000};
  bool down_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;

  std::unique_ptr<Door> door_;  // last: its threads use the rest
};

}  // namespace sse::cluster
