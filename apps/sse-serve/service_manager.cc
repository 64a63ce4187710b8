#include "service_manager.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/clock.h"
#include "base/error.h"
#include "observe/log.h"

namespace sse::serve {
namespace {

constexpr std::chrono::milliseconds kStatusPeriod{10'000};
constexpr std::chrono::milliseconds kShortestPeriod{20};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

ServiceManager::ServiceManager() : socket_(environment("NOTIFY_SOCKET")) {
  if (!socket_.open()) return;
  period_ = kStatusPeriod;
  const auto interval = watchdog_interval(environment("WATCHDOG_USEC"), environment("WATCHDOG_PID"), getpid());
  if (!interval) return;
  feeds_watchdog_ = true;
  // A thread may be late once, by less than a quarter, without consequences.
  period_ = std::clamp(std::chrono::duration_cast<std::chrono::milliseconds>(*interval / 4), kShortestPeriod, period_);
}

void ServiceManager::ready(const server::Server& server) {
  last_status_ = status(server);
  notify("READY=1\nSTATUS=" + last_status_);
}

void ServiceManager::reloading() {
  // systemd orders it against READY=1 by the monotonic clock.
  const auto now = Clock::system().steady_now().time_since_epoch();
  notify("RELOADING=1\nMONOTONIC_USEC=" +
         std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(now).count()));
}

void ServiceManager::stopping() {
  notify(std::string("STOPPING=1\nSTATUS=Stopping: writing out the streams") + (feeds_watchdog_ ? "\nWATCHDOG=1" : ""));
}

void ServiceManager::tick(server::Server& server) {
  std::string lines;
  if (std::string now = status(server); now != last_status_) {
    last_status_ = std::move(now);
    lines = "STATUS=" + last_status_;
  }
  if (feeds_watchdog_) {
    std::vector<std::string> stuck = server.stuck_threads();
    if (stuck.empty()) {
      lines += std::string(lines.empty() ? "" : "\n") + "WATCHDOG=1";
    } else if (stuck != last_stuck_) {
      std::string names;
      for (const std::string& name : stuck) names += (names.empty() ? "" : ", ") + name;
      observe::log_error("threads make no progress; the watchdog of the service manager is not fed",
                         {{"threads", names}});
    }
    last_stuck_ = std::move(stuck);
  }
  if (!lines.empty()) notify(lines);
}

std::string ServiceManager::status(const server::Server& server) const {
  const std::size_t streams = server.open_streams();
  return "Serving " + std::to_string(streams) + (streams == 1 ? " stream on " : " streams on ") + server.url();
}

void ServiceManager::notify(const std::string& lines) {
  try {
    socket_.send(lines);
    failing_ = false;
  } catch (const Error& e) {
    if (!failing_) observe::log_warn("the service manager was not notified", {{"error", e.what()}});
    failing_ = true;
  }
}

}  // namespace sse::serve
