#include "options.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/paths.h"
#include "base/text.h"
#include "base/units.h"
#include "base/version.h"
#include "gateway/secret_file.h"
#include "net/listener.h"
#include "net/tls_context.h"

namespace sse::serve {
namespace {

constexpr std::size_t kMostCount = 1'000'000'000;
constexpr std::size_t kMostThreads = 1000;
constexpr std::size_t kMostHistory = 1'000'000;

// An option whose text is turned into a value by a function that throws sse::Error.
void add(cli::App& app, const std::string& name, const std::string& help, const std::string& type,
         const std::string& fallback, std::function<void(const std::string&)> take) {
  cli::Option option = app.add_text(name, std::move(take), help).type_name(type);
  if (!fallback.empty()) option.default_str(fallback);
}

void add_duration(cli::App& app, const std::string& name, std::chrono::milliseconds& value, const std::string& help) {
  add(app, name, help, "DURATION", format_duration(value),
      [&value](const std::string& text) { value = parse_duration(text); });
}

void add_bytes(cli::App& app, const std::string& name, ByteCount& value, const std::string& help) {
  add(app, name, help, "SIZE", format_bytes(value), [&value](const std::string& text) { value = parse_bytes(text); });
}

// CLI11 itself would take -1 for a very large number.
void add_count(cli::App& app, const std::string& name, std::size_t& value, std::size_t least, std::size_t most,
               const std::string& help, bool show_default = true) {
  add(app, name, help, "N", show_default ? std::to_string(value) : "", [&value, least, most](const std::string& text) {
    std::size_t number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || stop != text.data() + text.size() || number < least || number > most) {
      throw Error(ErrorCode::kInvalidArgument, "'" + printable(text, 40) + "' is no whole number from " +
                                                   std::to_string(least) + " to " + std::to_string(most));
    }
    value = number;
  });
}

void add_choice(cli::App& app, const std::string& name, const std::string& help,
                const std::vector<std::string>& choices, const std::string& fallback,
                std::function<void(const std::string&)> take) {
  std::string listed;
  for (const std::string& choice : choices) listed += (listed.empty() ? "" : "|") + choice;
  add(app, name, help, listed, fallback, [choices, listed, take = std::move(take)](const std::string& text) {
    if (std::ranges::find(choices, text) == choices.end())
      throw Error(ErrorCode::kInvalidArgument, "'" + printable(text, 40) + "' is none of " + listed);
    take(text);
  });
}

void set_services(gateway::ServerOptions& server, const std::vector<std::string>& texts) {
  server.services.clear();
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos)
      throw Error(ErrorCode::kInvalidArgument, "'" + printable(text, 80) + "' is no NAME=PATH, such as hr=/hr-sse");
    server.services.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
}

// Every long option also from the environment: --max-backlog is SSE_SERVE_MAX_BACKLOG.
void name_environment(cli::App& app) {
  for (cli::Option& option : app.options()) {
    const std::vector<std::string> names = option.long_names();
    if (names.empty()) continue;
    const std::string& name = names.front();
    if (name == "help" || name == "version" || name == "config") continue;
    std::string variable = "SSE_SERVE_";
    for (const char c : name)
      variable += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    // A variable holds one text only: what may be repeated may be a list, there and everywhere.
    option.envname(variable).list_separator(',');
  }
}

// The folder of a default path is ours to make; it must not be somebody else's.
void make_private_folder(const std::string& file) {
  const std::string folder = file.substr(0, file.rfind('/'));
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    throw system_error(errno, "cannot make the folder " + folder);
  struct stat status {};
  if (::lstat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid()) {
    throw Error(ErrorCode::kPermissionDenied,
                "the folder " + folder + " belongs to somebody else; choose another socket with --admin");
  }
}

