#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "cluster/core/discovery.h"
#include "cluster/mesh/http_bus.h"
#include "cluster/mesh/node_probe.h"

namespace sse::cluster {

/// Discovers nodes at configured addresses: the nodes identify themselves in the posts that the buses exchange anyway.
/// All share one secret.
class StaticDiscovery final : public Discovery {
 public:
  struct Options {
    std::vector<std::string> addresses;  ///< HOST:PORT of each node's bus; may include this node's own
    std::string secret;
    std::chrono::milliseconds ttl{6000};
    std::chrono::milliseconds timeout{1000};  ///< for probing an address
  };
  /// `bus` must outlive this, be started before the first call, and have give_up set to the time to live.
  StaticDiscovery(HttpBus& bus, Options options);

  unsigned join(const std::string& id, const event::Json& facts) override EXCLUDES(mutex_);
  void refresh(const event::Json& facts) override EXCLUDES(mutex_);
  void leave() noexcept override EXCLUDES(mutex_);
  std::vector<Node> nodes() override EXCLUDES(mutex_);

 private:
  struct Beat {
    std::string mark;  // run and count
    SteadyTime seen;
  };

  /// Passes the addresses to the bus.
  void introduce() REQUIRES(mutex_);
  event::Json hello(bool settled) REQUIRES(mutex_);
  std::vector<NodeProbe> probe_all() const;

  HttpBus& bus_;
  const Options options_;
  Mutex mutex_;
  std::string id_ GUARDED_BY(mutex_);
  unsigned number_ GUARDED_BY(mutex_) = 0;
  std::uint64_t beats_ GUARDED_BY(mutex_) = 0;
  event::Json facts_ GUARDED_BY(mutex_);
  bool introduced_ GUARDED_BY(mutex_) = false;
  bool joined_ GUARDED_BY(mutex_) = false;
  SteadyTime refreshed_ GUARDED_BY(mutex_){};
  std::map<std::string, Beat> others_ GUARDED_BY(mutex_);  // by address
};

/// Reads `static:HOST:PORT,HOST:PORT,…`. Throws Error(kInvalidArgument).
std::vector<std::string> parse_static_addresses(std::string_view text);

}  // namespace sse::cluster
