#include "options.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/paths.h"
#include "base/units.h"
#include "base/version.h"
#include "net/listener.h"

namespace sse::serve {
namespace {

// An option whose text is turned into a value by a function that throws sse::Error.
CLI::Option* add(CLI::App& app, const std::string& name, const std::string& help, const std::string& type,
                 const std::string& fallback, std::function<void(const std::string&)> take) {
  CLI::Option* option = app.add_option_function<std::string>(
      name,
      [name, take = std::move(take)](const std::string& text) {
        try {
          take(text);
        } catch (const Error& e) {
          throw CLI::ValidationError(name, e.what());
        }
      },
      help);
  option->type_name(type);
  if (!fallback.empty()) option->default_str(fallback);
  return option;
}

CLI::Option* add_duration(CLI::App& app, const std::string& name, std::chrono::milliseconds& value,
                          const std::string& help) {
  return add(app, name, help, "DURATION", format_duration(value),
             [&value](const std::string& text) { value = parse_duration(text); });
}

CLI::Option* add_bytes(CLI::App& app, const std::string& name, ByteCount& value, const std::string& help) {
  return add(app, name, help, "SIZE", format_bytes(value),
             [&value](const std::string& text) { value = parse_bytes(text); });
}

void set_services(gateway::ServerOptions& server, const std::vector<std::string>& texts) {
  server.services.clear();
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos)
      throw CLI::ValidationError("--service", "'" + text + "' is no NAME=PATH, such as hr=/hr-sse");
    server.services.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
}

// Every long option also from the environment: --max-backlog is SSE_SERVE_MAX_BACKLOG.
void name_environment(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_lnames().empty()) continue;
    const std::string& name = option->get_lnames().front();
    if (name == "help" || name == "version" || name == "config") continue;
    std::string variable = "SSE_SERVE_";
    for (const char c : name)
      variable += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    option->envname(variable);
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

}  // namespace

void declare(CLI::App& app, Options& options) {
  gateway::ServerOptions& server = options.server;
  app.set_version_flag("-V,--version", std::string("sse-serve ") + base::kVersion);
  app.set_config("-c,--config", "", "Read options from a file: one 'long-option = value' a line")->type_name("FILE");

  app.add_option("-l,--listen", server.listen, "Public listener; port 0 picks one and prints it")
      ->type_name("ADDR:PORT")
      ->capture_default_str();
  app.add_option_function<std::vector<std::string>>(
         "--service", [&server](const std::vector<std::string>& texts) { set_services(server, texts); },
         "A service to host; repeatable (default: defaultConnectionService=/my-sse)")
      ->type_name("NAME=PATH");
  app.add_flag("--demo", server.demo, "Push something to every online user every 3 seconds");
  app.add_flag_callback(
      "--no-page", [&server] { server.page = false; }, "No demo page at /");
  app.add_option("--web-root", server.web_root, "Serve these files at / instead of the demo page")->type_name("DIR");

  app.add_option("--db", server.database,
                 "Where messages accepted with qos are kept until confirmed, or :memory:\n(default: "
                 "$XDG_STATE_HOME/sse-serve/pending.db)")
      ->type_name("FILE");
  add(app, "--qos-sync",
      "full: on disk before a qos send is answered; normal: survives kill -9, but not every loss of power",
      "full|normal", "full", [&server](const std::string& text) {
        if (text != "full" && text != "normal")
          throw Error(ErrorCode::kInvalidArgument, "'" + text + "' is neither full nor normal");
        server.sync_full = text == "full";
      });
  add_duration(app, "--qos-ttl", server.qos_ttl, "How long an unconfirmed message is kept");
  app.add_option("--qos-max-per-user", server.qos_max_per_user,
                 "Most pending messages of one recipient; the sender of more gets an error")
      ->type_name("N")
      ->capture_default_str();

  app.add_option("--admin", server.admin,
                 "Admin API for ssectl: unix:PATH (mode 0600), or ADDR:PORT with --admin-token-file\n(default: "
                 "unix:$XDG_RUNTIME_DIR/sse-serve/admin.sock)")
      ->type_name("ADDRESS");
  app.add_option("--admin-token-file", server.admin_token_file, "First line: the bearer token the admin API asks for")
      ->type_name("FILE");

  app.add_option("--auth", options.auth,
                 "Who a user is. demo: the parameter userId; header: X-Sse-User from a --trusted-proxy")
      ->check(CLI::IsMember({"demo", "header"}))
      ->type_name("demo|header")
      ->capture_default_str();
  app.add_flag("--insecure", options.insecure, "Allow --auth demo on a listener that others can reach");
  app.add_option("--trusted-proxy", server.trusted_proxies,
                 "Address or network whose X-Forwarded-For is believed; repeatable")
      ->type_name("ADDR");
  app.add_option("--cors-origin", server.cors_origins, "Origin whose pages may use the services, or *; repeatable")
      ->type_name("ORIGIN");

  add_duration(app, "--reconnect-time", server.reconnect_time, "When clients come back after a lost stream");
  add(app, "--keepalive-time",
      "Longest life of a stream, 0 = no limit; set, it wins over the client's (default: the client's)", "DURATION", "",
      [&server](const std::string& text) { server.keepalive_time = parse_duration(text); });
  add_duration(app, "--heartbeat", server.heartbeat, "A comment goes out on a stream silent for so long, 0 = never");
  app.add_option("--client-max-connections", server.client_max_connections,
                 "Most live streams of one user + clientId + origin + tenant, 0 = no limit")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--max-connections", server.max_connections,
                 "Most connections in all (default: sized to the descriptor limit)")
      ->type_name("N");
  app.add_option("--max-connections-per-ip", server.max_connections_per_ip,
                 "Most connections of one address, 0 = no limit")
      ->type_name("N")
      ->capture_default_str();
  add_bytes(app, "--max-backlog", server.max_backlog, "Most bytes a slow stream may owe");
  add(app, "--slow-consumer", "What happens to a stream over its backlog: close it, or drop the event", "close|drop",
      "close", [&server](const std::string& text) {
        if (text != "close" && text != "drop")
          throw Error(ErrorCode::kInvalidArgument, "'" + text + "' is neither close nor drop");
        server.drop_slow = text == "drop";
      });
  add_bytes(app, "--max-body", server.max_body, "Largest request body of a page");
  app.add_option("--workers", server.workers, "Most threads that handle requests of pages (default: 8 a core)")
      ->type_name("N");
  app.add_option("--loops", server.loops, "Threads that own the streams (default: one a core)")->type_name("N");
  app.add_option("--server-id", server.server_id, "Name of this server in answers (default: host:port)")
      ->type_name("NAME");

  add(app, "--log-level", "debug, info, warn or error", "LEVEL", "info",
      [&options](const std::string& text) { options.log.level = observe::level_from_name(text); });
  add(app, "--log-format", "text or json", "text|json", "text",
      [&options](const std::string& text) { options.log.format = observe::log_format_from_name(text); });
  app.add_option("--log-file", options.log.file, "Append the log to a file, reopened on SIGHUP (default: stderr)")
      ->type_name("FILE");
  app.add_flag("--check-config", options.check_config, "Check the options, then exit");
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
  if (server.database.empty()) server.database = default_database_path();
  if (server.admin.empty()) {
    server.admin = default_admin_address();
    if (!options.check_config) make_private_folder(server.admin.substr(server.admin.find(':') + 1));
  }
}

}  // namespace sse::serve