void declare_pages(cli::App& app, Options& options) {
  gateway::ServerOptions& server = options.server;
  app.begin_group("Pages and services");
  app.add_option("-l,--listen", server.listen, "Public listener; port 0 picks one and prints it")
      .type_name("ADDR:PORT")
      .show_default();
  app.add_option("--tls-cert", server.tls_certificate,
                 "PEM file with its certificate and those of the issuers: it speaks TLS; reread on SIGHUP")
      .type_name("FILE");
  app.add_option("--tls-key", server.tls_key, "PEM file with the private key of --tls-cert; reread on SIGHUP")
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
  app.add_option("--cors-origin", server.cors_origins, "Origin whose pages may use the services, or *; repeatable")
      .type_name("ORIGIN");
  app.add_option(
         "--allowed-host", server.allowed_hosts,
         "With --auth demo: name that requests may have in Host, beside IP addresses, localhost and the hosts of "
         "--cors-origin, or *; repeatable")
      .type_name("HOST");
  app.add_flag("--enable-get-json", server.enable_get_json,
               "Let pages ask who is online: connect/users.json, connections.json, repositoryMessages.json");
  app.add_option("--server-id,--node-id", server.server_id,
                 "Name of this server in its answers and its cluster (default: host:port)")
      .type_name("NAME");
}

void declare_users(cli::App& app, Options& options) {
  app.begin_group("Who a user is");
  add_choice(app, "--auth",
             "demo: the parameter userId, for your own machine; header: X-Sse-User of a trusted proxy; jwt: signed "
             "tokens; webhook: a service is asked",
             {"demo", "header", "jwt", "webhook"}, "demo",
             [&options](const std::string& text) { options.auth = text; });
  app.add_flag("--insecure", options.insecure, "Allow --auth demo on a listener that others can reach");
  app.add_option("--trusted-proxy", options.server.trusted_proxies,
                 "Address or network whose X-Forwarded-For, Forwarded and X-Sse-User are believed; repeatable")
      .type_name("ADDR");
}

void declare_jwt(cli::App& app, gateway::JwtOptions& jwt) {
  app.begin_group("Who a user is: --auth jwt");
  const auto text = [&](const char* name, std::string& value, const char* type, const char* help) {
    cli::Option option = app.add_option(name, value, help).type_name(type);
    if (!value.empty()) option.show_default();
  };
  text("--jwt-key-file", jwt.key_file, "FILE", "A JWKS document, or PEM public keys or certificates; reread on SIGHUP");
  text("--jwt-secret-file", jwt.secret_file, "FILE",
       "A secret of HS256 and its like, at least 32 bytes as they are or as base64:TEXT; reread on SIGHUP");
  text("--jwt-issuer", jwt.issuer, "TEXT", "The iss a token must have (default: any)");
  app.add_option("--jwt-audience", jwt.audience,
                 "An aud a token may be for (default: tokens for nobody in particular); repeatable")
      .type_name("TEXT");
  text("--jwt-user-claim", jwt.user_claim, "NAME", "Claim with the user id");
  text("--jwt-tenant-claim", jwt.tenant_claim, "NAME", "Claim with the tenant id");
  text("--jwt-token-claim", jwt.token_claim, "NAME", "Claim with the access token that sends may name");
  text("--jwt-cookie", jwt.cookie, "NAME", "Cookie that may hold the token, too");
  add_duration(app, "--jwt-leeway", jwt.leeway, "By how much clocks may differ");
}

void declare_webhook(cli::App& app, gateway::WebhookOptions& webhook) {
  app.begin_group("Who a user is: --auth webhook");
  app.add_option("--auth-url", webhook.url, "Service that is asked with a page's Cookie and Authorization headers")
      .type_name("URL");
  add_duration(app, "--auth-timeout", webhook.timeout, "Longest wait for its answer");
  add_duration(app, "--auth-cache", webhook.cache, "How long an answer is believed; 0 = it is asked every time");
  app.add_option("--auth-parameter", webhook.parameters,
                 "Parameter that is passed on (default: access-token, userId, tenantId); repeatable")
      .type_name("NAME");
}

