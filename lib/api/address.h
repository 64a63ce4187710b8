#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace sse::api {

/// Where an admin listener is.
struct Address {
  std::string path;  ///< of the unix socket; empty for TCP
  std::string host;  ///< name or address, an IPv6 one without its brackets; empty for a unix socket
  std::uint16_t port = 0;
  bool tls = false;

  bool is_unix() const { return !path.empty(); }
};

/// Reads `unix:PATH`, `http://HOST:PORT` and `https://HOST:PORT` (port 80 or 443 when left out; `[::1]` for IPv6).
/// Throws Error(kInvalidArgument) that names the text and the forms, also for a socket path longer than the kernel
/// takes.
Address parse_address(std::string_view text);

/// Why connecting to `address` fails right now, in the system's words (`No such file or directory`, `Connection
/// refused`); empty when it does not fail. For messages: cpp-httplib keeps the reason to itself. Takes up to
/// `patience`.
std::string why_unreachable(const Address& address, std::chrono::milliseconds patience);

}  // namespace sse::api
