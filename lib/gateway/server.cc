#include "gateway/server.h"

#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "base/descriptors.h"
#include "base/text.h"
#include "base/version.h"
#include "cluster/http_cluster.h"
#include "cluster/mesh_repository.h"
#include "cluster/redis_cluster.h"
#include "cluster/redis_repository.h"
#include "delivery/memory_repository.h"
#include "delivery/sqlite_repository.h"
#include "gateway/admin_routes.h"
#include "gateway/cluster_admin.h"
#include "gateway/cluster_gateway.h"
#include "gateway/cluster_options.h"
#include "gateway/cluster_pages.h"
#include "gateway/drainer.h"
#include "gateway/event_feed.h"
#include "gateway/event_routes.h"
#include "gateway/page_routes.h"
#include "gateway/quick_send.h"
#include "gateway/reactions.h"
#include "gateway/relayed_bodies.h"
#include "gateway/secret_file.h"
#include "gateway/static_files.h"
#include "gateway/storm_watch.h"
#include "gateway/trusted_proxies.h"
#include "gateway/upload_reader.h"
#include "net/http_front.h"
#include "net/listener.h"
#include "net/tls_context.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::gateway {
namespace {

using event::Json;

constexpr std::chrono::milliseconds kDemoPeriod{3000};
constexpr std::chrono::milliseconds kExpirePeriod{60'000};
constexpr std::chrono::milliseconds kStormPeriod{1000};
constexpr std::chrono::seconds kThreadIdle{10};
constexpr std::chrono::seconds kDrainRequests{2};
constexpr std::chrono::seconds kDrainStreams{6};
// Descriptors for everything that is no stream: listeners, database, log, admin connections, files being sent.
constexpr std::size_t kReservedDescriptors = 128 + StaticFiles::kMaxOpen;
// Bodies on disk at a time.
constexpr std::size_t kMaxSpooled = 256;
constexpr ByteCount kMaxAdminBody = mebibytes(64);
constexpr const char* kDemoData = "{\"name\":\"sendByUserId 服务端推送的\"}";

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "sse-serve";
  return name.data();
}

// `https://ADDR:PORT`: with the certificate of the public listener.
constexpr std::string_view kTls = "https://";

net::ListenAddress admin_of(const ServerOptions& options) {
  return net::ListenAddress::parse(options.admin.starts_with(kTls) ? options.admin.substr(kTls.size()) : options.admin);
}

// What a browser puts into an Origin line (RFC 6454 §6.2): scheme and host in lower case and ASCII, a port that is not
// the usual one, no path, not even '/'. Anything else would be compared with it, and never match.
void check_origin(const std::string& text) {
  const auto bad = [&](const std::string& why) {
    throw Error(ErrorCode::kInvalidArgument, "--cors-origin '" + printable(text, 80) + "' " + why);
  };
  if (text == "*") return;
  const std::size_t end = text.find("://");
  if (end == std::string::npos || end == 0 || end + 3 >= text.size())
    bad("is no origin; write https://example.org or *");
  const std::string scheme = text.substr(0, end);
  const std::string host = text.substr(end + 3);
  if (text.find('*') != std::string::npos)
    bad("has a wildcard, which would match no page; name each origin, or * for all of them");
  if (host.find_first_of("/?#@,; \t\r\n") != std::string::npos)
    bad("is no origin: nothing may follow host and port; write https://example.org or *");
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7F)
      bad("is no origin as browsers send it: ASCII only, a name with other letters in its form xn--…");
    if (c >= 'A' && c <= 'Z') bad("is no origin as browsers send it: in lower case");
  }
  if ((scheme == "https" && host.ends_with(":443")) || (scheme == "http" && host.ends_with(":80")))
    bad("names the usual port, which browsers leave out; leave it out, too");
}

std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::int64_t cpu_micros() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

int thread_count() {
  std::ifstream status("/proc/self/status");
  std::string word;
  int threads = 0;
  while (status >> word) {
    if (word == "Threads:") status >> threads;
  }
  return threads;
}

}  // namespace

