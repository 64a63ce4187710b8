#pragma once

#include <poll.h>

#include <future>
#include <memory>
#include <stdexcept>
#include <utility>

#include "net/socket.h"
#include "net/tls_context.h"
#include "unit/net/tls_peer.h"

namespace sse::testing {

/// Waits until `fd` is ready for `events`.
inline bool await(int fd, short events) {
  pollfd waiting{fd, events, 0};
  return ::poll(&waiting, 1, static_cast<int>(std::chrono::milliseconds(kSocketTimeout).count())) == 1;
}

/// Drives the server's side until the handshake is over.
inline bool do_handshake(net::TlsSession& session, int fd) {
  for (;;) {
    switch (session.handshake()) {
      case net::TlsSession::Step::kDone:
        return true;
      case net::TlsSession::Step::kFailed:
        return false;
      case net::TlsSession::Step::kWantsRead:
        if (!await(fd, POLLIN)) return false;
        break;
      case net::TlsSession::Step::kWantsWrite:
        if (!await(fd, POLLOUT)) return false;
        break;
    }
  }
}

/// Both ends of a TLS connection over loopback, handshake done.
struct TlsPair {
  net::Socket server;
  std::unique_ptr<TlsClient> client;
};

inline TlsPair tls_pair(const net::TlsContext& context, int send_buffer = 0, int receive_buffer = 0,
                        int max_version = 0) {
  TcpPair plain = tcp_pair(send_buffer, receive_buffer);
  TlsPair pair;
  pair.client = std::make_unique<TlsClient>(std::move(plain.client), max_version);
  const int fd = plain.server.get();
  pair.server = net::Socket(std::move(plain.server), context.accept(fd));
  auto shaken = std::async(std::launch::async, [&] { return pair.client->handshake(); });
  const bool done = do_handshake(*pair.server.tls, fd);
  if (!shaken.get() || !done) throw std::runtime_error("TLS handshake failed: " + pair.server.tls->problem());
  return pair;
}

}  // namespace sse::testing
