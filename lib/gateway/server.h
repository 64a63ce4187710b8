#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/units.h"
#include "delivery/sender.h"
#include "gateway/application.h"
#include "gateway/authenticator.h"
#include "gateway/callbacks.h"
#include "observe/metrics.h"

namespace sse::gateway {

/// Everything a server can be told. The defaults are those of `sse-serve`.
struct ServerOptions {
  std::string listen = "127.0.0.1:8080";  ///< `ADDR:PORT`; port 0 picks one
  std::vector<std::pair<std::string, std::string>> services{{"defaultConnectionService", "/my-sse"}};  ///< name, path
  std::string tls_certificate;        ///< PEM file: `listen` speaks TLS; the issuers' certificates may follow
  std::string tls_key;                ///< PEM file with its private key
  bool page = true;                   ///< the demo page at `/`
  std::string web_root;               ///< files to serve at `/` instead; empty: none
  bool demo = false;                  ///< push something to every online user every 3 seconds
  std::string database = ":memory:";  ///< pending messages: a file in a folder that exists, or `:memory:`
  bool make_database_folder = false;  ///< makes the folders of `database`, for a path of one's own making
  bool sync_full = true;              ///< fsync before a qos send is answered
  std::string admin;                  ///< `unix:PATH`, `ADDR:PORT` or `https://ADDR:PORT`; empty: no admin listener
  std::string admin_token_file;
  std::string server_id;  ///< empty: made from host name and port
  std::vector<std::string> trusted_proxies;
  std::vector<std::string> cors_origins;
  /// Host names, beside IP addresses, `localhost` and the hosts of cors_origins, that requests may name while the
  /// demo's authentication is in use: a page of any other name that points here is refused. `*`: all.
  std::vector<std::string> allowed_hosts;
  bool enable_get_json = false;  ///< pages may ask who is online and what is pending: users.json and its like
  std::chrono::milliseconds reconnect_time{5000};
  std::chrono::milliseconds reconnect_jitter{0};            ///< spreads who comes back after a restart over so long
  std::optional<std::chrono::milliseconds> keepalive_time;  ///< set: wins over the client's
  std::chrono::milliseconds heartbeat{15000};               ///< 0: none
  std::size_t client_max_connections = 3;
  std::size_t max_connections = 0;         ///< 0: sized to the descriptor limit
  std::size_t max_connections_per_ip = 0;  ///< 0: no limit
  std::size_t admin_max_connections = 256;
  std::size_t cluster_max_connections = 1024;  ///< of other nodes, with `discovery`
  ByteCount max_body_memory = mebibytes(128);  ///< of request bodies in memory, each listener for itself
  ByteCount max_body_disk = mebibytes(1024);   ///< of request bodies that wait on disk
  ByteCount max_backlog = mebibytes(1);
  bool drop_slow = false;  ///< a slow stream misses events instead of being closed
  ByteCount max_body = mebibytes(8);
  ByteCount max_upload = mebibytes(64);
  std::string upload_folder;                     ///< for uploads until they are answered; empty: $TMPDIR or /tmp
  std::string hook;                              ///< URL of the application; empty: none
  std::chrono::milliseconds hook_timeout{5000};  ///< for one call
  std::size_t hook_queue = 10'000;               ///< most notifications that wait
  std::size_t hook_threads = 32;                 ///< most requests that wait for the application at once, of each kind
  std::string hook_secret_file;                  ///< first line: signs the calls
  bool forward_uploads = false;                  ///< to the hook as multipart/form-data instead of by path
  bool authentication_blocks = false;            ///< the authenticator asks somebody else
  std::chrono::milliseconds qos_ttl = std::chrono::days(7);
  std::size_t qos_max_per_user = 10'000;
  std::string cluster;                ///< `redis://HOST:PORT/DB`; empty: this server is alone
  std::string cluster_password_file;  ///< wins over one in the address
  bool allow_redis_eviction = false;  ///< start also where Redis evicts keys without a time to live, and tell
  std::string discovery;  ///< `nacos://…` or `static:…`: a cluster whose nodes talk to each other; not with `cluster`
  std::string discovery_password_file;  ///< of Nacos; wins over one in the address
  std::string cluster_listen;           ///< ADDR:PORT for other nodes, with `discovery`
  std::string cluster_advertise;        ///< HOST:PORT that they reach it at; empty: `cluster_listen`
  std::string cluster_secret_file;      ///< what nodes show each other; with Nacos each may make its own
  ByteCount qos_max_bytes_per_user = mebibytes(256);
  std::uint64_t qos_max_total = 10'000'000;  ///< (message, recipient) pairs
  ByteCount qos_max_total_bytes = mebibytes(std::uint64_t{16} * 1024);
  std::uint64_t qos_max_dead = 10'000;                ///< dead letters kept; the oldest go
  delivery::HistoryOptions history;                   ///< its bytes are shared by the services
  std::chrono::milliseconds qos_ack_timeout{30'000};  ///< 0: an unconfirmed message waits for the next connect
  std::size_t workers = 0;                            ///< most worker threads of the public listener; 0: 8 a core
  std::size_t loops = 0;                              ///< stream loops; 0: one a core
  /// What all the server looks at the time by, and waits by; outlives the server. A program's tests may put a
  /// ManualClock here (base/manual_clock.h). Authenticators have options of their own for it.
  const Clock* clock = &Clock::system();
};

/// Throws Error(kInvalidArgument) that names the option that makes no sense. Looks, but opens and creates nothing.
void check(const ServerOptions& options);

/// A push server in one object: `sse-serve` is this with options, and a C++ program can embed it.
///
///     sse::gateway::Server server(options);
///     server.start();
///     server.sender().send({sse::event::Target::all(), "news", "hello"});
///     server.stop();
///
/// Installed, it is found with `find_package(sse-server)` and linked as `sse-server::sse-server`.
///
/// Thread safe after construction, but start() and stop() are called by one thread, which is none of the server's own:
/// a callback may send, ask and close through sender() and its hub(), but not stop or destroy the server (asserted).
/// Handlers of `authenticator` and `application` run on worker threads; see Callbacks for the rest.
class Server {
 public:
  /// Opens database and listeners, so that whatever is wrong is known before anything runs. `authenticator` null: the
  /// demo's. `application` null: the demo's. Throws Error.
  explicit Server(ServerOptions options, std::unique_ptr<Authenticator> authenticator = nullptr,
                  std::unique_ptr<Application> application = nullptr);
  /// With callbacks instead of objects.
  Server(ServerOptions options, Callbacks callbacks);
  /// stop()s if still running.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Begins to serve; returns at once.
  void start();
  /// Takes no new streams, writes out what is queued, ends all streams without connect-close, stores what is to be
  /// stored. Returns within 10 seconds. Idempotent.
  void stop();
  /// Reads the admin token file, the TLS certificate and key, and what the authenticator has read, again. Throws Error
  /// that tells what it cannot read; that stays as it was, and the rest is new.
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

}  // namespace sse::gateway
