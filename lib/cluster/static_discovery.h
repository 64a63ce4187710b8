#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "cluster/discovery.h"
#include "cluster/http_bus.h"
#include "cluster/node_probe.h"

namespace sse::cluster {

/// Nodes at addresses that are known beforehand; who is there tells by itself, in what the buses post to each other
/// anyway. All share one secret.
class StaticDiscovery final : public Discovery {
 public:
  struct Options {
    std::vector<std::string> addresses;  ///< HOST:PORT of every node's bus, this one's own may be among them
    std::string secret;
    std::chrono::milliseconds ttl{6000};
    std::chrono::milliseconds timeout{1000};  ///< for the question who is at an address
  };
  /// `bus` outlives this, is started before the first call, and gives up on who is silent for the time to live.
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

  /// Tells the bus of the addresses.
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
