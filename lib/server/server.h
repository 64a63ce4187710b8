#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "application/application.h"
#include "application/callbacks.h"
#include "auth/authenticator.h"
#include "base/clock.h"
#include "base/units.h"
#include "delivery/sender.h"
#include "observe/metrics.h"

namespace sse::server {

/// The options of a server. The defaults are those of `sse-serve`.
struct ServerOptions {
  std::string listen = "127.0.0.1:8080";  ///< `ADDR:PORT`; port 0 picks one
  std::vector<std::pair<std::string, std::string>> services{{"defaultConnectionService", "/my-sse"}};  ///< name, path
  std::string tls_certificate;        ///< PEM file: `listen` speaks TLS; the issuers' certificates may follow
  std::string tls_key;                ///< PEM file with its private key
  bool page = true;                   ///< the demo page at `/`
  std::string web_root;               ///< files to serve at `/` instead; empty: none
  bool demo = false;                  ///< sends an event to every online user every 3 seconds
  std::string database = ":memory:";  ///< pending messages: a file in a folder that exists, or `:memory:`
  bool make_database_folder = false;  ///< creates the folders of `database` if they are missing
  bool sync_full = true;              ///< fsync before a qos send is answered
  std::string admin;                  ///< `unix:PATH`, `ADDR:PORT` or `https://ADDR:PORT`; empty: no admin listener
  std::string admin_token_file;
  std::string server_id;  ///< empty: made from host name and port
  std::vector<std::string> trusted_proxies;
  std::vector<std::string> cors_origins;
  /// Host names that requests may name while the demo authentication is in use, in addition to IP addresses,
  /// `localhost` and the hosts of cors_origins. Requests with another Host are refused (DNS rebinding). `*`: all names.
  std::vector<std::string> allowed_hosts;
  bool enable_get_json = false;  ///< pages may query online users and pending messages (users.json etc.)
  std::chrono::milliseconds reconnect_time{5000};
  std::chrono::milliseconds reconnect_jitter{0};            ///< spreads the reconnects after a restart over this time
  std::optional<std::chrono::milliseconds> keepalive_time;  ///< set: overrides the client's
  std::chrono::milliseconds heartbeat{15000};               ///< 0: none
  std::size_t client_max_connections = 3;
  std::size_t max_connections = 0;         ///< 0: sized to the descriptor limit
  std::size_t max_connections_per_ip = 0;  ///< 0: no limit
  std::size_t admin_max_connections = 256;
  std::size_t cluster_max_connections = 1024;  ///< from other nodes, with `discovery`
  ByteCount max_body_memory = mebibytes(128);  ///< of request bodies in memory, per listener
  ByteCount max_body_disk = mebibytes(1024);   ///< of request bodies on disk
  ByteCount max_backlog = mebibytes(1);
  bool drop_slow = false;  ///< a slow stream misses events instead of being closed
  ByteCount max_body = mebibytes(8);
  ByteCount max_upload = mebibytes(64);
  std::string upload_folder;                     ///< for uploads until the application replies; empty: $TMPDIR or /tmp
  std::string hook;                              ///< URL of the application; empty: none
  std::chrono::milliseconds hook_timeout{5000};  ///< of one call
  std::size_t hook_queue = 10'000;               ///< maximum of queued notifications
  std::size_t hook_threads = 32;                 ///< maximum of requests of each kind waiting for the application
  std::string hook_secret_file;                  ///< the first line is the secret that signs the calls
  bool forward_uploads = false;                  ///< to the hook as multipart/form-data instead of by path
  bool authentication_blocks = false;            ///< the authenticator calls another service and may block
  std::chrono::milliseconds qos_ttl = std::chrono::days(7);
  std::size_t qos_max_per_user = 10'000;
  std::string cluster;                ///< `redis://HOST:PORT/DB`; empty: no Redis cluster
  std::string cluster_password_file;  ///< overrides a password in the address
  bool allow_redis_eviction = false;  ///< start even if Redis evicts keys without a time to live, with a warning
  std::string discovery;  ///< `nacos://…` or `static:…`: a cluster whose nodes talk to each other; not with `cluster`
  std::string discovery_password_file;  ///< of Nacos; overrides a password in the address
  std::string cluster_listen;           ///< ADDR:PORT for other nodes, with `discovery`
  std::string cluster_advertise;        ///< HOST:PORT at which they reach this node; empty: `cluster_listen`
  std::string cluster_secret_file;      ///< shared secret of the nodes; with Nacos each node may create its own
  ByteCount qos_max_bytes_per_user = mebibytes(256);
  std::uint64_t qos_max_total = 10'000'000;  ///< (message, recipient) pairs
  ByteCount qos_max_total_bytes = mebibytes(std::uint64_t{16} * 1024);
  std::uint64_t qos_max_dead = 10'000;                ///< dead letters stored; the oldest are deleted
  delivery::HistoryOptions history;                   ///< its bytes are divided among the services
  std::chrono::milliseconds qos_ack_timeout{30'000};  ///< 0: an unconfirmed message waits for the next connect
  std::size_t workers = 0;                            ///< max worker threads of the public listener; 0: 8 per core
  std::size_t loops = 0;                              ///< stream loops; 0: one per core
  /// The clock of the whole server, for reading the time and for waiting; outlives the server. Tests may set a
  /// ManualClock (base/manual_clock.h). Authenticators have their own clock option.
  const Clock* clock = &Clock::system();
};

/// Throws Error(kInvalidArgument) naming the invalid option. Reads the file system, but opens and creates nothing.
void check(const ServerOptions& options);

/// A push server in one object: `sse-serve` is this with options, and a C++ program can embed it.
///
///     sse::server::Server server(options);
///     server.start();
///     server.sender().send({sse::event::Target::all(), "news", "hello"});
///     server.stop();
///
/// After installation, use `find_package(sse-server)` and link `sse-server::sse-server`.
///
/// Thread safe after construction, except that one thread calls start() and stop(), and it is not a thread of the
/// server: a callback may send, query and close through sender() and its hub(), but may not stop or destroy the server
/// (asserted).
/// Handlers of `authenticator` and `application` run on worker threads; see Callbacks for the rest.
class Server {
 public:
  /// Opens the database and the listeners, so that errors appear before anything runs. `authenticator` null: the demo
  /// authenticator. `application` null: the hook's if `hook` is set, else the demo application. Throws Error.
  explicit Server(ServerOptions options, std::unique_ptr<auth::Authenticator> authenticator = nullptr,
                  std::unique_ptr<application::Application> application = nullptr);
  /// With callbacks instead of objects.
  Server(ServerOptions options, application::Callbacks callbacks);
  /// stop()s if still running.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Starts serving; returns immediately.
  void start();
  /// Refuses new streams, writes out the backlogs, ends all streams without connect-close and flushes pending writes to
  /// the store. Returns within 10 seconds. Idempotent.
  void stop();
  /// Reads the admin token, the TLS certificate and key, the hook's secret and the authenticator's files again. Throws
  /// Error naming what it cannot read; those keep their old values, the others are new.
  void reload();

  /// `http://127.0.0.1:8080` or `https://…`, with the port actually bound.
  std::string url() const;
  std::string admin_address() const;
  const std::string& server_id() const;
  /// The sender of a service; of the only one for an empty name. Throws Error(kNotFound).
  delivery::Sender& sender(const std::string& service = "");
  observe::Registry& metrics();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sse::server
