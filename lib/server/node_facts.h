#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "application/service.h"
#include "base/clock.h"
#include "event/json.h"
#include "observe/metrics.h"

namespace sse::server {

/// What a node publishes to the other nodes of its cluster with every heartbeat. Thread safe; works before the services
/// exist.
class NodeFacts {
 public:
  /// References must outlive this. The server has started at `started`.
  NodeFacts(const std::vector<application::Service>& services, const observe::Registry& metrics,
            const std::atomic<bool>& draining, WallTime started, std::function<std::string()> url)
      : services_(services), metrics_(metrics), draining_(draining), started_(started), url_(std::move(url)) {}

  /// The JSON document.
  event::Json document() const;

  /// Of all services.
  struct Counts {
    std::size_t connections = 0;
    std::size_t users = 0;
  };
  Counts counts() const;
  /// "ready" or "draining".
  const char* state() const { return draining_.load() ? "draining" : "ready"; }
  WallTime started() const { return started_; }
  /// Of the public listener.
  std::string url() const { return url_(); }

 private:
  const std::vector<application::Service>& services_;
  const observe::Registry& metrics_;
  const std::atomic<bool>& draining_;
  const WallTime started_;
  const std::function<std::string()> url_;
};

}  // namespace sse::server
