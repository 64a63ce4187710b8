#include "options.h"

#include <cctype>
#include <charconv>
#include <cstddef>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "base/version.h"
#include "option_types.h"

namespace sse::serve {
namespace {

constexpr std::size_t kMaxCount = 1'000'000'000;
constexpr std::size_t kMaxThreads = 1000;
constexpr std::size_t kMaxListedMembers = 10'000;
constexpr std::size_t kMaxFollowedChannels = 200'000;
constexpr std::size_t kMaxHistory = 1'000'000;

void set_services(server::ServerOptions& server, const std::vector<std::string>& texts) {
  server.services.clear();
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos)
      throw Error(ErrorCode::kInvalidArgument, "'" + printable(text, 80) + "' is not NAME=PATH, such as hr=/hr-sse");
    server.services.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
}

// Lets every long option be set in the environment: --max-backlog is SSE_SERVE_MAX_BACKLOG.
void name_environment(cli::App& app) {
  for (cli::Option& option : app.options()) {
    const std::vector<std::string> names = option.long_names();
    if (names.empty() || !option.configurable()) continue;
    const std::string& name = names.front();
    if (name == "help" || name == "version" || name == "config") continue;
    std::string variable = kVariablePrefix;
    for (const char c : name)
      variable += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    // A variable holds a single text, so a repeatable option also accepts a list, here and on the command line.
    option.envname(variable).list_separator(',');
  }
}

// NAME-socket-group and NAME-socket-mode, who may connect to a unix socket.
void add_socket_file(cli::App& app, const std::string& name, std::string& group, unsigned& mode,
                     const std::string& fallback, const std::string& what, const std::string& note) {
  app.add_option(name + "-socket-group", group, "Group of the " + what + ", whose members may connect")
      .type_name("GROUP");
  add(app, name + "-socket-mode", "Permissions of the " + what + note, "MODE", fallback,
      [&mode](const std::string& text) {
        const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
        if (error != std::errc{} || stop != text.data() + text.size())
          throw Error(ErrorCode::kInvalidArgument, "'" + printable(text, 40) + "' is no octal mode, such as 0660");
      });
}

void declare_pages(cli::App& app, Options& options) {
  server::ServerOptions& server = options.server;
  app.begin_group("Pages and services");
  app.add_option("-l,--listen", options.listen,
                 "Public listener, or unix:PATH; port 0 picks one and prints it; repeatable")
      .type_name("ADDR:PORT")
      .default_str(server.listen);
  add_socket_file(app, "--listen", server.listen_socket_group, server.listen_socket_mode, "0660",
                  "unix sockets of --listen", "");
  app.add_option("--tls-cert", server.tls_certificate,
                 "PEM file with its certificate and those of the issuers; enables TLS; reloaded on SIGHUP")
      .type_name("FILE");
  app.add_option("--tls-key", server.tls_key, "PEM file with the private key of --tls-cert; reloaded on SIGHUP")
      .type_name("FILE");
  app.add_texts(
         "--service", [&server](const std::vector<std::string>& texts) { set_services(server, texts); },
         "A service to host, with its own connections and messages; repeatable")
      .type_name("NAME=PATH")
      .default_str("defaultConnectionService=/my-sse");
  app.add_flag("--demo", server.demo, "Push an event to every online user every 3 seconds");
  app.add_flag(
      "--no-page", [&server] { server.page = false; }, "No demo page at /");
  app.add_option("--web-root", server.web_root, "Serve these files at / instead of the demo page").type_name("DIR");
  app.add_flag("--public-health", server.public_health,
               "Answer /healthz and /readyz at the public listener, too, for load balancers that cannot reach --admin");
  app.add_option("--cors-origin", server.cors_origins, "Origin whose pages may use the services, or *; repeatable")
      .type_name("ORIGIN");
  app.add_option(
         "--allowed-host", server.allowed_hosts,
         "With --auth demo, and at an admin socket without a token: host name accepted in Host, in addition to IP "
         "addresses, localhost and the hosts of --cors-origin, or *; repeatable")
      .type_name("HOST");
  app.add_flag("--enable-get-json", server.enable_get_json,
               "Let pages list online users: connect/users.json, connections.json, repositoryMessages.json");
  app.add_option("--server-id,--node-id", server.server_id,
                 "Name of this server in its responses and its cluster (default: host:port)")
      .type_name("NAME");
}

void declare_users(cli::App& app, Options& options) {
  app.begin_group("Authentication");
  add_choice(app, "--auth",
             "demo: the parameter userId, for your own machine; header: X-Sse-User of a trusted proxy; jwt: signed "
             "tokens; webhook: an authentication service",
             {"demo", "header", "jwt", "webhook"}, "demo",
             [&options](const std::string& text) { options.auth = text; });
  app.add_flag(
      "--insecure", options.insecure,
      "Allow --auth demo on a listener that other machines can reach, and a --cluster-listen without TLS there");
  app.add_option("--trusted-proxy", options.server.trusted_proxies,
                 "Address or network whose X-Forwarded-For, Forwarded and X-Sse-User are trusted, or unix for the "
                 "peers on unix sockets; repeatable")
      .type_name("ADDR");
  app.add_flag("--proxy-protocol", options.server.proxy_protocol,
               "Connections from a --trusted-proxy begin with a PROXY protocol header, version 1 or 2");
}

void declare_channels(cli::App& app, server::ServerOptions& server) {
  app.begin_group("Channels");
  app.add_option(
         "--channel-rule", server.channel_rules,
         "Who may join the channels of a pattern: anyone, self (with {user} or {tenant}) or hook; the first that "
         "matches decides; without one a channel is refused, except with --auth demo; reloaded on SIGHUP; "
         "repeatable")
      .type_name("PATTERN=WHO");
  add_duration(app, "--presence-grace", server.presence_grace,
               "How long a user stays a member of a channel after the last stream has left it");
  add_count(app, "--presence-max", server.presence_max, 1, kMaxListedMembers,
            "Members of a channel that events about presence list; of more they have only the number");
  add_count(app, "--presence-channels", server.presence_channels, 1, kMaxFollowedChannels,
            "Channels whose members are followed at a time, in a cluster for the streams of all nodes");
  app.add_option("--publish-rule", server.publish_rules,
                 "To which channels pages may publish: anyone, self, subscriber (whose stream is in the channel) or "
                 "hook; otherwise like --channel-rule")
      .type_name("PATTERN=WHO");
  add_count(app, "--publish-rate", server.publish_rate, 0, kMaxCount,
            "Events a second that one stream may publish; 0 = no limit");
  add_bytes(app, "--max-publish", server.max_publish, "Maximum size of the data of a published event, as JSON text");
}

void declare_jwt(cli::App& app, auth::JwtOptions& jwt) {
  app.begin_group("Authentication with --auth jwt");
  const auto text = [&](const char* name, std::string& value, const char* type, const char* help) {
    cli::Option option = app.add_option(name, value, help).type_name(type);
    if (!value.empty()) option.show_default();
  };
  text("--jwt-key-file", jwt.key_file, "FILE", "JWKS document, or PEM public keys or certificates; reloaded on SIGHUP");
  text("--jwt-secret-file", jwt.secret_file, "FILE",
       "Secret of HS256, HS384 and HS512: at least 32 raw bytes, or base64:TEXT; reloaded on SIGHUP");
  text("--jwt-issuer", jwt.issuer, "TEXT|URL",
       "Required iss of a token (default: any); without key and secret files the OpenID provider whose keys are used");
  text("--jwt-issuer-ca", jwt.issuer_ca_file, "FILE",
       "PEM certificates to trust when the keys of --jwt-issuer are read (default: those of the system)");
  app.add_option("--jwt-audience", jwt.audience,
                 "Accepted aud of a token (default: only tokens without one); repeatable")
      .type_name("TEXT");
  text("--jwt-user-claim", jwt.user_claim, "NAME", "Claim with the user id");
  text("--jwt-tenant-claim", jwt.tenant_claim, "NAME", "Claim with the tenant id");
  text("--jwt-token-claim", jwt.token_claim, "NAME", "Claim with the access token");
  text("--jwt-channels-claim", jwt.channels_claim, "NAME",
       "Claim with a list of the names and patterns of channels that the user may join");
  text("--jwt-publish-claim", jwt.publish_claim, "NAME",
       "Claim with a list of those to which pages of the user may publish");
  text("--jwt-cookie", jwt.cookie, "NAME", "Cookie that may hold the token");
  add_duration(app, "--jwt-leeway", jwt.leeway, "Allowed clock difference");
}

void declare_webhook(cli::App& app, auth::WebhookOptions& webhook) {
  app.begin_group("Authentication with --auth webhook");
  app.add_option("--auth-url", webhook.url, "Service that gets a page's Cookie and Authorization, and returns the user")
      .type_name("URL");
  add_duration(app, "--auth-timeout", webhook.timeout, "Timeout of a call");
  add_duration(app, "--auth-cache", webhook.cache, "How long a response is cached; 0 = no cache");
  app.add_option("--auth-parameter", webhook.parameters,
                 "Query parameter that is passed on (default: access-token, userId, tenantId); repeatable")
      .type_name("NAME");
}

void declare_streams(cli::App& app, server::ServerOptions& server) {
  app.begin_group("Streams");
  add_duration(app, "--heartbeat", server.heartbeat, "Send a comment line on a stream idle for this long; 0 = never");
  add_duration(app, "--reconnect-time", server.reconnect_time, "How long a client waits before it reconnects");
  add_duration(app, "--reconnect-jitter", server.reconnect_jitter,
               "Random addition to --reconnect-time, so that clients do not all reconnect at once");
  add(app, "--keepalive-time", "Maximum lifetime of a stream, 0 = no limit (default: as the client asks)", "DURATION",
      "", [&server](const std::string& text) { server.keepalive_time = parse_duration(text); });
  add_count(app, "--client-max-connections", server.client_max_connections, 0, kMaxCount,
            "Maximum open streams of one user, clientId, origin and tenant; the oldest are closed; 0 = no limit");
  add_bytes(app, "--max-backlog", server.max_backlog, "Maximum bytes queued for a slow stream");
  add_choice(app, "--slow-consumer", "Over the backlog limit of a stream: close the stream, or drop the event for it",
             {"close", "drop"}, "close", [&server](const std::string& text) { server.drop_slow = text == "drop"; });
}

void declare_canary(cli::App& app, server::ServerOptions& server) {
  app.begin_group("Canary");
  add_duration(app, "--canary", server.canary_interval,
               "Send an event to itself through --canary-url this often, and measure until it arrives; 0 = never");
  app.add_option("--canary-url", server.canary_url,
                 "URL of a service at the public address, as pages use it, for the events of --canary")
      .type_name("URL");
  app.add_option("--canary-ca", server.canary_ca_file, "PEM certificates to trust there (default: those of the system)")
      .type_name("FILE");
}

void declare_qos(cli::App& app, server::ServerOptions& server) {
  app.begin_group("Messages sent with qos");
  app.add_option("--db", server.database,
                 "Database of pending messages, or :memory: (default: $XDG_STATE_HOME/sse-serve/pending.db)")
      .type_name("FILE");
  add_choice(app, "--qos-sync",
             "full: on disk before the sender gets its response; normal: survives kill -9, but not every power failure",
             {"full", "normal"}, "full", [&server](const std::string& text) { server.sync_full = text == "full"; });
  add_duration(app, "--qos-ttl", server.qos_ttl, "Time to live of an unconfirmed message");
  add_duration(app, "--qos-ack-timeout", server.qos_ack_timeout,
               "When a message is redelivered to a client that confirms by itself; 0: only when it reconnects");
  add_count(app, "--qos-max-per-user", server.qos_max_per_user, 1, kMaxCount,
            "Maximum pending messages of one recipient; a send beyond it fails");
  add_bytes(app, "--qos-max-bytes-per-user", server.qos_max_bytes_per_user, "Maximum size of their data; 0: no limit");
  add_count(app, "--qos-max-total", server.qos_max_total, 0, kMaxCount,
            "Maximum pending messages of all recipients, one for two recipients counted twice; 0: no limit");
  add_count(app, "--qos-replicas", server.qos_replicas, 0, 100,
            "With --cluster: accept a message when so many replicas of Redis have it, too");
  add_bytes(app, "--qos-max-total-bytes", server.qos_max_total_bytes, "Maximum size of their data; 0: no limit");
  add_count(app, "--qos-max-dead", server.qos_max_dead, 0, kMaxCount,
            "Maximum dead letters, which are expired messages ('ssectl messages dead'); the oldest are removed");
}

void declare_history(cli::App& app, delivery::HistoryOptions& history) {
  app.begin_group("Event history");
  add_count(app, "--history", history.events, 0, kMaxHistory,
            "Maximum events stored for each user, token, tenant and channel, and for those to all streams; 0 = none");
  add_bytes(app, "--history-bytes", history.bytes, "Maximum memory of all stored events, shared by the services");
  add_duration(app, "--history-ttl", history.ttl, "How long an event is stored");
}

void declare_admin(cli::App& app, server::ServerOptions& server) {
  app.begin_group("Admin API");
  app.add_option("--admin", server.admin,
                 "unix:PATH, for this user only; ADDR:PORT, with a token; or https://ADDR:PORT, with a token and the "
                 "certificate of --tls-cert (default: unix:$XDG_RUNTIME_DIR/sse-serve/admin.sock)")
      .type_name("ADDRESS");
  add_socket_file(app, "--admin", server.admin_socket_group, server.admin_socket_mode, "", "unix socket of --admin",
                  " (default: 0600, or 0660 with --admin-socket-group)");
  app.add_option("--admin-token-file", server.admin_token_file, "First line: the bearer token of the admin API")
      .type_name("FILE");
}

void declare_cluster(cli::App& app, server::ServerOptions& server) {
  app.begin_group("Cluster");
  app.add_option("--cluster", server.cluster,
                 "Join the cluster that uses this Redis, which also stores the pending messages")
      .type_name("redis://[USER:PASSWORD@]HOST:PORT/DB");
  app.add_option("--cluster-password-file", server.cluster_password_file, "First line: the password of Redis")
      .type_name("FILE");
  app.add_option("--cluster-ca", server.cluster_ca_file,
                 "With rediss:// and between servers: PEM file of the certificates to trust (default: the system's)")
      .type_name("FILE");
  app.add_option("--cluster-cert", server.cluster_certificate_file,
                 "PEM file with the certificate of this server, for a Redis that asks for one; with --discovery it "
                 "enables TLS between the servers, which check each other's; reloaded on SIGHUP")
      .type_name("FILE");
  app.add_option("--cluster-key", server.cluster_key_file,
                 "PEM file with the private key of --cluster-cert; reloaded on SIGHUP")
      .type_name("FILE");
  app.add_option("--cluster-tls-name", server.cluster_tls_name,
                 "Name in the certificate of Redis, or of every server (default: the host of the address)")
      .type_name("NAME");
  app.add_option("--cluster-prefix", server.cluster_prefix,
                 "Begins all keys and channels of the cluster in Redis, which may hold several clusters")
      .type_name("TEXT")
      .show_default();
  app.add_flag("--allow-redis-eviction", server.allow_redis_eviction,
               "Accept a Redis that evicts keys when it is full, which loses messages");
  app.add_option("--discovery", server.discovery,
                 "Join the cluster of the servers in Nacos or in this list, which call each other directly")
      .type_name("nacos://HOST:PORT/...|static:HOST:PORT,...");
  app.add_option("--discovery-password-file", server.discovery_password_file, "First line: the password of Nacos")
      .type_name("FILE");
  app.add_option("--discovery-access-key-file", server.discovery_access_key_file,
                 "First line: an access key of Nacos and its secret key, ACCESSKEY:SECRETKEY")
      .type_name("FILE");
  app.add_option("--discovery-ca", server.discovery_ca_file,
                 "With nacos+https://: PEM file of the certificates to trust (default: the system's)")
      .type_name("FILE");
  add_duration(app, "--discovery-timeout", server.discovery_timeout,
               "How long to try again at the start while Nacos cannot be used; then start alone");
  app.add_option("--cluster-listen", server.cluster_listen, "With --discovery: listener for the other servers")
      .type_name("ADDRESS:PORT");
  app.add_option("--cluster-advertise", server.cluster_advertise,
                 "Address at which the other servers reach it (default: as --cluster-listen)")
      .type_name("HOST:PORT");
  app.add_option("--cluster-secret-file", server.cluster_secret_file,
                 "First line: the shared secret of the servers; required with static:")
      .type_name("FILE");
}

void declare_limits(cli::App& app, server::ServerOptions& server) {
  app.begin_group("Limits");
  add_count(app, "--max-connections", server.max_connections, 1, kMaxCount,
            "Maximum connections (default: from the limit of file descriptors)", false);
  add_count(app, "--max-connections-per-ip", server.max_connections_per_ip, 0, kMaxCount,
            "Maximum connections from one IPv4 address or IPv6 /64 network; 0 = no limit");
  add_count(app, "--admin-max-connections", server.admin_max_connections, 1, kMaxCount,
            "Maximum connections to the admin API");
  add_count(app, "--cluster-max-connections", server.cluster_max_connections, 1, kMaxCount,
            "With --discovery: maximum connections from the other servers");
  add_count(app, "--max-tickets", server.max_tickets, 1, kMaxCount,
            "Maximum tickets that are neither redeemed nor expired; together they may take 1KiB each");
  add_bytes(app, "--max-body", server.max_body, "Maximum size of a page's request body");
  add_bytes(app, "--max-body-memory", server.max_body_memory,
            "Maximum memory for request bodies, for each listener; further ones wait on disk, then get 503");
  add_bytes(app, "--max-body-disk", server.max_body_disk,
            "Maximum size of the request bodies (over 64KiB) in --upload-dir");
  add_count(app, "--workers", server.workers, 1, kMaxThreads,
            "Maximum threads that handle requests of pages (default: 8 a core)", false);
  add_count(app, "--loops", server.loops, 1, kMaxThreads, "Event loop threads (default: one a core)", false);
}

void declare_application(cli::App& app, server::ServerOptions& server) {
  app.begin_group("The application");
  app.add_option("--hook", server.hook,
                 "URL that is called for connects, messages, uploads, disconnects and changed listeners")
      .type_name("URL");
  add_duration(app, "--hook-timeout", server.hook_timeout, "Timeout of a call of the hook");
  add_count(app, "--hook-queue", server.hook_queue, 1, kMaxCount, "Maximum queued notifications for the hook");
  add_count(app, "--outbox-limit", server.outbox_limit, 1, kMaxCount,
            "Maximum of delivery reports (of messages sent with notify) that the hook has not accepted; the oldest are "
            "dropped");
  add_count(app, "--hook-threads", server.hook_threads, 1, kMaxThreads,
            "Maximum concurrent calls for connects, and separately for messages and uploads");
  app.add_option("--hook-secret-file", server.hook_secret_file, "First line: the secret that signs calls of the hook")
      .type_name("FILE");
  app.add_flag("--hook-channels", server.hook_channels, "Also tell the hook which channels are occupied and vacated");
  add_choice(app, "--hook-uploads", "The hook gets files as paths, or in a multipart/form-data body",
             {"path", "multipart"}, "path",
             [&server](const std::string& text) { server.forward_uploads = text == "multipart"; });
  add_bytes(app, "--max-upload", server.max_upload, "Maximum size of the body of an upload");
  app.add_option("--upload-dir", server.upload_folder,
                 "Folder for uploads and large request bodies until they are answered (default: $TMPDIR or /tmp)")
      .type_name("DIR");
}

void declare_log(cli::App& app, observe::LogOptions& log) {
  app.begin_group("Log");
  app.add_option("--log-file", log.file, "Append to a file, reopened on SIGHUP (default: standard error)")
      .type_name("FILE");
  add(app, "--log-level", "debug, info, warn or error", "LEVEL", "info",
      [&log](const std::string& text) { log.level = observe::level_from_name(text); });
  add(app, "--log-format", "One line of text, or one JSON object, for each entry", "text|json", "text",
      [&log](const std::string& text) { log.format = observe::log_format_from_name(text); });
}

}  // namespace

