#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace sse {

/// The side of a service in the notification protocol of systemd: datagrams of `NAME=VALUE` lines to the socket that
/// the service manager names in $NOTIFY_SOCKET (sd_notify(3)). Any process manager that speaks it will do; no library
/// is needed. Thread safe.
class NotifySocket {
 public:
  /// `address`: the value of $NOTIFY_SOCKET, a path or `@` and an abstract name. Empty: there is no service manager,
  /// and send() does nothing. Throws Error(kInvalidArgument) for any other kind of address.
  explicit NotifySocket(std::string address);

  /// Whether there is a service manager.
  bool open() const { return !address_.empty(); }
  /// Sends lines such as `READY=1`, separated by line feeds. Throws Error when the socket does not take them.
  void send(const std::string& lines) const;

 private:
  const std::string address_;
};

/// How often the service manager expects `WATCHDOG=1`, from $WATCHDOG_USEC and $WATCHDOG_PID (sd_watchdog_enabled(3));
/// nothing when it does not expect that of the process `self`. An empty `pid` means every process. Throws
/// Error(kInvalidArgument) when `microseconds` is no such number.
std::optional<std::chrono::microseconds> watchdog_interval(const std::string& microseconds, const std::string& pid,
                                                           int self);

}  // namespace sse
