#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "cluster/mesh/http_bus.h"
#include "net/byte_budget.h"
#include "net/event_loop.h"
#include "net/http_front.h"
#include "net/httplib_app.h"
#include "net/listener.h"
#include "net/tls_session.h"
#include "net/worker_pool.h"
#include "observe/metrics.h"

namespace sse::cluster {

inline constexpr std::size_t kMaxMeshThreads = 64;

/// The HTTP server of an HttpBus, for posts of other nodes. Only for http_bus.cc.
struct HttpBus::MeshServer {
  MeshServer(HttpBus& bus, net::Listener& at, observe::Registry& metrics);
  void start();
  void stop();

  net::HttplibApp app;
  net::EventLoop loop;
  net::WorkerPool workers;
  net::WorkerPool spoolers;
  net::ByteBudget memory;

 private:
  struct Refused {
    std::string why;
    SteadyTime logged;
  };

  bool answer_later(const net::RequestHead& head, std::string_view body, net::HttpFront::Responder& responder);
  bool shows_secret(std::string_view authorization) const;
  net::RequestPlan decide(const net::RequestHead& head) const;
  /// Logs why a node was refused, each reason once for an address in a while.
  void note_failed_handshake(const net::Peer& peer, const net::TlsSession& session);

  HttpBus& bus_;
  std::map<std::string, Refused> refused_;  // loop thread only; by address
  std::unique_ptr<net::HttpFront> front_;
};

}  // namespace sse::cluster
