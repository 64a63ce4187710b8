#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "cluster/discovery.h"
#include "cluster/http_bus.h"
#include "cluster/nacos_client.h"

namespace sse::cluster {

/// Nodes as ephemeral instances of one service of Nacos. An instance's address is that of the node's bus; its metadata
/// hold the id, the number, what the node tells about itself, and the secret its bus wants to be shown: whoever may
/// read them is trusted.
///
/// Nacos hands out no numbers: a node enters itself with one, looks whether another has it, and takes another then. Of
/// two that enter at the same time at least one sees the other.
class NacosDiscovery final : public Discovery {
 public:
  enum class Life : unsigned char { kAlive, kDead, kUnknown };
  struct Options {
    NacosClient::Options nacos;  ///< its clock is that of all this
    std::string address;         ///< HOST:PORT of this node's bus; empty: for a program that only looks
    std::string secret;          ///< of its bus
    std::string run;             ///< tells this run from others with the same id
    std::chrono::milliseconds beat{2000};
    std::chrono::milliseconds unhealthy_after{6000};  ///< without a heartbeat; Nacos looks every few seconds
    std::chrono::milliseconds removed_after{12'000};
    std::chrono::milliseconds facts_every{10'000};  ///< a change of `state` is told at once
    std::chrono::milliseconds join_patience{20'000};
    /// Asks the node with that id at that address whether it lives. Null: nobody knows.
    std::function<Life(const std::string& address, const std::string& id, const std::string& run)> ask;
    /// Gets the other nodes' buses with every nodes(). May be empty.
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
  /// Waits out or takes out entries of an earlier run of this node. Throws Error(kConflict) when it is no earlier one.
  std::vector<Entry> make_room() REQUIRES(mutex_);
  std::vector<Entry> wait_to_be_seen() REQUIRES(mutex_);
  void enter(bool settled) REQUIRES(mutex_);
  [[noreturn]] void refuse_id() const REQUIRES(mutex_);
  /// Whether another node has taken this one's id or number.
  void look_for_conflict(const std::vector<Entry>& all) REQUIRES(mutex_);

  const Options options_;
  const Clock& clock_;
  NacosClient client_;
  Mutex mutex_;
  std::string id_ GUARDED_BY(mutex_);
  unsigned number_ GUARDED_BY(mutex_) = 0;
  event::Json facts_ GUARDED_BY(mutex_);   // as Nacos has them
  event::Json latest_ GUARDED_BY(mutex_);  // as refresh() said last
  SteadyTime told_ GUARDED_BY(mutex_){};   // the facts
  SteadyTime beaten_ GUARDED_BY(mutex_){};
  std::string conflict_ GUARDED_BY(mutex_);
  bool joined_ GUARDED_BY(mutex_) = false;
};

}  // namespace sse::cluster
