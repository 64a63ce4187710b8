#include "cluster/mesh/mesh_server.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "cluster/mesh/mesh_limits.h"
#include "cluster/mesh/mesh_tls.h"
#include "observe/log.h"

namespace sse::cluster {
namespace {

constexpr std::chrono::seconds kServerThreadIdle{10};
constexpr ByteCount kMaxBody{kMaxMeshBody};
// Under load posts contain batches; larger ones are rare.
constexpr ByteCount kMaxInMemory = mebibytes(1);
constexpr const char* kOtherSecret = "another secret is expected here";
constexpr const char* kTlsOnly =
    "this node accepts other nodes over TLS only; give the other one --cluster-cert, --cluster-key and --cluster-ca, "
    "too";
constexpr std::size_t kMaxRefusedPeers = 100;
constexpr std::chrono::minutes kLogAgain{10};

}  // namespace

HttpBus::MeshServer::MeshServer(HttpBus& bus, net::Listener& at, observe::Registry& metrics)
    : loop("sse-mesh", bus.clock_),
      workers("sse-mesh-work", 1, kMaxMeshThreads, 10'000, kServerThreadIdle, bus.clock_),
      spoolers("sse-mesh-spool", 0, 1, 10'000, kServerThreadIdle, bus.clock_),
      memory(std::max(bus.options_.max_body_memory, kMaxBody), "--max-body-memory"),
      bus_(bus) {
  net::FrontOptions options;
  options.name = "cluster";
  options.max_body = kMaxBody;
  options.max_connections = bus.options_.max_connections;
  options.max_connections_option = "--cluster-max-connections";
  options.memory = &memory;
  options.spoolers = &spoolers;
  options.spool_folder = bus.options_.spool_folder;
  options.plan = [this](const net::RequestHead& head, const net::Peer&) { return decide(head); };
  if (bus.tls()) {
    options.tls = &bus.tls()->server_side();
    options.clear_text_refusal = kTlsOnly;
    options.on_failed_handshake = [this](const net::Peer& peer, const net::TlsSession& session) {
      note_failed_handshake(peer, session);
    };
  }
  app.set_payload_max_length(kMaxBody.count());
  app.Post(kMeshPath, [this](const httplib::Request& request, httplib::Response& response) {
    if (!shows_secret(request.get_header_value("Authorization"))) {
      response.status = 401;
      response.set_content(kOtherSecret, "text/plain");
      return;
    }
    try {
      response.set_content(encode(bus_.handle(bus_.decode_post(request.body))), "application/octet-stream");
    } catch (const Error& e) {
      response.status = http_status(e.code());
      response.set_content(e.what(), "text/plain");
    }
  });
  app.Get(kNodeInfoPath, [this](const httplib::Request&, httplib::Response& response) {
    response.set_content(event::dump_json(bus_.node_info()), "application/json");
  });
  front_ = std::make_unique<net::HttpFront>(loop, at, app, workers, options, metrics, [] { return std::size_t{0}; });
  front_->set_fast_handler(
      [this](const net::RequestHead& head, std::string_view body, net::HttpFront::Responder& responder) {
        return answer_later(head, body, responder);
      });
}

void HttpBus::MeshServer::start() {
  loop.start();
  front_->start();
}

void HttpBus::MeshServer::stop() {
  front_->drain();
  spoolers.stop();
  workers.stop();
  loop.stop();
}

// Handles a post with `hold` in its first line, of a program that only sends and waits for its replies, without
// blocking a thread.
bool HttpBus::MeshServer::answer_later(const net::RequestHead& head, std::string_view body,
                                       net::HttpFront::Responder& responder) {
  if (head.method != "POST" || head.target != kMeshPath || !shows_secret(net::header_value(head, "Authorization")))
    return false;
  if (body.substr(0, body.find('\n')).find("\"hold\":") == std::string_view::npos) return false;
  // If the pool is full or stopped, it drops the responder, which then responds with 503.
  workers.submit(
      [this, post = std::string(body), answer = std::make_shared<net::HttpFront::Responder>(std::move(responder))] {
        try {
          bus_.handle_async(bus_.decode_post(post), [answer](const MeshMessage& response) {
            answer->answer(200, "application/octet-stream", encode(response));
          });
        } catch (const Error& e) {
          answer->answer(http_status(e.code()), "text/plain", e.what());
        }
      });
  return true;
}

bool HttpBus::MeshServer::shows_secret(std::string_view authorization) const {
  const std::string& secret = bus_.options_.secret;
  return !secret.empty() && constant_time_equal(authorization, "Bearer " + secret);
}

// No body is read before the sender has shown the secret.
net::RequestPlan HttpBus::MeshServer::decide(const net::RequestHead& head) const {
  net::RequestPlan plan{.max_body = kMaxBody, .max_in_memory = kMaxInMemory};
  if (head.framing != net::BodyFraming::kChunked && head.content_length == 0) return plan;
  if (head.target == kNodeInfoPath) {
    plan.refusal = net::HeadRefusal{405, "this path takes GET", "Allow: GET, HEAD\r\n"};
  } else if (head.target != kMeshPath) {
    plan.refusal = net::HeadRefusal{404, "only posts of other nodes are accepted here"};
  } else if (head.method != "POST") {
    plan.refusal = net::HeadRefusal{405, "this path takes POST", "Allow: POST\r\n"};
  } else if (!shows_secret(net::header_value(head, "Authorization"))) {
    plan.refusal = net::HeadRefusal{401, kOtherSecret};
  }
  return plan;
}

void HttpBus::MeshServer::note_failed_handshake(const net::Peer& peer, const net::TlsSession& session) {
  // Anything else may be a port scan: it is only counted.
  using Fault = net::TlsSession::Fault;
  if (session.fault() != Fault::kUntrustedPeer && session.fault() != Fault::kRefusedByPeer) return;
  const std::string why = why_peer_refused(session);
  const SteadyTime now = bus_.clock_.steady_now();
  if (refused_.size() >= kMaxRefusedPeers && !refused_.contains(peer.address)) refused_.clear();
  Refused& known = refused_[peer.address];
  if (known.why == why && now - known.logged < kLogAgain) return;
  known = {why, now};
  observe::log_warn("a connection was refused", {{"listener", "cluster"}, {"address", peer.address}, {"error", why}});
}

}  // namespace sse::cluster
