#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sse-server/log.h"
#include "sse-server/units.h"

namespace sse {

/// How many recent events stay in memory, for clients that reconnect and resume.
struct HistoryOptions {
  std::size_t events = 0;  ///< maximum per topic: a user, token, tenant or channel, or sends to all; 0: no history
  ByteCount bytes = mebibytes(64);                           ///< maximum memory, including overhead
  std::chrono::milliseconds ttl = std::chrono::minutes(60);  ///< maximum age of an event
};

/// The options of a server. The defaults are those of `sse-serve`, whose manual page explains them at length.
struct ServerOptions {
  // What is served, and where.
  std::string listen = "127.0.0.1:8080";  ///< `ADDR:PORT`, port 0 picks one; or `unix:PATH`
  std::vector<std::string> also_listen;   ///< further addresses at which the same pages are served
  /// Name and path of each service. Every service has its own connections and messages.
  std::vector<std::pair<std::string, std::string>> services{{"defaultConnectionService", "/my-sse"}};
  std::string tls_certificate;         ///< PEM file: `listen` speaks TLS; the issuers' certificates may follow
  std::string tls_key;                 ///< PEM file with its private key
  bool page = true;                    ///< the demo page at `/`
  std::string web_root;                ///< files to serve at `/` instead; empty: none
  bool public_health = false;          ///< `/healthz` and `/readyz` also at the public listeners
  bool demo = false;                   ///< sends an event to every online user every 3 seconds
  bool enable_get_json = false;        ///< pages may query online users and pending messages (`users.json` etc.)
  unsigned listen_socket_mode = 0660;  ///< of the files of public unix sockets
  std::string listen_socket_group;     ///< that those files get; empty: the process's
  std::string admin;                   ///< `unix:PATH`, `ADDR:PORT` or `https://ADDR:PORT`; empty: no admin listener
  unsigned admin_socket_mode = 0;      ///< of the file of the admin socket; 0: 0600, or 0660 with a group
  std::string admin_socket_group;      ///< that the file gets; empty: the process's
  std::string admin_token_file;        ///< the first line is the token that admin requests need; empty: none
  std::string server_id;               ///< names the server in answers and in a cluster; empty: host name and port
  std::size_t workers = 0;             ///< max worker threads of the public listener; 0: 8 per core
  std::size_t loops = 0;               ///< stream loops; 0: one per core

  // Who may ask.
  std::vector<std::string> trusted_proxies;  ///< addresses or networks whose forwarding headers are used; `unix`
  bool proxy_protocol = false;               ///< connections from them begin with a PROXY protocol header
  std::vector<std::string> cors_origins;     ///< origins of other sites whose pages may open streams; `*`: all
  /// Host names that requests may name while the demo authentication is in use, and at an admin listener without a
  /// token, in addition to IP addresses, `localhost` and, for pages, the hosts of cors_origins. Requests with another
  /// Host are refused (DNS rebinding). `*`: all names.
  std::vector<std::string> allowed_hosts;
  bool authentication_blocks = false;  ///< the authenticator calls another service and may block
  /// Who may join which channels: `PATTERN=anyone`, `PATTERN=self` or `PATTERN=hook`, as `--channel-rule`; the first
  /// whose pattern matches decides. Without a rule a channel is refused, unless User::channels or Callbacks::connect
  /// allow it. Empty with the demo authentication: every channel is open.
  std::vector<std::string> channel_rules;
  std::chrono::milliseconds presence_grace{5000};  ///< a user whose last stream left a channel is in it for so long
  std::size_t presence_max = 1000;  ///< users in a channel that events about presence list; of more, only the number
  /// Channels whose users are followed, because a stream watches them; in a cluster a stream of any node.
  std::size_t presence_channels = 20'000;
  /// To which channels pages may publish: `PATTERN=anyone`, `=self`, `=subscriber` (streams that are in the channel) or
  /// `=hook`, as `--publish-rule`; the first whose pattern matches decides. Without a rule nothing can be published,
  /// unless User::publish allows it. Empty with the demo authentication: every channel is open.
  std::vector<std::string> publish_rules;
  std::size_t publish_rate = 10;          ///< events a second that one stream may publish; 0: no limit
  ByteCount max_publish = kibibytes(16);  ///< of the data of one of them, as JSON text

  // A client of its own public address, which measures the time of an event; see `--canary`.
  std::chrono::milliseconds canary_interval{0};  ///< between its events, from 1 s to 1 h; 0: no canary
  std::string canary_url;      ///< of a service at the public address: `https://push.example.org/my-sse`
  std::string canary_ca_file;  ///< PEM file: the certificates that it trusts there; empty: the system's

  // Streams.
  std::chrono::milliseconds reconnect_time{5000};           ///< after which a client reconnects
  std::chrono::milliseconds reconnect_jitter{0};            ///< spreads the reconnects after a restart over this time
  std::optional<std::chrono::milliseconds> keepalive_time;  ///< set: overrides the client's
  std::chrono::milliseconds heartbeat{15000};               ///< of idle streams; 0: none
  ByteCount max_backlog = mebibytes(1);                     ///< queued for one stream; beyond it is a slow consumer
  bool drop_slow = false;                                   ///< a slow consumer misses events instead of being closed
  HistoryOptions history;                                   ///< its bytes are divided among the services

