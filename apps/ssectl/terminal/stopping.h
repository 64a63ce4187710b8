#pragma once

#include <csignal>

namespace sse::ctl {

/// Blocks SIGINT, SIGTERM and SIGHUP and lets a command that runs until it is stopped wait for them, so that it exits
/// in an orderly way. Create it before any other thread: threads inherit the signal mask. The destructor restores the
/// mask.
class Stopping {
 public:
  Stopping();
  ~Stopping();
  Stopping(const Stopping&) = delete;
  Stopping& operator=(const Stopping&) = delete;

  /// Waits at most `millis` for a signal; true once one has arrived.
  bool wait(int millis);

 private:
  sigset_t signals_{};
  sigset_t before_{};
  bool stopped_ = false;
};

}  // namespace sse::ctl