void check(const ServerOptions& options) {
  std::set<std::string> names;
  std::set<std::string> paths;
  const auto bad = [](const std::string& sentence) { throw Error(ErrorCode::kInvalidArgument, sentence); };
  [[maybe_unused]] const TrustedProxies proxies(options.trusted_proxies);
  net::ListenAddress::parse(options.listen);
  if (!options.admin.empty() && !admin_of(options).is_unix() && options.admin_token_file.empty()) {
    bad("an admin listener on TCP (--admin " + options.admin + ") needs --admin-token-file");
  }
  if (options.admin.starts_with(kTls) && (admin_of(options).is_unix() || options.tls_certificate.empty()))
    bad("--admin " + options.admin + " is an address and port with TLS, and needs --tls-cert and --tls-key");
  for (const std::string& origin : options.cors_origins) check_origin(origin);
  for (const std::string& host : options.allowed_hosts) {
    if (host.empty() || host.find_first_of("/@?# \t\r\n") != std::string::npos ||
        (host != "*" && host.find('*') != std::string::npos)) {
      bad("--allowed-host '" + printable(host, 80) +
          "' is no host name; write push.example.org, without scheme and path");
    }
  }
  // It goes into a header of every answer.
  if (options.server_id.size() > 200 ||
      std::ranges::any_of(options.server_id, [](char c) { return c < '!' || c > '~'; }))
    bad("--server-id must be at most 200 visible ASCII characters");
  if (options.services.empty()) bad("no service to host; give --service NAME=PATH");
  for (const auto& [name, path] : options.services) {
    const std::string shown = "--service '" + printable(name + "=" + path, 80) + "'";
    if (name.empty() || name.size() > 200) bad(shown + " has no usable name; write NAME=PATH");
    if (path.size() < 2 || path.size() > 200 || path.front() != '/' || path.back() == '/' ||
        path.find_first_of("?#%,;= \t\r\n") != std::string::npos) {
      bad(shown + ": the path must begin with '/', not end with one, and hold no blanks or '?#%,;='");
    }
    if (!names.insert(name).second) bad(shown + ": that name is given twice");
    if (!paths.insert(path).second) bad(shown + ": that path is given twice");
  }
  if (options.database != ":memory:" && options.cluster.empty() && !options.make_database_folder) {
    std::error_code unseen;
    const std::filesystem::path folder = std::filesystem::path(options.database).parent_path();
    if (!folder.empty() && !std::filesystem::is_directory(folder, unseen) && unseen != std::errc::permission_denied) {
      bad("there is no folder " + folder.string() + " for --db '" + options.database +
          "'; make it, or choose another file");
    }
  }
  if (!options.web_root.empty()) {
    struct stat status {};
    if (::stat(options.web_root.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
      bad("--web-root '" + options.web_root + "' is no directory");
  }
  if (options.tls_certificate.empty() != options.tls_key.empty()) {
    bad("--tls-cert and --tls-key go together: TLS needs a certificate and its private key; " +
        std::string(options.tls_key.empty() ? "--tls-key" : "--tls-cert") + " is missing");
  }
  if (options.max_backlog < kibibytes(4)) bad("--max-backlog must be at least 4KiB");
  if (options.reconnect_jitter > std::chrono::hours(1)) bad("--reconnect-jitter must be at most 1h");
  if (options.heartbeat.count() != 0 && options.heartbeat < std::chrono::milliseconds(100))
    bad("--heartbeat must be 0 or at least 100ms");
  if (options.keepalive_time && options.keepalive_time->count() != 0 &&
      *options.keepalive_time < std::chrono::seconds(1)) {
    bad("--keepalive-time must be 0 or at least 1s");
  }
  check_reactions(options);
  if (options.max_body.count() == 0) bad("--max-body must be more than 0");
  if (options.max_body_memory < options.max_body) bad("--max-body-memory must be at least --max-body");
  if (options.max_body_disk < std::max(options.max_body, options.max_upload))
    bad("--max-body-disk must be at least --max-body and --max-upload");
  if (options.admin_max_connections == 0) bad("--admin-max-connections must be at least 1");
  if (options.cluster_max_connections == 0) bad("--cluster-max-connections must be at least 1");
  if (options.qos_ttl.count() == 0) bad("--qos-ttl must be more than 0");
  check_cluster(options);
  if (options.qos_ack_timeout.count() != 0 && options.qos_ack_timeout < std::chrono::milliseconds(100))
    bad("--qos-ack-timeout must be 0 or at least 100ms");
  if (options.history.events != 0 && options.history.bytes < kibibytes(64 * options.services.size()))
    bad("--history-bytes must be at least 64KiB a service");
  if (options.history.events != 0 && options.history.ttl < std::chrono::seconds(1))
    bad("--history-ttl must be at least 1s");
  if (options.qos_max_per_user == 0) bad("--qos-max-per-user must be at least 1");
}

class Server::Impl {
 public:
  Impl(ServerOptions options, std::unique_ptr<Authenticator> authenticator, std::unique_ptr<Application> application,
       Callbacks callbacks);
  ~Impl() { stop(); }

  void start();
  void stop();
  void reload();

  std::string url() const { return (tls_ ? "https://" : "http://") + listener_->address().str(); }
  std::string admin_address() const {
    if (!admin_listener_) return {};
    return (options_.admin.starts_with(kTls) ? std::string(kTls) : "") + admin_listener_->address().str();
  }
  const std::string& server_id() const { return server_id_; }
  delivery::Sender& sender(const std::string& name);
  observe::Registry& metrics() { return metrics_; }

 private:
  void open_tls();
  void read_token();
  bool in_cluster() const { return !options_.cluster.empty() || !options_.discovery.empty(); }
  void open_cluster();
  void open_repository();
  void share_repository();
  void open_fronts();
  std::string upload_folder() const {
    return options_.upload_folder.empty() ? default_upload_folder() : options_.upload_folder;
  }
  net::RequestPlan page_plan(const net::RequestHead& head) const;
  void push_demo();
  void expire();
  Json facts() const;
  void drain_streams(unsigned rate);
  Json cluster_status() const;
  std::uint64_t happenings();
  Json status() const;
  std::size_t streams_held() const;

  const ServerOptions options_;
  const Clock& clock_ = *options_.clock;
  const WallTime started_ = clock_.wall_now();
  observe::Registry metrics_;
  observe::ExceptionCounter exceptions_{metrics_.counter(
      "sse_exceptions_total", "Failures that ended at the barrier of a thread instead of ending the process")};
  std::optional<IdGenerator> ids_;
  const bool demo_authentication_;
  std::unique_ptr<Authenticator> authenticator_;
  TrustedProxies proxies_;
  AdminToken token_;
  std::string server_id_;
  std::atomic<bool> draining_{false};
  bool running_ = false;
  std::unique_ptr<Reactions> reactions_;

  std::unique_ptr<delivery::MessageRepository> own_repository_;  // under a mesh's
  std::unique_ptr<delivery::MessageRepository> repository_;
  cluster::MeshRepository* mesh_repository_ =
      nullptr;                                   // the same object; null where nodes share a store, or for one alone
  delivery::MessageCatalog* catalog_ = nullptr;  // the same object, as are:
  delivery::DeadLetters* dead_ = nullptr;
  delivery::AttemptLog* attempts_ = nullptr;
  // Null for a server that is alone. The gateway outlives what calls it, and the cluster the loops, whose tasks may
  // hold what is on its way to other nodes.
  std::unique_ptr<ClusterGateway> cluster_gateway_;
  std::unique_ptr<cluster::Cluster> cluster_;
  cluster::HttpBus* mesh_ = nullptr;  // the cluster's bus, where nodes talk to each other directly
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::vector<Service> services_;
  std::unique_ptr<net::TlsContext> tls_;
  std::unique_ptr<net::Listener> listener_;
  std::unique_ptr<net::Listener> admin_listener_;
  net::HttplibApp app_;
  net::HttplibApp admin_app_;
  std::unique_ptr<PageRoutes> page_routes_;
  std::unique_ptr<AdminRoutes> admin_routes_;
  Drainer drainer_{services_, 2 * options_.reconnect_time};
  net::EventLoop front_loop_{"sse-front", clock_};
  net::EventLoop admin_loop_{"sse-admin", clock_};
  std::unique_ptr<EventFeed> feed_;
  net::WorkerPool workers_;
  net::WorkerPool admin_workers_;
  net::WorkerPool admin_spoolers_;
  net::WorkerPool chores_;  // demo pushes, expiry: may block on the store
  net::ByteBudget body_memory_;
  net::ByteBudget admin_body_memory_;  // of its own, so that pages cannot take the operator's
  net::ByteBudget body_disk_;
  std::unique_ptr<RelayedBodies> relayed_bodies_;  // null for a server that is alone
  std::unique_ptr<net::HttpFront> front_;
  std::unique_ptr<net::HttpFront> admin_front_;
  StormWatch storm_{1000};  // admin loop only
};

Server::Impl::Impl(ServerOptions options, std::unique_ptr<Authenticator> authenticator,
                   std::unique_ptr<Application> application, Callbacks callbacks)
    : options_((check(options), std::move(options))),
      demo_authentication_(!authenticator),
      authenticator_(authenticator ? std::move(authenticator) : make_demo_authenticator()),
      proxies_(options_.trusted_proxies),
      workers_("sse-worker", 1,
               options_.workers != 0 ? options_.workers : std::max(4U, 8 * std::thread::hardware_concurrency()), 20'000,
               kThreadIdle, clock_),
      admin_workers_("sse-admin-work", 1, 64, 20'000, kThreadIdle, clock_),
      admin_spoolers_("sse-admin-spool", 0, 1, 20'000, kThreadIdle, clock_),
      chores_("sse-chores", 0, 1, 16, kThreadIdle, clock_),
      body_memory_(options_.max_body_memory, "--max-body-memory"),
      admin_body_memory_(std::max(options_.max_body_memory, kMaxAdminBody), "--max-body-memory"),
      body_disk_(options_.max_body_disk, "--max-body-disk") {
  listener_ = std::make_unique<net::Listener>(net::ListenAddress::parse(options_.listen), "--listen");
  if (!options_.admin.empty()) {
    admin_listener_ = std::make_unique<net::Listener>(admin_of(options_), "--admin");
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
  reactions_ =
      std::make_unique<Reactions>(options_, server_id_, std::move(application), std::move(callbacks), *ids_, metrics_);
  open_repository();
  const std::size_t loops = options_.loops != 0 ? options_.loops : std::max(1U, std::thread::hardware_concurrency());
  for (std::size_t i = 0; i < loops; ++i)
    loops_.push_back(std::make_unique<net::EventLoop>("sse-stream-" + std::to_string(i), clock_));
  for (const auto& [name, path] : options_.services) {
    delivery::SenderOptions sender;
    sender.ttl = options_.qos_ttl;
    sender.elsewhere = cluster_gateway_.get();
    sender.hub.in_cluster = cluster_gateway_ != nullptr;
    sender.attempts = attempts_;
    sender.history = options_.history;
    sender.history.bytes = ByteCount(options_.history.bytes.count() / options_.services.size());
    sender.hub.service = ServiceName(name);
    sender.hub.observer = &reactions_->happenings();
    sender.on_sent = [this, service = sender.hub.service](const auto& requests, const auto& outcomes) {
      reactions_->happenings().sent(service, requests, outcomes);
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
  if (!options_.admin_token_file.empty()) token_.set(read_secret_file(options_.admin_token_file, "--admin-token-file"));
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
  attempt([this] { reactions_->reload(); });
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
    return page_routes_->refusal_response(request, status, sentence);
  };
  RelayedBodies::Options bodies;
  bodies.folder = upload_folder();
  bodies.max_body = std::max(options_.max_body, options_.max_upload);
  bodies.max_body_option = options_.max_body < options_.max_upload ? "--max-upload" : "--max-body";
  bodies.disk = &body_disk_;
  bodies.clock = &clock_;
  relayed_bodies_ = std::make_unique<RelayedBodies>(bodies);
  cluster_gateway_ = std::make_unique<ClusterGateway>(
      *cluster_, services_, app_, admin_app_, token_, [this] { return facts(); },
      ClusterGateway::ForwardedPages{*relayed_bodies_, body_memory_, plan, refuse});
  ids_.emplace(cluster_->join(*cluster_gateway_), 0, clock_);
  app_.set_interceptor(ClusterPages(*cluster_, services_, app_, options_.hook_timeout, refuse));
  admin_app_.set_interceptor(ClusterAdmin(*cluster_, admin_app_, token_, mesh_ != nullptr, [this] {
    if (mesh_repository_ != nullptr) mesh_repository_->settle_attempts();
  }));
}

// Not ready first, so that load balancers look elsewhere and nobody who was sent away comes back here.
void Server::Impl::drain_streams(unsigned rate) {
  draining_.store(true);
  drainer_.start(rate);
}

// What the other nodes are told of this one, with every heartbeat.
Json Server::Impl::facts() const {
  std::size_t connections = 0;
  std::size_t users = 0;
  for (const Service& service : services_) {
    connections += service.sender->hub().connections();
    users += service.sender->hub().users();
  }
  const std::map<std::string, double> counters = metrics_.snapshot();
  const auto sum = [&](const std::string& name) {
    double all = 0;
    for (const auto& [key, value] : counters) {
      if (key.starts_with(name + "{")) all += value;
    }
    // Whole, as registries take few characters.
    return static_cast<std::uint64_t>(all);
  };
  return {{"url", url()},
          {"version", base::kVersion},
          {"state", draining_.load() ? "draining" : "ready"},
          {"pid", getpid()},
          {"startTime", to_millis(started_)},
          {"connections", connections},
          {"users", users},
          {"memoryBytes", resident_bytes()},
          {"cpuMicros", cpu_micros()},
          {"deliveries", sum("sse_deliveries_total")},
          {"deliveredBytes", sum("sse_delivered_bytes_total")},
          {"dropped", sum("sse_dropped_total")}};
}

void Server::Impl::open_repository() {
  delivery::StoreLimits limits;
  limits.per_recipient = options_.qos_max_per_user;
  limits.bytes_per_recipient = options_.qos_max_bytes_per_user;
  limits.total = options_.qos_max_total;
  limits.total_bytes = options_.qos_max_total_bytes;
  limits.dead = options_.qos_max_dead;
  const auto log = [](const std::string& sentence) { observe::log_error("pending repository", {{"error", sentence}}); };
  if (!options_.cluster.empty()) {
    cluster::RedisRepository::Options redis;
    const cluster::RedisClusterOptions cluster = redis_options(options_, server_id_);
    redis.link = cluster::link_options(cluster);
    redis.limits = limits;
    redis.allow_eviction = options_.allow_redis_eviction;
    redis.on_error = log;
    redis.dropped =
        &metrics_.counter("sse_confirmations_dropped_total",
                          "Confirmations for which there was no room while Redis was away: their messages come again");
    auto repository = std::make_unique<cluster::RedisRepository>(redis, cluster.connect_patience);
    catalog_ = repository.get();
    dead_ = repository.get();
    attempts_ = repository.get();
    repository_ = std::move(repository);
  } else if (options_.database == ":memory:") {
    auto repository = std::make_unique<delivery::MemoryRepository>(*ids_, limits);
    catalog_ = repository.get();
    dead_ = repository.get();
    attempts_ = repository.get();
    repository_ = std::move(repository);
  } else {
    delivery::SqliteRepository::Options sqlite;
    sqlite.path = options_.database;
    sqlite.make_folders = options_.make_database_folder;
    sqlite.sync =
        options_.sync_full ? delivery::SqliteRepository::Sync::kFull : delivery::SqliteRepository::Sync::kNormal;
    sqlite.limits = limits;
    sqlite.on_error = log;
    auto repository = std::make_unique<delivery::SqliteRepository>(sqlite, *ids_);
    catalog_ = repository.get();
    dead_ = repository.get();
    attempts_ = repository.get();
    repository_ = std::move(repository);
  }
  if (mesh_ != nullptr) share_repository();
  metrics_.gauge_callback("sse_pending_messages", "(message, recipient) pairs not confirmed",
                          [this] { return static_cast<double>(repository_->size()); });
  metrics_.gauge("sse_build_info", "Always 1; the version is in the label", {{"version", base::kVersion}}).set(1);
}

// Each node keeps what it accepted, and hands it to whichever node the receiver comes to.
void Server::Impl::share_repository() {
  own_repository_ = std::move(repository_);
  cluster::MeshRepository::Options mesh;
  mesh.patience = cluster_->options().patience;
  mesh.clock = &clock_;
  mesh.look_again = [this] { cluster_gateway_->missed_something(); };
  mesh.flush_attempts = [this] {
    for (const Service& service : services_) service.sender->flush_attempts();
  };
  auto repository = std::make_unique<cluster::MeshRepository>(
      cluster::MeshRepository::Own{*own_repository_, *catalog_, *dead_, *attempts_}, *mesh_, cluster_->interest(),
      mesh);
  mesh_repository_ = repository.get();
  dead_ = mesh_repository_;
  attempts_ = mesh_repository_;
  repository_ = std::move(repository);
  cluster_->set_keeper([this](const std::string& bytes) { return mesh_repository_->handle(bytes); });
  cluster_->set_reunited([this] { mesh_repository_->have_others_look(); });
}

net::RequestPlan Server::Impl::page_plan(const net::RequestHead& head) const {
  net::RequestPlan plan = reactions_->bulkheads().plan(head);
  page_routes_->decide(head, plan);
  return plan;
}

void Server::Impl::open_fronts() {
  PageOptions page;
  page.server_id = server_id_;
  page.serve_page = options_.page && options_.web_root.empty();
  page.web_root = options_.web_root;
  page.keepalive = options_.keepalive_time;
  page.cors_origins = options_.cors_origins;
  page.allowed_hosts = options_.allowed_hosts;
  page.allowed_hosts.push_back(net::ListenAddress::parse(options_.listen).host);
  // Any other authentication asks for something that a rebound page does not have.
  page.check_hosts = demo_authentication_;
  if (options_.enable_get_json) page.queries = catalog_;
  page.upload_folder = upload_folder();
  page_routes_ = std::make_unique<PageRoutes>(app_, services_, *authenticator_, &reactions_->application(), proxies_,
                                              reactions_->happenings(), page, draining_);
  app_.set_payload_max_length(std::max(options_.max_body, options_.max_upload).count());

  const std::size_t descriptors = raise_descriptor_limit();
  net::FrontOptions front;
  front.name = "public";
  front.max_body = options_.max_body;
  front.spoolers = &reactions_->bulkheads().spoolers();
  front.spool_folder = page.upload_folder;
  front.refusal = [this](const auto& head, int status, const std::string& sentence) {
    return page_routes_->refusal(head, status, sentence);
  };
  front.content = [this](const net::RequestHead& head, bool keep_alive) {
    return page_routes_->content(head, keep_alive);
  };
  front.plan = [this](const net::RequestHead& head, const net::Peer&) { return page_plan(head); };
  front.memory = &body_memory_;
  front.disk = &body_disk_;
  // Each costs a descriptor; of few descriptors the streams are to have most.
  front.max_spooled = std::min(kMaxSpooled, std::max<std::size_t>(descriptors / 16, 8));
  const std::size_t reserved =
      kReservedDescriptors + std::min(2 * front.max_spooled + options_.admin_max_connections, descriptors / 4);
  front.max_connections = options_.max_connections;
  if (front.max_connections == 0 && descriptors > 2 * reserved) front.max_connections = descriptors - reserved;
  if (front.max_connections > descriptors) {
    observe::log_warn("--max-connections is more than the descriptor limit (ulimit -n) allows",
                      {{"limit", std::to_string(descriptors)}});
  }
  front.max_per_address = options_.max_connections_per_ip;
  front.is_proxy = [this](const std::string& peer) { return proxies_.contains(peer); };
  front.client_address = [this](const std::string& peer, const net::RequestHead& head) {
    return proxies_.client_address(peer, net::joined_header(head, "X-Forwarded-For"),
                                   net::joined_header(head, "Forwarded"));
  };
  front.tls = tls_.get();
  front_ = std::make_unique<net::HttpFront>(front_loop_, *listener_, app_, workers_, front, metrics_,
                                            [this] { return streams_held(); });

  if (!admin_listener_) return;
  admin_routes_ = std::make_unique<AdminRoutes>(
      admin_app_,
      AdminRoutes::Dependencies{services_, *catalog_, *dead_, metrics_, token_, server_id_, [this] { return status(); },
                                [this] { return !draining_.load(); },
                                NodeRoutes::Dependencies{server_id_, cluster_.get(), [this] { return facts(); },
                                                         [this](unsigned rate) { drain_streams(rate); }},
                                [this] { expire(); }});
  feed_ = std::make_unique<EventFeed>(admin_loop_, reactions_->happenings(), metrics_);
  reactions_->happenings().add_sink(*feed_);
  add_event_routes(admin_routes_->router(), services_, reactions_->happenings(), *feed_);
  net::FrontOptions admin;
  admin.name = "admin";
  if (options_.admin.starts_with(kTls)) admin.tls = tls_.get();
  admin.max_body = kMaxAdminBody;
  admin.max_connections = options_.admin_max_connections;
  admin.max_connections_option = "--admin-max-connections";
  admin.memory = &admin_body_memory_;
  admin.disk = &body_disk_;
  admin.spoolers = &admin_spoolers_;
  admin.spool_folder = page.upload_folder;
  admin.max_spooled = front.max_spooled;
  admin.refusal = &AdminRoutes::refusal;
  admin.plan = [this](const net::RequestHead& head, const net::Peer&) {
    net::RequestPlan plan{.max_body = kMaxAdminBody};
    admin_routes_->decide(head, plan);
    return plan;
  };
  admin.body_timeout = std::chrono::milliseconds(60'000);
  admin_app_.set_payload_max_length(admin.max_body.count());
  admin_front_ = std::make_unique<net::HttpFront>(admin_loop_, *admin_listener_, admin_app_, admin_workers_, admin,
                                                  metrics_, [this] { return feed_->followers(); });
  // The short cut knows no other nodes.
  admin_front_->set_quick(QuickSend(services_, token_, admin_workers_));
}

std::size_t Server::Impl::streams_held() const {
  std::size_t n = 0;
  for (const Service& service : services_) n += service.sender->hub().sockets();
  return n;
}

void Server::Impl::start() {
  running_ = true;
  for (const auto& loop : loops_) loop->start();
  front_loop_.start();
  admin_loop_.start();
  if (admin_front_) admin_front_->start();
  // Before the first stream: it waits for the subscriptions.
  if (cluster_gateway_) {
    cluster_->start();
    cluster_gateway_->start();
  }
  if (mesh_repository_ != nullptr) mesh_repository_->start();
  front_->start();
  admin_loop_.post([this] {
    chores_.submit([this] { expire(); });
    admin_loop_.run_every(kExpirePeriod, [this] { chores_.submit([this] { expire(); }); });
    admin_loop_.run_every(kStormPeriod, [this] {
      if (storm_.over(happenings())) chores_.submit([] { malloc_trim(0); });
    });
    if (options_.demo) admin_loop_.run_every(kDemoPeriod, [this] { chores_.submit([this] { push_demo(); }); });
  });
}

void Server::Impl::stop() {
  if (!running_) return;
  // Those threads are what it waits for.
  assert(std::ranges::none_of(loops_, [](const auto& loop) { return loop->in_loop_thread(); }));
  assert(!front_loop_.in_loop_thread() && !admin_loop_.in_loop_thread());
  running_ = false;
  draining_.store(true);
  // The system's: this waits for peers' sockets, and whoever stops a server may have stopped its clock.
  const Clock& real = Clock::system();
  const auto wait_for = [&real](std::chrono::seconds patience, const auto& done) {
    const SteadyTime deadline = real.steady_now() + patience;
    while (!done() && real.steady_now() < deadline) real.sleep_for(std::chrono::milliseconds(5));
  };
  for (const Service& service : services_) service.sender->end_waits();
  front_->drain();
  // Requests under way, streams about to be handed over among them, come first.
  wait_for(kDrainRequests, [this] { return front_->open() == 0; });
  for (const Service& service : services_) service.sender->hub().drain();
  wait_for(kDrainStreams, [this] { return streams_held() == 0; });
  if (admin_front_) admin_front_->drain();
  if (feed_) feed_->stop();
  chores_.stop();
  authenticator_->stop();
  reactions_->stop_requests();
  admin_spoolers_.stop();
  workers_.stop();
  admin_workers_.stop();
  for (const Service& service : services_) service.sender->stop();
  drainer_.stop();
  if (cluster_gateway_) {
    cluster_gateway_->stop();
    cluster_->stop();
  }
  front_loop_.stop();
  admin_loop_.stop();
  for (const auto& loop : loops_) loop->stop();
  reactions_->stop();
}

void Server::Impl::push_demo() {
  for (const Service& service : services_) {
    std::vector<std::string> users = service.sender->hub().names(event::TargetKind::kUser);
    for (std::size_t i = 0; i < users.size(); i += event::kMaxNames) {
      const auto begin = users.begin() + static_cast<std::ptrdiff_t>(i);
      const auto end = users.begin() + static_cast<std::ptrdiff_t>(std::min(i + event::kMaxNames, users.size()));
      service.sender->send({{event::TargetKind::kUser, {begin, end}, false}, "server-push", kDemoData});
    }
  }
}

// What makes the allocator grow: streams that come and go, and sends.
std::uint64_t Server::Impl::happenings() {
  std::uint64_t n = 0;
  for (const Service& service : services_) {
    n += service.sender->hub().turnover() + service.sender->sends();
  }
  return n;
}

void Server::Impl::expire() {
  if (relayed_bodies_) relayed_bodies_->sweep();
  try {
    for (const Service& service : services_) service.sender->expire_history();
    const std::uint64_t expired = repository_->expire(clock_.wall_now());
    if (expired == 0) return;
    metrics_.counter("sse_expired_total", "Pending messages given up because their time to live was over").add(expired);
    observe::log_warn(
        "pending messages expired unconfirmed (--qos-ttl, or their own ttl); see 'ssectl messages dead list'",
        {{"count", std::to_string(expired)}});
  } catch (const Error& e) {
    observe::log_error("cannot remove expired messages", {{"error", e.what()}});
  }
}

Json Server::Impl::cluster_status() const {
  if (!cluster_gateway_) return nullptr;
  const std::string degraded = cluster_->degraded();
  Json status{{"address", cluster_address(options_)},
              {"nodes", cluster_->nodes().size()},
              {"number", cluster_->number()},
              {"topics", cluster_->interest().topics()},
              {"degraded", degraded.empty() ? Json(nullptr) : Json(degraded)}};
  if (mesh_ != nullptr) {
    status["listening"] = mesh_->listening();
    status["advertised"] = mesh_->address();
    status["heldRecipients"] = mesh_repository_->held();
  }
  return status;
}

Json Server::Impl::status() const {
  Json services = Json::array();
  const std::int64_t cpu = cpu_micros();
  std::size_t connections = 0;
  std::size_t users = 0;
  for (const Service& service : services_) {
    const hub::Hub& hub = service.sender->hub();
    services.push_back({{"name", service.sender->service().str()},
                        {"path", service.path},
                        {"connections", hub.connections()},
                        {"users", hub.users()}});
    connections += hub.connections();
    users += hub.users();
  }
  return {
      {"serverId", server_id_},
      {"version", base::kVersion},
      {"state", draining_.load() ? "draining" : "ready"},
      {"pid", getpid()},
      {"startTime", to_millis(started_)},
      {"uptimeMillis", (clock_.wall_now() - started_).count()},
      {"listen", url()},
      {"database", options_.cluster.empty() ? options_.database : cluster::parse_redis_address(options_.cluster).str()},
      {"connections", connections},
      {"users", users},
      {"pending", repository_->size()},
      {"memoryBytes", resident_bytes()},
      {"cpuMillis", cpu / 1000},
      {"cpuMicros", cpu},
      {"threads", thread_count()},
      {"loops", loops_.size()},
      {"services", services},
      {"cluster", cluster_status()},
      {"counters", metrics_.snapshot()}};
}

delivery::Sender& Server::Impl::sender(const std::string& name) {
  if (name.empty() && services_.size() == 1) return *services_.front().sender;
  for (const Service& service : services_) {
    if (service.sender->service().str() == name) return *service.sender;
  }
  throw Error(ErrorCode::kNotFound, "no service '" + printable(name, 60) + "' is hosted here");
}

Server::Server(ServerOptions options, std::unique_ptr<Authenticator> authenticator,
               std::unique_ptr<Application> application)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(authenticator), std::move(application), Callbacks())) {
}
Server::Server(ServerOptions options, Callbacks callbacks)
    : impl_(std::make_unique<Impl>(std::move(options), make_callback_authenticator(callbacks),
                                   make_callback_application(callbacks), callbacks)) {}
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

}  // namespace sse::gateway
