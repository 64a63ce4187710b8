#include "net/acceptor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <utility>

#include "net/peer_address.h"
#include "net/refusal.h"
#include "observe/log.h"

namespace sse::net {
namespace {

// Before other events of the loop have their turn.
constexpr int kAcceptsPerTurn = 256;

Peer peer_of(const sockaddr_storage& address) {
  Peer peer{address_of(address), 0};
  if (address.ss_family == AF_INET) peer.port = ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  if (address.ss_family == AF_INET6) peer.port = ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return peer;
}

}  // namespace

Acceptor::Acceptor(EventLoop& loop, Listener& listener, const FrontOptions& options, ConnectionLimits& limits,
                   FrontMetrics& metrics, Owner& owner)
    : loop_(loop), listener_(listener), options_(options), limits_(limits), metrics_(metrics), owner_(owner) {
  open_spare();
}

void Acceptor::start() {
  loop_.add(listener_.fd(), EPOLLIN, this);
}

void Acceptor::stop() {
  loop_.assert_in_loop_thread();
  stopped_ = true;
  loop_.remove(listener_.fd());
  listener_.close();
}

void Acceptor::on_events(std::uint32_t /*events*/) {
  loop_.assert_in_loop_thread();
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    UniqueFd socket(
        ::accept4(listener_.fd(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.valid()) {
      accept_one(std::move(socket), address);
    } else if (errno == EMFILE || errno == ENFILE) {
      on_out_of_descriptors();
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

void Acceptor::accept_one(UniqueFd socket, const sockaddr_storage& address) {
  metrics_.accepted.add();
  Peer peer = peer_of(address);
  ConnectionPlace place = limits_.admit(peer.address);
  if (place.refusal != nullptr && !limits_.can_hold_refused()) {
    refuse_at_once(socket, *place.refusal);
    return;
  }
  const bool header = options_.proxy_protocol && options_.is_proxy && options_.is_proxy(peer.address);
  owner_.accepted({std::move(socket), std::move(peer), std::move(place), uses_tls(), header});
}

// The client may not get to read it: closing a socket with unread bytes sends RST.
void Acceptor::refuse_at_once(const UniqueFd& socket, const ConnectionRefusal& refusal) const {
  // A TLS client could not read plain text.
  if (uses_tls()) return;
  const std::string text = refusal_response(loop_.clock().wall_now(), refusal.status, plain_refusal(refusal.sentence));
  ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Acceptor::on_out_of_descriptors() {
  spare_.reset();
  refuse_waiting();
  open_spare();
  // Another thread took the last descriptor.
  if (!spare_.valid()) pause();
  warn();
}

void Acceptor::refuse_waiting() {
  const ConnectionRefusal refusal{503, "the server is out of descriptors; try again later"};
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const UniqueFd socket(::accept4(listener_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.valid()) break;
    metrics_.refused_descriptors.add();
    refuse_at_once(socket, refusal);
    ::shutdown(socket.get(), SHUT_WR);
  }
}

void Acceptor::open_spare() {
  spare_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

// Until a connection may have been closed.
void Acceptor::pause() {
  loop_.modify(listener_.fd(), 0, this);
  loop_.run_after(kPause, [this] {
    open_spare();
    if (!stopped_) loop_.modify(listener_.fd(), EPOLLIN, this);
  });
}

void Acceptor::warn() {
  if (loop_.now() - last_warning_ <= std::chrono::seconds(5)) return;
  last_warning_ = loop_.now();
  observe::log_warn(
      "new connections refused: out of descriptors; raise the limit (ulimit -n) or lower --max-connections",
      {{"listener", options_.name}});
}

}  // namespace sse::net