std::unique_ptr<auth::Authenticator> make_authenticator(const Options& options) {
  if (options.auth == "header") return auth::make_header_authenticator();
  if (options.auth == "jwt") return auth::make_jwt_authenticator(options.jwt);
  if (options.auth == "webhook") return auth::make_webhook_authenticator(options.webhook);
  return nullptr;
}

void declare(cli::App& app, Options& options) {
  server::ServerOptions& server = options.server;
  app.begin_group("General");
  app.set_help_flag("-h,--help", "Show this help and exit");
  app.set_version_flag("-V,--version", std::string("sse-serve ") + base::kVersion, "Show the version and exit");
  app.set_config("-c,--config", "Read options from a file: a line 'demo = true' is --demo").type_name("FILE");
  app.add_flag("--check-config", options.check_config, "Check the options and the files they name, then exit")
      .not_configurable();
  app.add_flag("--connect", options.connect, "With --check-config: also try Redis and Nacos").not_configurable();
  app.add_flag("--print-config", options.print_config,
               "Print the value of each option and where it comes from, then exit")
      .not_configurable();
  declare_pages(app, options);
  declare_users(app, options);
  declare_channels(app, server);
  declare_jwt(app, options.jwt);
  declare_webhook(app, options.webhook);
  declare_streams(app, server);
  declare_canary(app, server);
  declare_qos(app, server);
  declare_history(app, server.history);
  declare_admin(app, server);
  declare_cluster(app, server);
  declare_application(app, server);
  declare_limits(app, server);
  declare_log(app, options.log);
  name_environment(app);
}

}  // namespace sse::serve
