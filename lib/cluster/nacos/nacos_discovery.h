#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "cluster/core/discovery.h"
#include "cluster/mesh/http_bus.h"
#include "cluster/nacos/nacos_client.h"

namespace sse::cluster {

/// Registers nodes as ephemeral instances of one service in Nacos. An instance's address is that of the node's bus. Its
/// metadata contain the id, the number, the node's facts, and the secret that its bus expects: all programs that may
/// read them are trusted.
///
/// Nacos assigns no numbers: a node registers itself with one, checks whether another node has it, and takes another in
/// that case. Of two nodes that register at the same time at least one sees the other.
///
/// Nacos does not list an instance that an operator has disabled, although it accepts its heartbeats. Such a node goes
/// on: it says so in Node::unlisted, and the others find it by what the buses tell each other (Options::heard).
class NacosDiscovery final : public Discovery {
 public:
  enum class Liveness : unsigned char { kAlive, kDead, kUnknown };
  struct Options {
    NacosClient::Options nacos;  ///< its clock is used for everything here
    std::string address;         ///< HOST:PORT of this node's bus; empty: for a program that only reads
    std::string secret;          ///< of its bus
    bool shared_secret = false;  ///< all nodes have that secret: it need not be in the metadata
    std::string run;             ///< distinguishes this run from others with the same id
    std::chrono::milliseconds beat{2000};
    std::chrono::milliseconds unhealthy_after{6000};  ///< without a heartbeat; Nacos checks every few seconds
    std::chrono::milliseconds removed_after{12'000};
    std::chrono::milliseconds facts_every{10'000};  ///< a change of `state` is published at once
    /// How long join() waits for the entry of an earlier run to expire.
    std::chrono::milliseconds join_timeout{20'000};
    /// How long join() tries again while Nacos cannot be used, or refuses what it may accept a moment later. Then the
    /// node starts alone with the number that its id suggests, and refresh() registers it when Nacos can be used.
    std::chrono::milliseconds start_timeout{20'000};
    std::chrono::milliseconds unlisted_after{6000};  ///< a registered node that is not listed for so long is disabled
    /// Checks whether the node with that id at that address is alive. Null: not possible.
    std::function<Liveness(const std::string& address, const std::string& id, const std::string& run)> probe_liveness;
    /// Receives the other nodes' buses with each call of nodes(). May be empty.
    std::function<void(const std::vector<HttpBus::Peer>&)> on_peers;
    /// Receives what this node tells the others directly, when it changes. May be empty.
    std::function<void(const event::Json& hello)> on_hello;
    /// The nodes that the bus knows. May be empty.
    std::function<std::vector<HttpBus::Seen>()> heard;
  };
  explicit NacosDiscovery(Options options);

  unsigned join(const std::string& id, const event::Json& facts) override EXCLUDES(mutex_);
  void refresh(const event::Json& facts) override EXCLUDES(mutex_);
  void leave() noexcept override EXCLUDES(mutex_);
  std::vector<Node> nodes() override EXCLUDES(mutex_);

  NacosClient& client() { return client_; }

 private:
  struct Entry {
    NacosInstance instance;
    Node node;
    std::string run;
    std::string since;
    std::string address;

    bool live() const { return instance.healthy && instance.enabled; }
  };

  NacosInstance instance(bool settled) const REQUIRES(mutex_);
  std::vector<Entry> entries();
  unsigned register_node() REQUIRES(mutex_);
  void register_late() REQUIRES(mutex_);
  /// Waits for entries of an earlier run of this node to expire, or removes them. Throws Error(kConflict) if the entry
  /// is not of an earlier run.
  std::vector<Entry> remove_stale_entries() REQUIRES(mutex_);
  std::vector<Entry> wait_to_be_seen() REQUIRES(mutex_);
  void enter(bool settled) REQUIRES(mutex_);
  [[noreturn]] void refuse_id() const REQUIRES(mutex_);
  /// Checks whether another node has taken this one's id or number.
  void look_for_conflict(const std::vector<Entry>& all) REQUIRES(mutex_);
  void note_listed(bool listed) REQUIRES(mutex_);
  void say_hello() REQUIRES(mutex_);
  void add_unlisted(std::vector<Node>& nodes, std::vector<HttpBus::Peer>& peers) REQUIRES(mutex_);

  const Options options_;
  const Clock& clock_;
  NacosClient client_;
  Mutex mutex_;
  std::string id_ GUARDED_BY(mutex_);
  unsigned number_ GUARDED_BY(mutex_) = 0;
  event::Json facts_ GUARDED_BY(mutex_);       // as published in Nacos
  event::Json latest_ GUARDED_BY(mutex_);      // of the most recent refresh()
  SteadyTime published_ GUARDED_BY(mutex_){};  // when the facts were published
  SteadyTime beaten_ GUARDED_BY(mutex_){};
  std::string conflict_ GUARDED_BY(mutex_);
  bool joined_ GUARDED_BY(mutex_) = false;
  bool registered_ GUARDED_BY(mutex_) = false;  // false after joining without Nacos
  SteadyTime listed_ GUARDED_BY(mutex_){};      // when Nacos last listed this node, or took its entry
  bool disabled_ GUARDED_BY(mutex_) = false;
  event::Json hello_ GUARDED_BY(mutex_);                            // as last told
  std::map<std::string, event::Json> facts_of_ GUARDED_BY(mutex_);  // of the nodes last listed, by id
  std::map<std::string, std::string> unlisted_ GUARDED_BY(mutex_);  // of others, as last logged, by id
};

}  // namespace sse::cluster
