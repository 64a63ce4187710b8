#include "cluster/mesh/peer_link.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "cluster/mesh/mesh_limits.h"
#include "cluster/mesh/node_connection.h"
#include "net/listener.h"
#include "observe/barrier.h"

namespace sse::cluster {
namespace {

class HttpCarrier final : public PostCarrier {
 public:
  HttpCarrier(const net::ListenAddress& address, const PeerLink::Options& options)
      : connection_(address, {.connect_timeout = options.connect_timeout,
                              .handshake_timeout = options.handshake_timeout,
                              .answer_timeout = options.answer_timeout,
                              .max_response = kMaxMeshBody,
                              .tls = options.tls}) {}

  bool post(const std::string& body, const std::string& secret, std::string& response, std::string& problem) override;
  void interrupt() override { connection_.interrupt(); }

 private:
  NodeConnection connection_;
};

bool HttpCarrier::post(const std::string& body, const std::string& secret, std::string& response,
                       std::string& problem) {
  // It may be one that another node registered.
  if (std::ranges::any_of(secret, [](unsigned char c) { return c < ' ' || c == 0x7f; })) {
    problem = "its secret holds control characters";
    return false;
  }
  NodeConnection::Response answer = connection_.exchange(
      {.method = "POST",
       .path = kMeshPath,
       .headers = "Authorization: Bearer " + secret + "\r\nContent-Type: application/octet-stream\r\n",
       .body = body});
  if (answer.outcome != NodeConnection::Outcome::kResponse) {
    problem = std::move(answer.problem);
    return false;
  }
  if (answer.status == 401) {
    problem = "it refuses the secret: another program, or another run of it, listens there";
    return false;
  }
  if (answer.status != 200) {
    problem = "it responded with status " + std::to_string(answer.status) + ": " +
              printable(answer.body.substr(0, answer.body.find('\n')));
    return false;
  }
  response = std::move(answer.body);
  return true;
}

// To a node that would get the secret in clear over a network.
class RefusingCarrier final : public PostCarrier {
 public:
  bool post(const std::string&, const std::string&, std::string&, std::string& problem) override {
    problem =
        "it is not called, because the secret would travel in clear: give all nodes --cluster-cert, --cluster-key and "
        "--cluster-ca, or --insecure on a network that you trust";
    return false;
  }
  void interrupt() override {}
};

std::unique_ptr<PostCarrier> make_carrier(const std::string& address, const PeerLink::Options& options) {
  if (options.forwarder) return options.forwarder(address, options);
  const net::ListenAddress at = net::ListenAddress::parse(address);
  if (!options.tls && !options.allow_clear && !at.is_loopback()) return std::make_unique<RefusingCarrier>();
  return std::make_unique<HttpCarrier>(at, options);
}

}  // namespace

PeerLink::PeerLink(Owner& owner, const Options& options, std::string to, std::string shown, const Clock& clock)
    : address(std::move(to)),
      secret(std::move(shown)),
      since(clock.steady_now()),
      owner_(owner),
      options_(options),
      carrier_(make_carrier(address, options)) {}

PeerLink::~PeerLink() {
  join();
}

void PeerLink::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "sse-peer");
    while (!observe::guarded("the link to another node", [this] { run(); }))
      Clock::system().sleep_for(options_.backoff_least);
  });
}

void PeerLink::interrupt() {
  carrier_->interrupt();
}

void PeerLink::join() {
  if (thread_.joinable()) thread_.join();
}

void PeerLink::run() {
  for (;;) {
    MeshMessage message;
    std::string shown;
    if (!owner_.write_post(*this, message, shown)) return;
    std::string body;
    std::string problem = "this program failed to handle its response; see its log";
    const bool done = observe::guarded("an exchange with another node", [&] {
      if (!carrier_->post(encode(message), shown, body, problem)) return;
      try {
        owner_.on_response(*this, message, decode_mesh_message(body));
        problem.clear();
      } catch (const Error& e) {
        problem = e.what();
      }
    });
    if (!done || !problem.empty()) owner_.failed(*this, message, problem);
  }
}

}  // namespace sse::cluster
