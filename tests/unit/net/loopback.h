#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "base/manual_clock.h"
#include "event/chunk_reader.h"
#include "support/eventually.h"
#include "support/files.h"

namespace sse::testing {

/// How long a test waits for something that is to happen; only a failing test waits that long.
inline constexpr std::chrono::seconds kSocketTimeout{30};

struct Response {
  int status = 0;
  std::string head;
  std::string body;

  /// Value of a header; empty when absent.
  std::string header(std::string name) const {
    const auto lower = [](std::string text) {
      for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      return text;
    };
    const std::string all = lower(head);
    const std::size_t at = all.find("\r\n" + lower(name) + ":");
    if (at == std::string::npos) return {};
    const std::size_t begin = head.find_first_not_of(' ', at + name.size() + 3);
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

/// The far end of a connection: a raw socket that says exactly what it is told.
class Client {
 public:
  explicit Client(UniqueFd fd) : fd_(std::move(fd)) {}

  /// Connects to 127.0.0.1. `receive_buffer`: bytes of SO_RCVBUF, 0 for the default. Throws when no process listens.
  static Client tcp(int port, int receive_buffer = 0) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (receive_buffer != 0) setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
      throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return Client(std::move(fd));
  }
  static Client unix_socket(const std::string& path) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, path.c_str(), path.size() + 1);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
      throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
    return Client(std::move(fd));
  }

  int fd() const { return fd_.get(); }

  /// Writes all; false when the connection is gone.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  /// What was received and not taken.
  const std::string& received() const { return received_; }
  std::string take() { return std::exchange(received_, {}); }

  /// One recv(); false at the end of the connection, on an error and when nothing came in time.
  bool receive_some(std::chrono::milliseconds timeout = kSocketTimeout) {
    if (!wait_readable(timeout)) return false;
    std::array<char, 64 * 1024> buffer;
    const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (n == 0) ended_ = true;
    if (n < 0) reset_ = errno == ECONNRESET;
    if (n <= 0) return false;
    take_bytes({buffer.data(), static_cast<std::size_t>(n)});
    return true;
  }
  /// What was received from `begin` on, and all that comes, is a chunked body: received() shows it without its framing.
  void decode_chunks(std::size_t begin) {
    chunked_ = true;
    const std::string body = received_.substr(begin);
    received_.resize(begin);
    take_bytes(body);
  }
  const event::ChunkReader& chunks() const { return chunks_; }
  /// Receives until `text` has arrived.
  bool receive_until(std::string_view text) {
    while (received_.find(text) == std::string::npos) {
      if (!receive_some()) return false;
    }
    return true;
  }
  bool receive_bytes(std::size_t count) {
    while (received_.size() < count) {
      if (!receive_some()) return false;
    }
    return true;
  }
  /// Receives everything until the server ends the connection; true when it ended with FIN.
  bool receive_all() {
    while (receive_some()) {
    }
    return ended_;
  }
  /// As receive_all(), and moves `clock` until the server does.
  bool receive_all(ManualClock& clock, std::chrono::milliseconds step = std::chrono::milliseconds(100)) {
    const auto deadline = std::chrono::steady_clock::now() + kSocketTimeout;
    while (!ended_ && !reset_) {
      if (receive_some(std::chrono::milliseconds(1)) || ended_ || reset_) continue;
      if (std::chrono::steady_clock::now() > deadline) return false;
      clock.advance(step);
    }
    return ended_;
  }
  bool was_reset() const { return reset_; }

  /// The next response, by its Content-Length; status 0 when the connection ended first. `head`: answers HEAD.
  Response response(bool head = false) {
    Response out;
    if (!receive_until("\r\n\r\n")) return out;
    const std::size_t size = received_.find("\r\n\r\n") + 4;
    out.head = received_.substr(0, size);
    received_.erase(0, size);
    out.status = std::atoi(out.head.c_str() + 9);
    const std::size_t length = head ? 0 : static_cast<std::size_t>(std::atoll(out.header("Content-Length").c_str()));
    if (!receive_bytes(length)) return {};
    out.body = received_.substr(0, length);
    received_.erase(0, length);
    return out;
  }
  Response get(const std::string& target, const std::string& headers = "") {
    send("GET " + target + " HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n");
    return response();
  }
  Response post(const std::string& target, const std::string& body, const std::string& headers = "") {
    send("POST " + target + " HTTP/1.1\r\nHost: h\r\n" + headers + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body);
    return response();
  }

  /// Has TCP acknowledge at once what was received, instead of up to 40 ms later.
  void acknowledge() const {
    const int on = 1;
    setsockopt(fd_.get(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
  }
  /// From now on time goes on while this waits for the server: `clock` is moved as long as nothing comes.
  void follow(ManualClock& clock) { clock_ = &clock; }
  /// FIN: nothing more will be sent.
  void finish() { ::shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_.reset(); }
  /// RST instead of FIN.
  void reset() {
    const linger hard{1, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    fd_.reset();
  }

 private:
  void take_bytes(std::string_view bytes) {
    if (!chunked_) {
      received_.append(bytes);
      return;
    }
    chunks_.feed(bytes, [this](std::string_view part) { received_.append(part); });
    if (chunks_.bad()) throw std::runtime_error("malformed chunks");
  }

  UniqueFd fd_;
  std::string received_;
  event::ChunkReader chunks_;
  bool chunked_ = false;
  bool ended_ = false;
  bool reset_ = false;
  ManualClock* clock_ = nullptr;

  bool wait_readable(std::chrono::milliseconds timeout) {
    pollfd waiting{fd_.get(), POLLIN, 0};
    if (clock_ == nullptr) return ::poll(&waiting, 1, static_cast<int>(timeout.count())) > 0;
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    for (;;) {
      if (::poll(&waiting, 1, timeout.count() == 0 ? 0 : 1) > 0) return true;
      if (std::chrono::steady_clock::now() >= deadline) return false;
      clock_->advance(std::chrono::milliseconds(10));
    }
  }
};

/// Two ends of one TCP connection over loopback: the server's (non-blocking, as a listener of ours gives it) and the
/// client's.
struct TcpPair {
  UniqueFd server;
  Client client;
};

inline TcpPair tcp_pair(int send_buffer = 0, int receive_buffer = 0) {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (send_buffer != 0) setsockopt(listener.get(), SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
  const int on = 1;
  setsockopt(listener.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 ||
      ::listen(listener.get(), 1) != 0 || ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&at), &size) != 0)
    throw std::runtime_error(std::string("listen: ") + std::strerror(errno));
  Client client = Client::tcp(ntohs(at.sin_port), receive_buffer);
  UniqueFd server(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  return {std::move(server), std::move(client)};
}

}  // namespace sse::testing
