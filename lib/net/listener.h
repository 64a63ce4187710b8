#pragma once

#include <memory>
#include <string>

#include "base/fd.h"
#include "base/lock_file.h"

namespace sse::net {

/// Where to listen: `ADDR:PORT` (IPv4, `[IPv6]` or a host name) or `unix:PATH`.
struct ListenAddress {
  std::string host;  ///< empty for a unix socket
  int port = 0;      ///< 0: the system picks one
  std::string path;  ///< of a unix socket

  /// Throws Error(kInvalidArgument) with an example.
  static ListenAddress parse(const std::string& text);
  bool is_unix() const { return !path.empty(); }
  /// True when only this machine can reach it: unix sockets, 127.0.0.0/8, ::1, localhost.
  bool is_loopback() const;
  std::string str() const;
};

/// A listening socket: non-blocking, close-on-exec. Its accepted sockets inherit TCP_NODELAY and a send buffer of
/// 128 KiB: below 32 KiB one loopback segment stalls healthy readers, the default lets a dead one pin megabytes.
/// TCP_USER_TIMEOUT gives up on a peer that has acknowledged nothing for a minute, instead of the quarter of an hour
/// that retransmission alone takes.
class Listener {
 public:
  /// Binds and listens. TCP uses SO_REUSEADDR and not SO_REUSEPORT: two servers never share a port. A unix socket file
  /// left by a dead server is replaced, one that answers is a kConflict; the file gets mode 0600 before anyone can
  /// connect. Throws Error that names the address and the option to change.
  Listener(const ListenAddress& address, const std::string& option);
  /// Removes the unix socket file, if it is still ours.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int fd() const { return fd_.get(); }
  /// Refuses connections from now on, so that another server can take the address. One thread, which also calls fd().
  void close() { fd_.reset(); }
  /// The address with the port actually bound.
  const ListenAddress& address() const { return address_; }

 private:
  void listen_tcp(const std::string& option);
  void listen_unix(const std::string& option);

  ListenAddress address_;
  UniqueFd fd_;
  std::unique_ptr<LockFile> lock_;  // unix: held while the socket file is ours
};

}  // namespace sse::net
