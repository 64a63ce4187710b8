#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "base/fd.h"
#include "base/lock_file.h"

namespace sse::net {

/// Where to listen: `ADDR:PORT` (IPv4, `[IPv6]` or a host name) or `unix:PATH`.
struct ListenAddress {
  std::string host;  ///< empty for a unix socket
  int port = 0;      ///< 0: the system chooses one
  std::string path;  ///< of a unix socket

  /// Throws Error(kInvalidArgument) with an example.
  static ListenAddress parse(const std::string& text);
  /// Of a socket that is bound. Without host and path when it is none of IPv4, IPv6 or the file system.
  static ListenAddress of(int fd);
  bool is_unix() const { return !path.empty(); }
  /// True when only this machine can connect: unix sockets, 127.0.0.0/8, ::1, localhost.
  bool is_loopback() const;
  std::string str() const;
};

/// Who may connect to a unix socket.
struct SocketAccess {
  mode_t mode = 0600;    ///< of its file
  std::string group{};   ///< that the file gets; empty: the group of the process
  std::string option{};  ///< that names the group, for errors
};

/// A listening socket: non-blocking, close-on-exec. Its accepted sockets inherit TCP_NODELAY and a send buffer of 128
/// KiB: below 32 KiB one loopback segment stalls healthy readers, and the default lets a dead peer pin megabytes.
/// TCP_USER_TIMEOUT drops a peer that has acknowledged nothing for a minute; retransmission alone takes a quarter of an
/// hour.
class Listener {
 public:
  /// Binds and listens. TCP uses SO_REUSEADDR and not SO_REUSEPORT: two servers never share a port. The unix socket
  /// file of a dead server is replaced, that of a live server is a kConflict. The file gets its group and mode before
  /// any client can connect. Throws Error that names the address and the option to change.
  Listener(const ListenAddress& address, const std::string& option, const SocketAccess& access = {});
  /// Takes over a socket that listens already, see PassedSocket. Its file stays when the listener goes.
  explicit Listener(UniqueFd socket);
  /// Removes the unix socket file, if it is still ours.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int fd() const { return fd_.get(); }
  /// Refuses connections from now on, so that another server can bind the address. Only on the thread that calls fd().
  void close() { fd_.reset(); }
  /// The address with the port actually bound.
  const ListenAddress& address() const { return address_; }

 private:
  void listen_tcp(const std::string& option);
  void listen_unix(const std::string& option, const SocketAccess& access);

  ListenAddress address_;
  UniqueFd fd_;
  std::unique_ptr<LockFile> lock_;  // unix: held while the socket file is ours
};

}  // namespace sse::net
