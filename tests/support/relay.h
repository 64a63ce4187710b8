#pragma once

#include <atomic>
#include <string>
#include <thread>

#include "support/socket.h"

namespace sse::testing {

/// Carries TCP connections to a port of 127.0.0.1, until it is cut: then it takes connections and bytes in, and nothing
/// comes out, as where a network swallows everything. Nothing is lost that was under way when it heals.
class Relay {
 public:
  explicit Relay(int target);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  int port() const { return port_; }
  void cut() { cut_ = true; }
  void heal() { cut_ = false; }

 private:
  void run();

  const int target_;
  int port_ = 0;
  UniqueFd listener_;
  std::atomic<bool> cut_{false};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace sse::testing
