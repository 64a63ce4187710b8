#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace sse::testing {

/// How long tests wait for what must happen: far beyond what a busy machine under a sanitizer needs.
inline constexpr std::chrono::milliseconds kPatience{60'000};

/// Where a server listens: a unix socket, or an address and port.
struct Endpoint {
  std::string host;
  int port = 0;
  std::string path;  ///< of a unix socket; the rest is then empty

  static Endpoint tcp(std::string host, int port) { return {std::move(host), port, ""}; }
  static Endpoint unix_socket(std::string path) { return {"", 0, std::move(path)}; }
};

struct ConnectOptions {
  std::string source;      ///< local address such as 127.0.0.7: each has its own range of ports; empty: any
  int receive_buffer = 0;  ///< SO_RCVBUF; 0: the system's
  bool blocking = true;    ///< false: returns while the connection is still being made
  std::string headers{};   ///< lines with their CRLF, in the request of who sends one (Streams)
};

/// Connects. Throws std::system_error.
UniqueFd connect_to(const Endpoint& endpoint, const ConnectOptions& options = {});

/// Writes all of `bytes` to a blocking socket; false when the peer is gone.
bool write_all(int fd, std::string_view bytes);

/// Reads until `done(text)`, the end, an error, or `patience` is over; returns what came.
template <class Done>
std::string read_until(int fd, Done done, std::chrono::milliseconds patience = kPatience);
/// Reads to the end of the connection. `ended`, if given: whether that came in time.
std::string read_to_end(int fd, bool* ended = nullptr, std::chrono::milliseconds patience = kPatience);

/// Listens on a free port of 127.0.0.1, which it tells. Throws std::system_error.
UniqueFd listen_on_free_port(int& port);

/// Makes the next close() send RST instead of FIN.
void reset_on_close(int fd);

/// Raises the soft limit of descriptors to the hard one; returns it.
std::size_t raise_descriptor_limit();

// One piece of what is there, waiting for it: -1 on timeout or error, 0 at the end.
long read_some(int fd, std::string& into, std::chrono::steady_clock::time_point deadline);

template <class Done>
std::string read_until(int fd, Done done, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  std::string text;
  while (!done(text) && read_some(fd, text, deadline) > 0) {
  }
  return text;
}

}  // namespace sse::testing
