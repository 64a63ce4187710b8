#pragma once

#include <chrono>
#include <functional>
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
class NacosDiscovery final : public Discovery {
 public:
  enum class Liveness : unsigned char { kAlive, kDead, kUnknown };
  struct Options {
    NacosClient::Options nacos;  ///< its clock is used for everything here
    std::string address;         ///< HOST:PORT of this node's bus; empty: for a program that only reads
    std::string secret;          ///< of its bus
    std::string run;             ///< distinguishes this run from others with the same id
    std::chrono::milliseconds beat{2000};
    std::chrono::milliseconds unhealthy_after{6000};  ///< without a heartbeat; Nacos checks every few seconds
    std::chrono::milliseconds removed_after{12'000};
    std::chrono::milliseconds facts_every{10'000};  ///< a change of `state` is published at once
    std::chrono::milliseconds join_timeout{20'000};
    /// Checks whether the node with that id at that address is alive. Null: not possible.
    std::function<Liveness(const std::string& address, const std::string& id, const std::string& run)> probe_liveness;
    /// Receives the other nodes' buses with each call of nodes(). May be empty.
    std::function<void(const std::vector<HttpBus::Peer>&)> on_peers;
  };
  explicit NacosDiscovery(Options options);

  unsigned join(const std::string& id, const event::Json& facts) override EXCLUDES(mutex_);
  void refresh(const event::Json& facts) override EXCLUDES(mutex_);
  void leave() noexcept override EXCLUDES(mutex_);
  std::vector<Node> nodes() override EXCLUDES(mutex_);

  NacosClient& client() { return client_; }

 private:
  struct Entry;

  NacosInstance instance(bool settled) const REQUIRES(mutex_);
  std::vector<Entry> entries();
  /// Waits for entries of an earlier run of this node to expire, or removes them. Throws Error(kConflict) if the entry
  /// is not of an earlier run.
  std::vector<Entry> remove_stale_entries() REQUIRES(mutex_);
  std::vector<Entry> wait_to_be_seen() REQUIRES(mutex_);
  void enter(bool settled) REQUIRES(mutex_);
  [[noreturn]] void refuse_id() const REQUIRES(mutex_);
  /// Checks whether another node has taken this one's id or number.
  void look_for_conflict(const std::vector<Entry>& all) REQUIRES(mutex_);

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
};

}  // namespace sse::cluster
