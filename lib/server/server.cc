#include "server/server.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <random>
#include <thread>
#include <utility>

#include "auth/secret_file.h"
#include "base/descriptors.h"
#include "base/text.h"
#include "base/version.h"
#include "observe/log.h"
#include "server/canary_options.h"
#include "server/process_usage.h"
#include "server/sender_options.h"
#include "server/server_impl.h"
#include "store/memory/memory_tickets.h"

namespace sse::server {
namespace {

constexpr std::chrono::seconds kDrainRequests{2};
constexpr std::chrono::seconds kDrainStreams{6};

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "sse-serve";
  return name.data();
}

// Waits until `done` returns true, at most for `timeout`. By the system clock: this waits for sockets of peers, and a
// test may have stopped the server's clock.
template <class Done>
void wait_for(std::chrono::seconds timeout, const Done& done) {
  const Clock& real = Clock::system();
  const SteadyTime deadline = real.steady_now() + timeout;
  while (!done() && real.steady_now() < deadline) real.sleep_for(std::chrono::milliseconds(5));
}

}  // namespace

Server::Impl::Impl(ServerOptions options, std::unique_ptr<auth::Authenticator> authenticator,
                   std::unique_ptr<application::Application> application, application::Callbacks callbacks)
    : options_((check(options), std::move(options))),
      demo_authentication_(!authenticator),
      authenticator_(authenticator ? std::move(authenticator) : auth::make_demo_authenticator()),
      channels_(demo_authentication_, options_.channel_rules),
      publishing_(demo_authentication_, options_.publish_rules),
      proxies_(options_.trusted_proxies),
      body_disk_(options_.max_body_disk, "--max-body-disk") {
  if (!options_.tls_certificate.empty()) open_tls();
  read_token();
  const net::ListenAddress address = public_.address();
  server_id_ = !options_.server_id.empty()
                   ? options_.server_id
                   : host_name() + ":" + (address.is_unix() ? address.path : std::to_string(address.port));
  open_ids();
  application_bridge_ = std::make_unique<ApplicationBridge>(
      options_, demo_authentication_, server_id_, std::move(application), std::move(callbacks), *ids_, metrics_);
  check_channel_rules(options_.channel_rules);
  check_publish_rules(options_.publish_rules);
  stores_ = std::make_unique<Stores>(options_, server_id_, *ids_, metrics_);
  if (stores_->outbox() != nullptr) {
    reports_ = std::make_unique<DeliveryReports>(*stores_->outbox(), application_bridge_->activity_log(),
                                                 application_bridge_->hook(), metrics_, clock_);
  }
  if (cluster_) cluster_->share(*stores_);
  metrics_.gauge_callback("sse_pending_messages", "(message, recipient) pairs not confirmed",
                          [this] { return static_cast<double>(stores_->messages().size()); });
  metrics_.gauge("sse_build_info", "Always 1; the version is in the label", {{"version", base::kVersion}}).set(1);
  add_process_metrics(metrics_);
  open_services();
  open_canary();
  open_tickets();
  Maintenance::Options maintenance{options_.demo, {}};
  if (cluster_) maintenance.sweep = [this] { cluster_->sweep(); };
  maintenance_ = std::make_unique<Maintenance>(services_, stores_->messages(), metrics_, clock_, maintenance);
  status_ = std::make_unique<StatusReport>(StatusReport::Source{options_, server_id_, services_, *stores_, metrics_,
                                                                facts_, cluster_.get(), loops_.size(), canary_.get()});
  open_fronts();
  watch_progress();
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

// A node of a cluster gets its number, which its ids contain, when it joins.
void Server::Impl::open_ids() {
  if (options_.cluster.empty() && options_.discovery.empty()) {
    ids_.emplace(std::random_device{}(), 0, clock_);
    return;
  }
  cluster_ = std::make_unique<ClusterNode>(
      options_, server_id_, ClusterNode::Parts{services_, public_, admin_.app(), token_, body_disk_, metrics_},
      [this] { return facts_.document(); });
  ids_.emplace(cluster_->join(), 0, clock_);
}

void Server::Impl::open_presence() {
  presence::TrackerOptions options{.grace = options_.presence_grace, .max_listed = options_.presence_max};
  options.max_channels = options_.presence_channels;
  options.hidden_grace = std::max(options.hidden_grace, options.grace);
  presence::Occupancy::Report occupied;
  if (application_bridge_->wants_channels()) {
    occupied = [&log = application_bridge_->activity_log()](const ServiceName& service, const std::string& channel,
                                                            bool is) { log.channel_occupied(service, channel, is); };
  }
  if (cluster_) options.remote = &cluster_->gateway();
  presence_ = std::make_unique<presence::Tracker>(options, clock_, metrics_, std::move(occupied));
  if (cluster_) cluster_->gateway().set_presence(*presence_);
}

void Server::Impl::open_services() {
  open_presence();
  const std::size_t loops = options_.loops != 0 ? options_.loops : std::max(1U, std::thread::hardware_concurrency());
  for (std::size_t i = 0; i < loops; ++i)
    loops_.push_back(std::make_unique<net::EventLoop>("sse-stream-" + std::to_string(i), clock_));
  application::ActivityLog& activity_log = application_bridge_->activity_log();
  for (const auto& [name, path] : options_.services) {
    delivery::SenderOptions sender = sender_options(options_, name);
    sender.remote_nodes = cluster_ ? &cluster_->gateway() : nullptr;
    sender.hub.in_cluster = cluster_ != nullptr;
    sender.attempts = stores_->attempts();
    sender.reports = stores_->outbox() != nullptr;
    sender.hub.observer = &activity_log;
    sender.hub.presence = presence_.get();
    sender.hub.reports_occupied = application_bridge_->wants_channels();
    sender.on_sent = [&activity_log, service = sender.hub.service](const auto& requests, const auto& outcomes) {
      activity_log.sent(service, requests, outcomes);
    };
    services_.push_back(
        {path, std::make_unique<delivery::Sender>(sender, loops_, *ids_, metrics_, stores_->messages())});
    presence_->add(services_.back().sender->hub(), loops);
  }
}

void Server::Impl::open_canary() {
  if (!has_canary(options_) && !cluster_) return;
  canary_streams_ = std::make_unique<CanaryStreams>(options_, server_id_, loops_, *ids_, cluster_.get());
  if (cluster_) cluster_->gateway().set_canary(*canary_streams_);
  if (has_canary(options_)) {
    canary_ =
        std::make_unique<Canary>(options_, server_id_, cluster_ != nullptr, *canary_streams_, draining_, metrics_);
  }
}

void Server::Impl::open_tickets() {
  // A ticket without a profile takes half a kibibyte, one with the largest profile 17.
  const store::TicketLimits limits{options_.max_tickets, std::max(kibibytes(64), kibibytes(options_.max_tickets))};
  ticket_store_ = cluster_ ? cluster_->open_tickets(options_, server_id_, limits)
                           : std::make_unique<store::MemoryTickets>(limits, clock_);
  tickets_ =
      std::make_unique<auth::Tickets>(*ticket_store_, cluster_ ? cluster_->cluster().number() : 0, clock_, metrics_);
  if (cluster_) cluster_->share_tickets(*ticket_store_, *tickets_);
}

void Server::Impl::open_fronts() {
  const FrontLimits limits = front_limits(options_, raise_descriptor_limit());
  public_.open(PublicFront::Parts{services_, *authenticator_, channels_, publishing_, demo_authentication_, proxies_,
                                  *application_bridge_, stores_->catalog(), tls_.get(), draining_, server_id_,
                                  *tickets_, canary_streams_.get(), metrics_},
               limits);
  admin_.open(AdminFront::Parts{services_, application_bridge_->activity_log(), token_, tls_.get(), limits.max_spooled,
                                metrics_},
              admin_dependencies());
}

admin::AdminRoutes::Dependencies Server::Impl::admin_dependencies() {
  return {services_,
          stores_->catalog(),
          stores_->dead_letters(),
          metrics_,
          token_,
          server_id_,
          [this] { return status_->document(); },
          [this] { return !draining_.load(); },
          admin::NodeRoutes::Dependencies{server_id_, cluster_ ? &cluster_->cluster() : nullptr,
                                          cluster_ ? cluster_->bus() : nullptr, [this] { return facts_.document(); },
                                          [this](unsigned rate) { drain_streams(rate); }, [this] { end_drain(); }},
          [this] { maintenance_->expire(); },
          {&channels_, &publishing_, authenticator_.get()},
          tickets_.get(),
          options_.allowed_hosts};
}

void Server::Impl::watch_progress() {
  const auto watch = [this](const std::string& name, net::EventLoop& loop) {
    progress_.add(name, [&loop](ProgressCheck::Answer answer) { loop.post(std::move(answer)); });
  };
  for (std::size_t i = 0; i < loops_.size(); ++i) watch("sse-stream-" + std::to_string(i), *loops_[i]);
  watch("sse-presence", presence_->loop());
  watch("sse-front", public_.loop());
  watch("sse-admin", admin_.loop());
  if (store::WriteProbe* probe = stores_->write_probe()) {
    progress_.add("sse-committer", [probe](ProgressCheck::Answer answer) { probe->probe_writes(std::move(answer)); });
  }
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
  if (cluster_) attempt([this] { cluster_->reload(); });
  if (!problems.empty()) throw Error(ErrorCode::kInvalidArgument, problems);
}

// Not ready first, so that load balancers choose other nodes and drained clients do not reconnect here.
void Server::Impl::drain_streams(unsigned rate) {
  draining_.store(true);
  drainer_.start(rate);
}

void Server::Impl::end_drain() {
  drainer_.cancel();
  draining_.store(false);
  // A stop() that began meanwhile must stay visible.
  if (stopping_.load()) draining_.store(true);
}

void Server::Impl::start() {
  running_ = true;
  log_closed_channels();
  presence_->start();
  for (const auto& loop : loops_) loop->start();
  public_.start_loop();
  admin_.start();
  // Before the first stream, which waits for its subscriptions.
  if (cluster_) cluster_->start();
  public_.start();
  if (canary_) canary_->start();
  maintenance_->start(admin_.loop());
  if (reports_) reports_->start();
}

void Server::Impl::stop() {
  if (!running_) return;
  // stop() waits for these threads.
  assert(std::ranges::none_of(loops_, [](const auto& loop) { return loop->in_loop_thread(); }));
  assert(!public_.in_loop_thread() && !admin_.loop().in_loop_thread());
  running_ = false;
  stopping_.store(true);
  draining_.store(true);
  if (canary_) canary_->stop();
  for (const application::Service& service : services_) service.sender->end_waits();
  public_.drain();
  // Requests in progress end first, including those that are about to become streams.
  wait_for(kDrainRequests, [this] { return public_.open_connections() == 0; });
  for (const application::Service& service : services_) service.sender->hub().drain();
  if (canary_streams_) canary_streams_->drain();
  wait_for(kDrainStreams, [this] { return public_.open_streams() == 0; });
  admin_.drain();
  maintenance_->stop();
  authenticator_->stop();
  application_bridge_->stop_requests();
  public_.stop_workers();
  admin_.stop_workers();
  for (const application::Service& service : services_) service.sender->stop();
  drainer_.stop();
  if (cluster_) cluster_->stop();
  public_.stop_loop();
  admin_.stop_loop();
  for (const auto& loop : loops_) loop->stop();
  presence_->stop();
  if (reports_) reports_->stop();
  application_bridge_->stop();
}

delivery::Sender& Server::Impl::sender(const std::string& name) {
  if (name.empty() && services_.size() == 1) return *services_.front().sender;
  for (const application::Service& service : services_) {
    if (service.sender->service().str() == name) return *service.sender;
  }
  throw Error(ErrorCode::kNotFound, "no service '" + printable(name, 60) + "' is hosted here");
}

}  // namespace sse::server
