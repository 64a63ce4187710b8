#include "server/server.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "admin/cluster_admin.h"
#include "auth/secret_file.h"
#include "base/text.h"
#include "cluster/redis/redis_cluster.h"
#include "observe/log.h"
#include "pages/cluster_pages.h"
#include "server/cluster_options.h"
#include "server/server_impl.h"

namespace sse::server {
namespace {

constexpr std::chrono::milliseconds kDemoPeriod{3000};
constexpr std::chrono::milliseconds kExpirePeriod{60'000};
constexpr std::chrono::milliseconds kTrimPeriod{1000};
constexpr std::chrono::seconds kThreadIdle{10};
constexpr std::chrono::seconds kDrainRequests{2};
constexpr std::chrono::seconds kDrainStreams{6};
constexpr const char* kDemoData = "{\"name\":\"sendByUserId 服务端推送的\"}";

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "sse-serve";
  return name.data();
}

}  // namespace

Server::Impl::Impl(ServerOptions options, std::unique_ptr<auth::Authenticator> authenticator,
                   std::unique_ptr<application::Application> application, application::Callbacks callbacks)
    : options_((check(options), std::move(options))),
      demo_authentication_(!authenticator),
      authenticator_(authenticator ? std::move(authenticator) : auth::make_demo_authenticator()),
      proxies_(options_.trusted_proxies),
      workers_("sse-worker", 1,
               options_.workers != 0 ? options_.workers : std::max(4U, 8 * std::thread::hardware_concurrency()), 20'000,
               kThreadIdle, clock_),
      admin_workers_("sse-admin-work", 1, 64, 20'000, kThreadIdle, clock_),
      admin_spoolers_("sse-admin-spool", 0, 1, 20'000, kThreadIdle, clock_),
      maintenance_("sse-chores", 0, 1, 16, kThreadIdle, clock_),
      body_memory_(options_.max_body_memory, "--max-body-memory"),
      admin_body_memory_(std::max(options_.max_body_memory, kMaxAdminBody), "--max-body-memory"),
      body_disk_(options_.max_body_disk, "--max-body-disk") {
  listener_ = std::make_unique<net::Listener>(net::ListenAddress::parse(options_.listen), "--listen");
  if (!options_.admin.empty()) {
    admin_listener_ = std::make_unique<net::Listener>(parse_admin_address(options_), "--admin");
  }
  if (!options_.tls_certificate.empty()) open_tls();
  read_token();
  server_id_ =
      !options_.server_id.empty() ? options_.server_id : host_name() + ":" + std::to_string(listener_->address().port);
  if (!in_cluster()) {
    ids_.emplace(std::random_device{}(), 0, clock_);
  } else {
    open_cluster();
  }
  application_bridge_ = std::make_unique<ApplicationBridge>(options_, server_id_, std::move(application),
                                                            std::move(callbacks), *ids_, metrics_);
  open_repository();
  const std::size_t loops = options_.loops != 0 ? options_.loops : std::max(1U, std::thread::hardware_concurrency());
  for (std::size_t i = 0; i < loops; ++i)
    loops_.push_back(std::make_unique<net::EventLoop>("sse-stream-" + std::to_string(i), clock_));
  for (const auto& [name, path] : options_.services) {
    delivery::SenderOptions sender;
    sender.ttl = options_.qos_ttl;
    sender.remote_nodes = cluster_gateway_.get();
    sender.hub.in_cluster = cluster_gateway_ != nullptr;
    sender.attempts = attempts_;
    sender.history = options_.history;
    sender.history.bytes = ByteCount(options_.history.bytes.count() / options_.services.size());
    sender.hub.service = ServiceName(name);
    sender.hub.observer = &application_bridge_->activity_log();
    sender.on_sent = [this, service = sender.hub.service](const auto& requests, const auto& outcomes) {
      application_bridge_->activity_log().sent(service, requests, outcomes);
    };
    sender.hub.heartbeat = options_.heartbeat;
    sender.hub.reconnect_time = options_.reconnect_time;
    sender.hub.reconnect_jitter = options_.reconnect_jitter;
    sender.hub.ack_timeout = options_.qos_ack_timeout;
    sender.hub.client_max_connections = options_.client_max_connections;
    sender.hub.stream.max_backlog = options_.max_backlog.count();
    sender.hub.stream.overflow = options_.drop_slow ? net::Stream::Overflow::kDrop : net::Stream::Overflow::kClose;
    services_.push_back({path, std::make_unique<delivery::Sender>(sender, loops_, *ids_, metrics_, *repository_)});
  }
  open_fronts();
}

void Server::Impl::open_tls() {
  tls_ = std::make_unique<net::TlsContext>(options_.tls_certificate, options_.tls_key);
  metrics_.gauge_callback("sse_tls_certificate_expiry_timestamp_seconds", "When the certificate in use expires",
                          [this] { return static_cast<double>(to_millis(tls_->expires()) / 1000); });
}

void Server::Impl::read_token() {
  if (!options_.admin_token_file.empty())
    token_.set(auth::read_secret_file(options_.admin_token_file, "--admin-token-file"));
}

void Server::Impl::reload() {
  std::string problems;
  const auto attempt = [&](const auto& read) {
    try {
      read();
    } catch (const Error& e) {
      problems += (problems.empty() ? "" : "; ") + std::string(e.what());
    }
  };
  attempt([this] { read_token(); });
  attempt([this] { authenticator_->reload(); });
  attempt([this] { application_bridge_->reload(); });
  if (tls_) attempt([this] { tls_->reload(); });
  if (!problems.empty()) throw Error(ErrorCode::kInvalidArgument, problems);
}

void Server::Impl::open_cluster() {
  if (!options_.cluster.empty()) {
    cluster_ = cluster::open_redis_cluster(redis_options(options_, server_id_), metrics_).cluster;
  } else {
    cluster::HttpCluster opened = cluster::open_http_cluster(mesh_options(options_, server_id_), metrics_);
    mesh_ = opened.bus;
    cluster_ = std::move(opened.cluster);
  }
  const auto plan = [this](const net::RequestHead& head) { return page_plan(head); };
  const auto refuse = [this](std::string_view request, int status, const std::string& sentence) {
    return page_routes_->refusals().response(request, status, sentence);
  };
  pages::RelayedBodies::Options bodies;
  bodies.folder = upload_folder();
  bodies.max_body = std::max(options_.max_body, options_.max_upload);
  bodies.max_body_option = options_.max_body < options_.max_upload ? "--max-upload" : "--max-body";
  bodies.disk = &body_disk_;
  bodies.clock = &clock_;
  relayed_bodies_ = std::make_unique<pages::RelayedBodies>(bodies);
  cluster_gateway_ = std::make_unique<ClusterGateway>(
      *cluster_, services_, app_, admin_app_, token_, [this] { return facts(); },
      ClusterGateway::ForwardedPages{*relayed_bodies_, body_memory_, plan, refuse});
  ids_.emplace(cluster_->join(*cluster_gateway_), 0, clock_);
  app_.set_interceptor(pages::ClusterPages(*cluster_, services_, app_, options_.hook_timeout, refuse));
  admin_app_.set_interceptor(admin::ClusterAdmin(*cluster_, admin_app_, token_, mesh_ != nullptr, [this] {
    if (mesh_repository_ != nullptr) mesh_repository_->settle_attempts();
  }));
}

// Not ready first, so that load balancers choose other nodes and drained clients do not reconnect here.
void Server::Impl::drain_streams(unsigned rate) {
  draining_.store(true);
  drainer_.start(rate);
}

std::size_t Server::Impl::open_sockets() const {
  std::size_t n = 0;
  for (const application::Service& service : services_) n += service.sender->hub().sockets();
  return n;
}

void Server::Impl::start() {
  running_ = true;
  for (const auto& loop : loops_) loop->start();
  front_loop_.start();
  admin_loop_.start();
  if (admin_front_) admin_front_->start();
  // Before the first stream, which waits for its subscriptions.
  if (cluster_gateway_) {
    cluster_->start();
    cluster_gateway_->start();
  }
  if (mesh_repository_ != nullptr) mesh_repository_->start();
  front_->start();
  admin_loop_.post([this] {
    maintenance_.submit([this] { expire(); });
    admin_loop_.run_every(kExpirePeriod, [this] { maintenance_.submit([this] { expire(); }); });
    admin_loop_.run_every(kTrimPeriod, [this] {
      if (memory_trimmer_.burst_ended(activity_log())) maintenance_.submit([] { malloc_trim(0); });
    });
    if (options_.demo) admin_loop_.run_every(kDemoPeriod, [this] { maintenance_.submit([this] { push_demo(); }); });
  });
}

void Server::Impl::stop() {
  if (!running_) return;
  // stop() waits for these threads.
  assert(std::ranges::none_of(loops_, [](const auto& loop) { return loop->in_loop_thread(); }));
  assert(!front_loop_.in_loop_thread() && !admin_loop_.in_loop_thread());
  running_ = false;
  draining_.store(true);
  // The system clock: this waits for sockets of peers, and a test may have stopped the server's clock.
  const Clock& real = Clock::system();
  const auto wait_for = [&real](std::chrono::seconds timeout, const auto& done) {
    const SteadyTime deadline = real.steady_now() + timeout;
    while (!done() && real.steady_now() < deadline) real.sleep_for(std::chrono::milliseconds(5));
  };
  for (const application::Service& service : services_) service.sender->end_waits();
  front_->drain();
  // Requests in progress end first, including those that are about to become streams.
  wait_for(kDrainRequests, [this] { return front_->open() == 0; });
  for (const application::Service& service : services_) service.sender->hub().drain();
  wait_for(kDrainStreams, [this] { return open_sockets() == 0; });
  if (admin_front_) admin_front_->drain();
  if (feed_) feed_->stop();
  maintenance_.stop();
  authenticator_->stop();
  application_bridge_->stop_requests();
  admin_spoolers_.stop();
  workers_.stop();
  admin_workers_.stop();
  for (const application::Service& service : services_) service.sender->stop();
  drainer_.stop();
  if (cluster_gateway_) {
    cluster_gateway_->stop();
    cluster_->stop();
  }
  front_loop_.stop();
  admin_loop_.stop();
  for (const auto& loop : loops_) loop->stop();
  application_bridge_->stop();
}

void Server::Impl::push_demo() {
  for (const application::Service& service : services_) {
    std::vector<std::string> users = service.sender->hub().names(event::TargetKind::kUser);
    for (std::size_t i = 0; i < users.size(); i += event::kMaxNames) {
      const auto begin = users.begin() + static_cast<std::ptrdiff_t>(i);
      const auto end = users.begin() + static_cast<std::ptrdiff_t>(std::min(i + event::kMaxNames, users.size()));
      service.sender->send({{event::TargetKind::kUser, {begin, end}, false}, "server-push", kDemoData});
    }
  }
}

// Counts what makes the allocator grow: opened and closed streams, and sends.
std::uint64_t Server::Impl::activity_log() {
  std::uint64_t n = 0;
  for (const application::Service& service : services_) {
    n += service.sender->hub().turnover() + service.sender->sends();
  }
  return n;
}

void Server::Impl::expire() {
  if (relayed_bodies_) relayed_bodies_->sweep();
  try {
    for (const application::Service& service : services_) service.sender->expire_history();
    const std::uint64_t expired = repository_->expire(clock_.wall_now());
    if (expired == 0) return;
    metrics_.counter("sse_expired_total", "Pending messages that reached their time to live unconfirmed").add(expired);
    observe::log_warn(
        "pending messages expired unconfirmed (--qos-ttl, or their own ttl); see 'ssectl messages dead list'",
        {{"count", std::to_string(expired)}});
  } catch (const Error& e) {
    observe::log_error("cannot remove expired messages", {{"error", e.what()}});
  }
}

delivery::Sender& Server::Impl::sender(const std::string& name) {
  if (name.empty() && services_.size() == 1) return *services_.front().sender;
  for (const application::Service& service : services_) {
    if (service.sender->service().str() == name) return *service.sender;
  }
  throw Error(ErrorCode::kNotFound, "no service '" + printable(name, 60) + "' is hosted here");
}

Server::Server(ServerOptions options, std::unique_ptr<auth::Authenticator> authenticator,
               std::unique_ptr<application::Application> application)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(authenticator), std::move(application),
                                   application::Callbacks())) {}
Server::Server(ServerOptions options, Callbacks callbacks, std::unique_ptr<auth::Authenticator> authenticator) {
  if (!authenticator) authenticator = application::make_callback_authenticator(callbacks);
  const bool answers = callbacks.connect || callbacks.message || callbacks.upload || options.hook.empty();
  auto application = answers ? application::make_callback_application(callbacks) : nullptr;
  impl_ = std::make_unique<Impl>(std::move(options), std::move(authenticator), std::move(application),
                                 std::move(callbacks));
}
Server::~Server() = default;

void Server::start() {
  impl_->start();
}
void Server::stop() {
  impl_->stop();
}
void Server::reload() {
  impl_->reload();
}
std::string Server::url() const {
  return impl_->url();
}
std::string Server::admin_address() const {
  return impl_->admin_address();
}
const std::string& Server::server_id() const {
  return impl_->server_id();
}
delivery::Sender& Server::sender(const std::string& service) {
  return impl_->sender(service);
}
observe::Registry& Server::metrics() {
  return impl_->metrics();
}

}  // namespace sse::server
