#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "support/eventually.h"

namespace sse::testing {

/// The address of a server: a unix socket, or a host and port.
struct Endpoint {
  std::string host;
  int port = 0;
  std::string path;  ///< of a unix socket; host and port are then unset

  static Endpoint tcp(std::string host, int port) { return {std::move(host), port, ""}; }
  static Endpoint unix_socket(std::string path) { return {"", 0, std::move(path)}; }
};

struct ConnectOptions {
  std::string source;      ///< local address such as 127.0.0.7; each has its own port range; empty: any
  int receive_buffer = 0;  ///< SO_RCVBUF; 0: the system default
  bool blocking = true;    ///< false: returns while the connection is being established
  std::string headers{};   ///< extra request headers with their CRLF, for callers that send a request (Streams)
};

/// Connects. Throws std::system_error.
UniqueFd connect_to(const Endpoint& endpoint, const ConnectOptions& options = {});

/// Writes all of `bytes` to a blocking socket; false when the peer has closed it.
bool write_all(int fd, std::string_view bytes);

/// Reads until `done(text)`, the end, an error, or `timeout`; returns the text received.
template <class Done>
std::string read_until(int fd, Done done, std::chrono::milliseconds timeout = kTimeout);
/// Reads to the end of the connection. `ended`, if given: whether the end came in time.
std::string read_to_end(int fd, bool* ended = nullptr, std::chrono::milliseconds timeout = kTimeout);

/// Listens on a free port of 127.0.0.1 and stores it in `port`. Throws std::system_error.
UniqueFd listen_on_free_port(int& port);

/// Makes close() send RST instead of FIN.
void reset_on_close(int fd);

/// Raises the soft limit of file descriptors to the hard limit; returns it.
std::size_t raise_descriptor_limit();

// Reads the available bytes, waiting for the first one; -1 on timeout or error, 0 at the end.
long read_some(int fd, std::string& into, std::chrono::steady_clock::time_point deadline);

template <class Done>
std::string read_until(int fd, Done done, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::string text;
  while (!done(text) && read_some(fd, text, deadline) > 0) {
  }
  return text;
}

}  // namespace sse::testing