  // Limits.
  std::size_t client_max_connections = 3;      ///< streams of one client; the oldest is closed
  std::size_t max_connections = 0;             ///< of the public listener; 0: sized to the descriptor limit
  std::size_t max_connections_per_ip = 0;      ///< of one address; 0: no limit
  std::size_t admin_max_connections = 256;     ///< of the admin listener
  std::size_t max_tickets = 100'000;           ///< that wait to be redeemed; their size: 1 KiB for each
  std::size_t cluster_max_connections = 1024;  ///< from other nodes, with `discovery`
  ByteCount max_body = mebibytes(8);           ///< of a request that is not an upload
  ByteCount max_upload = mebibytes(64);        ///< of an upload
  ByteCount max_body_memory = mebibytes(128);  ///< of request bodies in memory, per listener
  ByteCount max_body_disk = mebibytes(1024);   ///< of request bodies on disk
  std::string upload_folder;                   ///< for uploads until the application replies; empty: $TMPDIR or /tmp

  // Messages sent with qos.
  std::string database = ":memory:";  ///< pending messages: a file in a folder that exists, or `:memory:`
  bool make_database_folder = false;  ///< creates the folders of `database` if they are missing
  bool sync_full = true;              ///< fsync before a qos send is answered
  std::chrono::milliseconds qos_ttl = std::chrono::days(7);  ///< after which an unconfirmed message is a dead letter
  std::chrono::milliseconds qos_ack_timeout{30'000};         ///< 0: an unconfirmed message waits for the next connect
  std::size_t qos_max_per_user = 10'000;                     ///< messages pending for one recipient
  ByteCount qos_max_bytes_per_user = mebibytes(256);         ///< their size
  std::uint64_t qos_max_total = 10'000'000;                  ///< (message, recipient) pairs
  ByteCount qos_max_total_bytes = mebibytes(std::uint64_t{16} * 1024);  ///< their size
  std::size_t qos_replicas = 0;         ///< with `cluster`: of Redis that must have a message before it is accepted
  std::uint64_t qos_max_dead = 10'000;  ///< dead letters stored; the oldest are deleted

  // The application behind the pages, if it is another program.
  std::string hook;                              ///< URL of the application; empty: none
  std::chrono::milliseconds hook_timeout{5000};  ///< of one call
  std::size_t hook_queue = 10'000;               ///< maximum of queued notifications
  std::size_t outbox_limit = 100'000;            ///< delivery reports that wait for the hook; the oldest are dropped
  std::size_t hook_threads = 32;                 ///< maximum of requests of each kind waiting for the application
  std::string hook_secret_file;                  ///< the first line is the secret that signs the calls
  bool forward_uploads = false;                  ///< to the hook as multipart/form-data instead of by path
  bool hook_channels = false;                    ///< the hook is told which channels are occupied and vacated

  // The log.
  /// Gets the log lines of the process while the server exists, instead of stderr; empty: stderr. The library has one
  /// log for a process: with several servers, each sink gets the lines of all.
  LogSink log_sink;
  LogLevel log_level = LogLevel::kInfo;  ///< of the sink: less important lines are left out

  // A cluster of several servers.
  std::string cluster;                ///< `redis://HOST:PORT/DB`, `rediss://`, `unix:///PATH`; empty: no Redis cluster
  std::string cluster_password_file;  ///< overrides a password in the address
  std::string cluster_ca_file;        ///< with TLS, PEM: the certificates to trust; empty: the system's
  /// With TLS, PEM: of this server, for a Redis that asks for one. With `discovery` it means TLS between the nodes,
  /// each of which checks the certificate of the other.
  std::string cluster_certificate_file;
  std::string cluster_key_file;  ///< that belongs to it
  std::string cluster_tls_name;  ///< in the certificate of Redis, or of each node; empty: the host of the address
  /// With `discovery`: permits that the secret of the nodes travels over a network in clear. Otherwise the server does
  /// not start with such an address, and calls no node at one.
  bool cluster_in_clear = false;
  std::string cluster_prefix = "sse:";  ///< of all keys and channels in Redis; the same for all nodes of a cluster
  bool allow_redis_eviction = false;    ///< start even if Redis evicts keys without a time to live, with a warning
  std::string discovery;  ///< `nacos://…` or `static:…`: a cluster whose nodes talk to each other; not with `cluster`
  std::string discovery_password_file;    ///< of Nacos; overrides a password in the address
  std::string discovery_access_key_file;  ///< of Nacos: first line `ACCESSKEY:SECRETKEY`
  std::string discovery_ca_file;  ///< PEM file: the certificates that `nacos+https://` trusts; empty: the system's
  /// How long the start is tried again while Nacos cannot be used; then the node starts alone, and joins later.
  std::chrono::milliseconds discovery_timeout{20'000};
  std::string cluster_listen;     ///< ADDR:PORT for other nodes, with `discovery`; not only for this machine: needs TLS
  std::string cluster_advertise;  ///< HOST:PORT at which they reach this node; empty: `cluster_listen`
  std::string cluster_secret_file;  ///< shared secret of the nodes; with Nacos each node may create its own
};

}  // namespace sse
