#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/notify_socket.h"
#include "server/server.h"

namespace sse::serve {

/// Tells the service manager that started this process, such as systemd, how the server is: ready, reloading, stopping,
/// what it serves, and that it is alive (sd_notify(3)). Does nothing when there is none. A failed notification is
/// logged; the server serves on. One thread at a time.
class ServiceManager {
 public:
  /// Reads $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID. Throws Error(kInvalidArgument).
  ServiceManager();

  void ready(const server::Server& server);
  void reloading();
  /// Also the end of the watchdog's current interval.
  void stopping();

  /// How often tick() must be called; zero: never.
  std::chrono::milliseconds period() const { return period_; }
  /// Updates the status text. Feeds the watchdog, unless a loop or the committer has not answered since the last call:
  /// the manager then ends the process, and starts another.
  void tick(server::Server& server);

 private:
  void notify(const std::string& lines);
  std::string status(const server::Server& server) const;

  const NotifySocket socket_;
  bool feeds_watchdog_ = false;
  std::chrono::milliseconds period_{0};
  std::string last_status_;
  std::vector<std::string> last_stuck_;
  bool failing_ = false;
};

}  // namespace sse::serve
