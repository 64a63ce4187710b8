#pragma once

#include <string>
#include <string_view>

namespace sse::ctl::bench {

/// The server and service path at which `ssectl bench` opens its streams.
struct Place {
  std::string host;  ///< an IPv6 address without brackets
  int port = 80;
  std::string path;  ///< of the service, without a trailing slash

  /// `127.0.0.1:8080`, for the Host header and for messages.
  std::string authority() const;
};

/// Parses `http://HOST[:PORT]/PATH`. A server that listens on every address reports a wildcard host (`0.0.0.0`,
/// `[::]`). It is replaced by the host of `admin` (a `unix:` or `http:` address), which is known to be reachable.
/// Throws Error(kInvalidArgument).
Place parse_place(const std::string& url, std::string_view admin);

}  // namespace sse::ctl::bench
