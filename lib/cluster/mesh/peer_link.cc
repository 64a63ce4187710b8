#include "cluster/mesh/peer_link.h"

#include <httplib.h>
#include <pthread.h>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cluster/mesh/bounded_http.h"
#include "cluster/mesh/mesh_limits.h"
#include "net/listener.h"
#include "observe/barrier.h"

namespace sse::cluster {
namespace {

class HttpCarrier final : public PostCarrier {
 public:
  HttpCarrier(const net::ListenAddress& address, const PeerLink::Options& options)
      : http_(address.host, address.port), answer_timeout_(options.answer_timeout) {
    const auto set = [](std::chrono::milliseconds time, auto setter) {
      setter(static_cast<time_t>(time.count() / 1000), static_cast<time_t>(time.count() % 1000 * 1000));
    };
    set(options.connect_timeout, [&](time_t s, time_t us) { http_.set_connection_timeout(s, us); });
    set(options.answer_timeout, [&](time_t s, time_t us) { http_.set_read_timeout(s, us); });
    set(options.answer_timeout, [&](time_t s, time_t us) { http_.set_write_timeout(s, us); });
    http_.set_keep_alive(true);
    http_.set_tcp_nodelay(true);
  }

  bool post(const std::string& body, const std::string& secret, std::string& response, std::string& problem) override;
  void interrupt() override { http_.stop(); }

 private:
  httplib::Client http_;
  const std::chrono::milliseconds answer_timeout_;
};

std::unique_ptr<PostCarrier> make_carrier(const std::string& address, const PeerLink::Options& options) {
  if (options.forwarder) return options.forwarder(address, options);
  return std::make_unique<HttpCarrier>(net::ListenAddress::parse(address), options);
}

bool HttpCarrier::post(const std::string& body, const std::string& secret, std::string& response,
                       std::string& problem) {
  httplib::Request request;
  request.method = "POST";
  request.path = kMeshPath;
  request.headers = {{"Authorization", "Bearer " + secret}, {"Content-Type", "application/octet-stream"}};
  request.body = body;
  BoundedBody answer(request, kMaxMeshBody);
  const httplib::Result result = http_.send(request);
  if (!result) {
    problem = answer.too_large() ? "its response is larger than " + format_bytes(ByteCount(kMaxMeshBody))
              : result.error() == httplib::Error::Read
                  ? "it has not answered for " + format_duration(answer_timeout_) + ", or closed the connection"
                  : "it cannot be reached (" + httplib::to_string(result.error()) + ")";
    return false;
  }
  if (result->status == 401) {
    problem = "it refuses the secret: another program, or another run of it, listens there";
    return false;
  }
  if (result->status != 200) {
    problem = "it responded with status " + std::to_string(result->status) + ": " + printable(answer.take());
    return false;
  }
  response = answer.take();
  return true;
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
