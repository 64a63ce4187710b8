#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace sse::api {

/// The address of an admin listener.
struct Address {
  std::string path;  ///< of the unix socket; empty for TCP
  std::string host;  ///< name or address, IPv6 without brackets; empty for a unix socket
  std::uint16_t port = 0;
  bool tls = false;

  bool is_unix() const { return !path.empty(); }
};

/// Parses `unix:PATH`, `http://HOST:PORT` and `https://HOST:PORT` (default port 80 or 443; `[::1]` for IPv6). Throws
/// Error(kInvalidArgument) that names the text and the valid forms, also for a socket path longer than the kernel
/// allows.
Address parse_address(std::string_view text);

/// Tries to connect and returns the system's error text (`No such file or directory`, `Connection refused`); empty when
/// connecting succeeds. For error messages: cpp-httplib does not expose the reason. Takes up to `timeout`.
std::string connect_error(const Address& address, std::chrono::milliseconds timeout);

/// Why this process may not connect to a unix socket, and which permission it needs: `only the user 'sse-serve' and
/// the members of the group 'sse-serve' may connect`. Empty when permissions are not the reason.
std::string missing_permission(const Address& address);

}  // namespace sse::api
