#pragma once

#include <string>
#include <string_view>

namespace sse::ctl {

/// Where streams are opened.
struct BenchPlace {
  std::string host;  ///< an IPv6 one without brackets
  int port = 80;
  std::string path;  ///< of the service, without a slash at its end

  /// As a Host header and an address to show: `127.0.0.1:8080`.
  std::string authority() const;
};

/// Reads `http://HOST[:PORT]/PATH`. A wildcard host (`0.0.0.0`, `[::]`), as a server shows it that listens on every
/// address, becomes the host of `admin` (a `unix:` or `http:` address), since that can be reached.
/// Throws Error(kInvalidArgument).
BenchPlace parse_place(const std::string& url, std::string_view admin);

}  // namespace sse::ctl
