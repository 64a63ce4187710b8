#include "support/relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <list>
#include <stdexcept>
#include <vector>

namespace sse::testing {
namespace {

constexpr int kLookMillis = 20;

struct Pair {
  UniqueFd from, to;
  bool ended = false;
};

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

// False when either side has ended.
bool carry(int from, int to) {
  std::array<char, 65536> buffer{};
  const ssize_t n = ::recv(from, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  for (ssize_t sent = 0; sent < n;) {
    const ssize_t m = ::send(to, buffer.data() + sent, static_cast<std::size_t>(n - sent), MSG_NOSIGNAL);
    if (m <= 0) return false;
    sent += m;
  }
  return true;
}

}  // namespace

Relay::Relay(int target) : target_(target), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(listener_.get(), 16) != 0 ||
      ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("the relay cannot listen");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

Relay::~Relay() {
  stopping_ = true;
  thread_.join();
}

void Relay::run() {
  std::list<Pair> pairs;
  while (!stopping_) {
    if (cut_) {
      ::poll(nullptr, 0, kLookMillis);
      continue;
    }
    std::vector<pollfd> fds{{listener_.get(), POLLIN, 0}};
    for (const Pair& pair : pairs) {
      fds.push_back({pair.from.get(), POLLIN, 0});
      fds.push_back({pair.to.get(), POLLIN, 0});
    }
    ::poll(fds.data(), fds.size(), kLookMillis);
    if (cut_) continue;
    std::size_t at = 1;
    for (Pair& pair : pairs) {
      if (fds[at].revents != 0) pair.ended = !carry(pair.from.get(), pair.to.get());
      if (fds[at + 1].revents != 0) pair.ended = pair.ended || !carry(pair.to.get(), pair.from.get());
      at += 2;
    }
    pairs.remove_if([](const Pair& pair) { return pair.ended; });
    if (fds[0].revents != 0) {
      Pair pair;
      pair.from = UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      pair.to = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const sockaddr_in address = loopback(target_);
      if (::connect(pair.to.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
        pairs.push_back(std::move(pair));
    }
  }
}

}  // namespace sse::testing