void declare_streams(cli::App& app, gateway::ServerOptions& server) {
  app.begin_group("Streams");
  add_duration(app, "--heartbeat", server.heartbeat, "A comment goes out on a stream silent for so long; 0 = never");
  add_duration(app, "--reconnect-time", server.reconnect_time, "When clients come back after a lost stream");
  add_duration(app, "--reconnect-jitter", server.reconnect_jitter,
               "Each client comes back up to so much later, so that a restart brings no storm");
  add(app, "--keepalive-time", "Longest life of a stream, 0 = no limit (default: what the client asks for)", "DURATION",
      "", [&server](const std::string& text) { server.keepalive_time = parse_duration(text); });
  add_count(app, "--client-max-connections", server.client_max_connections, 0, kMostCount,
            "Most live streams of one user, clientId, origin and tenant, the oldest are closed; 0 = no limit");
  add_bytes(app, "--max-backlog", server.max_backlog, "Most bytes a slow stream may owe");
  add_choice(app, "--slow-consumer", "What happens to a stream over its backlog: it is closed, or misses the event",
             {"close", "drop"}, "close", [&server](const std::string& text) { server.drop_slow = text == "drop"; });
}

void declare_qos(cli::App& app, gateway::ServerOptions& server) {
  app.begin_group("Messages sent with qos");
  app.add_option("--db", server.database,
                 "Where they are kept until confirmed, or :memory: (default: $XDG_STATE_HOME/sse-serve/pending.db)")
      .type_name("FILE");
  add_choice(app, "--qos-sync",
             "full: on disk before a send is answered; normal: survives kill -9, but not every loss of power",
             {"full", "normal"}, "full", [&server](const std::string& text) { server.sync_full = text == "full"; });
  add_duration(app, "--qos-ttl", server.qos_ttl, "How long an unconfirmed message is kept");
  add_duration(app, "--qos-ack-timeout", server.qos_ack_timeout,
               "Sent again when a client that confirms by itself has not done so; 0: at its next connect only");
  add_count(app, "--qos-max-per-user", server.qos_max_per_user, 1, kMostCount,
            "Most pending messages of one recipient; the sender of more gets an error");
  add_bytes(app, "--qos-max-bytes-per-user", server.qos_max_bytes_per_user, "Most bytes they may have; 0: no limit");
  add_count(app, "--qos-max-total", server.qos_max_total, 0, kMostCount,
            "Most pending messages in all, one for two recipients counted twice; 0: no limit");
  add_bytes(app, "--qos-max-total-bytes", server.qos_max_total_bytes, "Most bytes they may have; 0: no limit");
  add_count(app, "--qos-max-dead", server.qos_max_dead, 0, kMostCount,
            "Expired messages that are kept to be looked at ('ssectl messages dead'); the oldest go");
}

void declare_history(cli::App& app, delivery::HistoryOptions& history) {
  app.begin_group("Events kept for clients that come back");
  add_count(app, "--history", history.events, 0, kMostHistory,
            "Most events kept for each user, token, tenant and channel, and for all together; 0 = none");
  add_bytes(app, "--history-bytes", history.bytes, "Most memory of all kept events, shared by the services");
  add_duration(app, "--history-ttl", history.ttl, "How long an event is kept");
}

void declare_admin(cli::App& app, gateway::ServerOptions& server) {
  app.begin_group("Admin API");
  app.add_option(
         "--admin", server.admin,
         "unix:PATH, for this user only, or ADDR:PORT with a token, or https://ADDR:PORT with the certificate of "
         "--tls-cert, too (default: unix:$XDG_RUNTIME_DIR/sse-serve/admin.sock)")
      .type_name("ADDRESS");
  app.add_option("--admin-token-file", server.admin_token_file, "First line: the bearer token the admin API asks for")
      .type_name("FILE");
}

void declare_cluster(cli::App& app, gateway::ServerOptions& server) {
  app.begin_group("Cluster");
  app.add_option("--cluster", server.cluster,
                 "Join the servers that meet in this Redis, which keeps their pending messages, too")
      .type_name("redis://[:PASSWORD@]HOST:PORT/DB");
  app.add_option("--cluster-password-file", server.cluster_password_file, "First line: the password of Redis")
      .type_name("FILE");
  app.add_flag("--allow-redis-eviction", server.allow_redis_eviction,
               "Start also where Redis throws keys away when it is full, which loses messages");
  app.add_option("--discovery", server.discovery,
                 "Join the servers that Nacos knows, or that are at known addresses; they talk to each other directly")
      .type_name("nacos://HOST:PORT/...|static:HOST:PORT,...");
  app.add_option("--discovery-password-file", server.discovery_password_file, "First line: the password of Nacos")
      .type_name("FILE");
  app.add_option("--cluster-listen", server.cluster_listen, "With --discovery: listener for the other servers")
      .type_name("ADDRESS:PORT");
  app.add_option("--cluster-advertise", server.cluster_advertise,
                 "Where the other servers reach it (default: as --cluster-listen)")
      .type_name("HOST:PORT");
  app.add_option("--cluster-secret-file", server.cluster_secret_file,
                 "First line: the secret servers show each other; needed with static:")
      .type_name("FILE");
}

