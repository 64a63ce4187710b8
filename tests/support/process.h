#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "support/eventually.h"
#include "support/files.h"
#include "support/socket.h"

namespace sse::testing {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SSE_UNDER_SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(SSE_UNDER_SANITIZER)
inline constexpr bool kSanitized = true;  ///< the programs are built with the same sanitizer as the tests
#else
inline constexpr bool kSanitized = false;
#endif

/// A running sse-serve on free ports; killed when this is destroyed. Start it from a thread that lives as long: the
/// kernel kills the process when that thread ends, in case the test crashes.
class ServerProcess {
 public:
  /// Uses `pending.db` and `admin.sock` in `folder`, so that a second process continues with the first one's state;
  /// "--admin" in `options` replaces the socket. Returns when it serves; throws std::runtime_error with its log
  /// otherwise.
  ServerProcess(const TempFolder& folder, std::vector<std::string> options = {});
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const Endpoint& pages() const { return pages_; }
  const Endpoint& admin() const { return admin_; }
  pid_t pid() const { return pid_; }

  /// Sends SIGTERM; returns the exit status, or -1 when it had to be killed.
  int stop();
  /// Sends SIGKILL, to simulate a crash.
  void kill();

  std::string log() const;
  int threads() const;
  std::size_t peak_memory() const;  ///< largest resident memory so far, in bytes
  std::chrono::milliseconds cpu_time() const;

 private:
  int wait_for_exit(std::chrono::milliseconds timeout);

  std::string log_;
  Endpoint pages_;
  Endpoint admin_;
  pid_t pid_ = -1;
};

/// Sends SIGSTOP; returns when all threads of the process have stopped, which happens some time after kill(2).
void freeze(pid_t pid);
/// Sends SIGCONT.
void thaw(pid_t pid);

}  // namespace sse::testing
