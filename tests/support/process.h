#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "support/socket.h"

namespace sse::testing {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SSE_UNDER_SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(SSE_UNDER_SANITIZER)
inline constexpr bool kSanitized = true;  ///< the programs are built like the tests
#else
inline constexpr bool kSanitized = false;
#endif

/// A folder in /tmp that is removed with everything in it. Short, since it holds unix sockets.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// A running sse-serve on free ports; killed when this is destroyed. Start it from a thread that lives as long, as the
/// kernel ends it with that thread should the test die.
class ServerProcess {
 public:
  /// Uses `pending.db` and `admin.sock` in `folder`, so that a second one continues what the first left behind; with
  /// "--admin" in `options`, that one. Returns when it serves; throws std::runtime_error with its log when it does not.
  ServerProcess(const ScratchFolder& folder, std::vector<std::string> options = {});
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const Endpoint& pages() const { return pages_; }
  const Endpoint& admin() const { return admin_; }
  pid_t pid() const { return pid_; }

  /// SIGTERM; returns the exit status, or -1 when it had to be killed.
  int stop();
  /// SIGKILL, as a crash would.
  void kill();

  std::string log() const;
  int threads() const;
  std::size_t peak_memory() const;  ///< most bytes it has had resident
  std::chrono::milliseconds cpu_time() const;

 private:
  int wait_for_exit(std::chrono::milliseconds patience);

  std::string log_;
  Endpoint pages_;
  Endpoint admin_;
  pid_t pid_ = -1;
};

/// Polls `done` until it holds; false when `patience` is over.
template <class Done>
bool eventually(Done done, std::chrono::milliseconds patience = kPatience);

void nap();

/// SIGSTOP; returns when all threads of the process stand still, which the kernel brings about some time after kill(2).
void freeze(pid_t pid);
/// SIGCONT.
void thaw(pid_t pid);

template <class Done>
bool eventually(Done done, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    nap();
  }
  return true;
}

}  // namespace sse::testing