void declare_limits(cli::App& app, gateway::ServerOptions& server) {
  app.begin_group("Limits");
  add_count(app, "--max-connections", server.max_connections, 1, kMostCount,
            "Most connections in all (default: sized to the descriptor limit)", false);
  add_count(app, "--max-connections-per-ip", server.max_connections_per_ip, 0, kMostCount,
            "Most connections of one IPv4 address or IPv6 /64 network; 0 = no limit");
  add_count(app, "--admin-max-connections", server.admin_max_connections, 1, kMostCount,
            "Most connections of the admin API");
  add_count(app, "--cluster-max-connections", server.cluster_max_connections, 1, kMostCount,
            "With --discovery: most connections of the other servers");
  add_bytes(app, "--max-body", server.max_body, "Largest request body of a page");
  add_bytes(app, "--max-body-memory", server.max_body_memory,
            "Most memory for request bodies, of each listener; what finds none waits, then gets 503");
  add_bytes(app, "--max-body-disk", server.max_body_disk,
            "Most request bodies over 64KiB that wait in --upload-dir, in bytes");
  add_count(app, "--workers", server.workers, 1, kMostThreads,
            "Most threads that handle requests of pages (default: 8 a core)", false);
  add_count(app, "--loops", server.loops, 1, kMostThreads, "Threads that own the streams (default: one a core)", false);
}

void declare_application(cli::App& app, gateway::ServerOptions& server) {
  app.begin_group("The application");
  app.add_option("--hook", server.hook,
                 "URL that is asked about connects, messages and uploads, and told who left and listens to what")
      .type_name("URL");
  add_duration(app, "--hook-timeout", server.hook_timeout, "Longest wait for one answer of the hook");
  add_count(app, "--hook-queue", server.hook_queue, 1, kMostCount, "Most notifications that may wait for the hook");
  add_count(app, "--hook-threads", server.hook_threads, 1, kMostThreads,
            "Most connects, and again most other requests, that wait for the application at a time");
  app.add_option("--hook-secret-file", server.hook_secret_file, "First line: the secret that signs calls of the hook")
      .type_name("FILE");
  add_choice(app, "--hook-uploads", "Files go to the hook by path, or in a multipart/form-data body",
             {"path", "multipart"}, "path",
             [&server](const std::string& text) { server.forward_uploads = text == "multipart"; });
  add_bytes(app, "--max-upload", server.max_upload, "Largest body of an upload");
  app.add_option(
         "--upload-dir", server.upload_folder,
         "Folder where uploads and large request bodies wait until they are answered (default: $TMPDIR or /tmp)")
      .type_name("DIR");
}

void declare_log(cli::App& app, observe::LogOptions& log) {
  app.begin_group("Log");
  app.add_option("--log-file", log.file, "Append to a file, reopened on SIGHUP (default: standard error)")
      .type_name("FILE");
  add(app, "--log-level", "debug, info, warn or error", "LEVEL", "info",
      [&log](const std::string& text) { log.level = observe::level_from_name(text); });
  add(app, "--log-format", "One line of text, or one JSON object, an entry", "text|json", "text",
      [&log](const std::string& text) { log.format = observe::log_format_from_name(text); });
}

