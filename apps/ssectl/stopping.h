#pragma once

#include <csignal>

namespace sse::ctl {

/// Collects SIGINT, SIGTERM and SIGHUP instead of dying of them, so that a command that runs on until it is stopped
/// ends in its own way. Made before any other thread, because they inherit what is blocked. Off again when destroyed.
class Stopping {
 public:
  Stopping();
  ~Stopping();
  Stopping(const Stopping&) = delete;
  Stopping& operator=(const Stopping&) = delete;

  /// Waits so long for a signal; true once one has come.
  bool wait(int millis);

 private:
  sigset_t signals_{};
  sigset_t before_{};
  bool stopped_ = false;
};

}  // namespace sse::ctl
