#include "support/relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "support/socket.h"

namespace sse::testing {

Relay::Relay() : listener_(listen_on_free_port(port_)) {
  acceptor_ = std::thread([this] { accept_all(); });
}

Relay::~Relay() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    break_all();
    changed_.notify_all();
  }
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  std::list<Pair> pairs;
  {
    const MutexLock lock(mutex_);
    pairs.swap(pairs_);
  }
  for (Pair& pair : pairs) {
    pair.there.join();
    pair.back.join();
  }
}

void Relay::set_target(const std::string& address) {
  const MutexLock lock(mutex_);
  target_ = address;
}

void Relay::break_all() {
  for (Pair& pair : pairs_) {
    ::shutdown(pair.near.get(), SHUT_RDWR);
    ::shutdown(pair.far.get(), SHUT_RDWR);
  }
}

void Relay::cut() {
  const MutexLock lock(mutex_);
  mode_ = Mode::kCut;
  break_all();
  changed_.notify_all();
}

void Relay::swallow() {
  const MutexLock lock(mutex_);
  mode_ = Mode::kSwallow;
}

void Relay::lie(std::string bytes) {
  const MutexLock lock(mutex_);
  mode_ = Mode::kLie;
  lie_ = std::move(bytes);
}

void Relay::restore() {
  const MutexLock lock(mutex_);
  // What was swallowed is gone, as with a route that comes back.
  if (mode_ == Mode::kSwallow || mode_ == Mode::kLie) break_all();
  mode_ = Mode::kOpen;
  changed_.notify_all();
}

void Relay::accept_all() {
  for (;;) {
    UniqueFd near(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const MutexLock lock(mutex_);
    if (stopping_) return;
    if (!near.valid() || mode_ == Mode::kCut || target_.empty()) continue;
    const std::size_t colon = target_.rfind(':');
    UniqueFd far;
    try {
      far = connect_to(Endpoint::tcp(target_.substr(0, colon), std::stoi(target_.substr(colon + 1))));
    } catch (const std::system_error&) {
      continue;
    }
    const int on = 1;
    ::setsockopt(near.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(far.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Pair& pair = pairs_.emplace_back();
    pair.near = std::move(near);
    pair.far = std::move(far);
    pair.there = std::thread([this, from = pair.near.get(), to = pair.far.get()] { relay_bytes(from, to, false); });
    pair.back = std::thread([this, from = pair.far.get(), to = pair.near.get()] { relay_bytes(from, to, true); });
  }
}

void Relay::relay_bytes(int from, int to, bool back) {
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t n = ::recv(from, buffer.data(), buffer.size(), 0);
    if (n <= 0) break;
    std::string lie;
    {
      const MutexLock lock(mutex_);
      if (stopping_) break;
      if (mode_ == Mode::kSwallow || (mode_ == Mode::kLie && back)) continue;
      if (mode_ == Mode::kLie) lie = lie_;
    }
    if (!lie.empty()) {
      if (!write_all(from, lie)) break;
      continue;
    }
    if (!write_all(to, {buffer.data(), static_cast<std::size_t>(n)})) break;
  }
  ::shutdown(to, SHUT_RDWR);
  ::shutdown(from, SHUT_RDWR);
}

}  // namespace sse::testing