void check_authentication(const Options& options) {
  const auto bad = [](const std::string& sentence) { throw Error(ErrorCode::kInvalidArgument, sentence); };
  if (options.auth == "jwt") {
    if (options.jwt.key_file.empty() && options.jwt.secret_file.empty())
      bad("--auth jwt checks signatures; name the keys with --jwt-key-file, or a secret with --jwt-secret-file");
    gateway::make_jwt_authenticator(options.jwt);
  } else if (!options.jwt.key_file.empty() || !options.jwt.secret_file.empty()) {
    bad(std::string(options.jwt.key_file.empty() ? "--jwt-secret-file" : "--jwt-key-file") +
        " is for --auth jwt, not " + options.auth);
  }
  if (options.jwt.user_claim.empty()) bad("--jwt-user-claim must name a claim");
  if (options.auth == "webhook") {
    if (options.webhook.url.empty()) bad("--auth webhook asks a service; name it with --auth-url");
    if (options.webhook.timeout < std::chrono::milliseconds(10) || options.webhook.timeout > std::chrono::minutes(10))
      bad("--auth-timeout must be from 10ms to 10m");
    gateway::make_webhook_authenticator(options.webhook);
  } else if (!options.webhook.url.empty()) {
    bad("--auth-url is for --auth webhook, not " + options.auth);
  }
}

// What the server itself reads when it starts.
void check_secret_files(const gateway::ServerOptions& server) {
  const std::pair<const char*, const std::string&> files[] = {
      {"--admin-token-file", server.admin_token_file},
      {"--hook-secret-file", server.hook_secret_file},
      {"--cluster-password-file", server.cluster_password_file},
      {"--discovery-password-file", server.discovery_password_file},
      {"--cluster-secret-file", server.cluster_secret_file}};
  for (const auto& [option, file] : files) {
    if (!file.empty()) gateway::read_secret_file(file, option);
  }
}

}  // namespace

std::unique_ptr<gateway::Authenticator> make_authenticator(const Options& options) {
  if (options.auth == "header") return gateway::make_header_authenticator();
  if (options.auth == "jwt") return gateway::make_jwt_authenticator(options.jwt);
  if (options.auth == "webhook") return gateway::make_webhook_authenticator(options.webhook);
  return nullptr;
}

void declare(cli::App& app, Options& options) {
  gateway::ServerOptions& server = options.server;
  app.begin_group("General");
  app.set_help_flag("-h,--help", "Show this help and exit");
  app.set_version_flag("-V,--version", std::string("sse-serve ") + base::kVersion, "Show the version and exit");
  app.set_config("-c,--config", "Read options from a file: a line 'demo = true' is --demo").type_name("FILE");
  app.add_flag("--check-config", options.check_config, "Check the options, then exit");
  declare_pages(app, options);
  declare_users(app, options);
  declare_jwt(app, options.jwt);
  declare_webhook(app, options.webhook);
  declare_streams(app, server);
  declare_qos(app, server);
  declare_history(app, server.history);
  declare_admin(app, server);
  declare_cluster(app, server);
  declare_application(app, server);
  declare_limits(app, server);
  declare_log(app, options.log);
  name_environment(app);
}

void complete(Options& options) {
  gateway::ServerOptions& server = options.server;
  const net::ListenAddress listen = net::ListenAddress::parse(server.listen);
  if (listen.is_unix())
    throw Error(ErrorCode::kInvalidArgument, "--listen takes ADDR:PORT; a unix socket is for --admin");
  if (options.auth == "demo" && !listen.is_loopback() && !options.insecure) {
    throw Error(ErrorCode::kInvalidArgument,
                "--auth demo lets anybody be any user, and --listen " + server.listen +
                    " can be reached by others; choose another --auth, or say --insecure if that is meant");
  }
  if (options.auth == "header" && server.trusted_proxies.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "--auth header believes a proxy; name it with --trusted-proxy");
  }
  check_authentication(options);
  server.authentication_blocks = options.auth == "webhook";
  gateway::check(server);
  // The server itself looks when it starts.
  if (options.check_config && !server.tls_certificate.empty())
    const net::TlsContext readable(server.tls_certificate, server.tls_key);
  if (options.check_config) check_secret_files(server);
  if (server.database.empty()) {
    server.database = default_database_path();
    server.make_database_folder = true;
  }
  if (server.admin.empty()) {
    server.admin = default_admin_address();
    if (!options.check_config) make_private_folder(server.admin.substr(server.admin.find(':') + 1));
  }
}

}  // namespace sse::serve
