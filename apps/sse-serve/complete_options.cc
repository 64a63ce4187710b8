// Checks combinations of options and sets defaults.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "auth/channel_rules.h"
#include "auth/secret_file.h"
#include "base/error.h"
#include "base/paths.h"
#include "base/text.h"
#include "net/listener.h"
#include "net/passed_sockets.h"
#include "net/tls_context.h"
#include "options.h"
#include "server/connection_check.h"

namespace sse::serve {
namespace {

// Creates the folder of a default path. It must not belong to another user.
void make_private_folder(const std::string& file) {
  const std::string folder = file.substr(0, file.rfind('/'));
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    throw system_error(errno, "cannot make the folder " + folder);
  struct stat status {};
  if (::lstat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid()) {
    throw Error(ErrorCode::kPermissionDenied,
                "the folder " + folder + " belongs to another user; choose another socket with --admin");
  }
}

void check_authentication(const Options& options) {
  const auto refuse = [](const std::string& sentence) { throw Error(ErrorCode::kInvalidArgument, sentence); };
  if (options.auth == "jwt") {
    const bool of_issuer = auth::finds_keys_of_issuer(options.jwt);
    if (!of_issuer && options.jwt.key_file.empty() && options.jwt.secret_file.empty()) {
      refuse(
          "--auth jwt checks signatures; give the keys with --jwt-key-file, a secret with --jwt-secret-file, or the "
          "URL "
          "of an OpenID provider with --jwt-issuer");
    }
    if (!of_issuer && !options.jwt.issuer_ca_file.empty())
      refuse("--jwt-issuer-ca is for a --jwt-issuer with https:// whose keys are read; leave out the key files");
    if (of_issuer) {
      auth::IssuerKeys::check(auth::issuer_options(options.jwt));
    } else {
      auth::make_jwt_authenticator(options.jwt);
    }
  } else if (!options.jwt.key_file.empty() || !options.jwt.secret_file.empty()) {
    refuse(std::string(options.jwt.key_file.empty() ? "--jwt-secret-file" : "--jwt-key-file") +
           " is for --auth jwt, not " + options.auth);
  }
  const auth::ChannelRules rules = auth::ChannelRules::parse(options.server.channel_rules);
  const auth::ChannelRule* const asks = rules.first(auth::ChannelRule::Who::kHook);
  if (asks != nullptr && options.server.hook.empty())
    refuse("--channel-rule '" + printable(asks->text, 120) + "' leaves channels to the application; give its --hook");
  const auth::ChannelRules publish =
      auth::ChannelRules::parse(options.server.publish_rules, auth::ChannelRule::Purpose::kPublish);
  const auth::ChannelRule* const asks_to_publish = publish.first(auth::ChannelRule::Who::kHook);
  if (asks_to_publish != nullptr && options.server.hook.empty()) {
    refuse("--publish-rule '" + printable(asks_to_publish->text, 120) +
           "' leaves channels to the application; give its --hook");
  }
  if (options.jwt.user_claim.empty()) refuse("--jwt-user-claim must name a claim");
  if (options.auth == "webhook") {
    if (options.webhook.url.empty()) refuse("--auth webhook calls a service; give its URL with --auth-url");
    if (options.webhook.timeout < std::chrono::milliseconds(10) || options.webhook.timeout > std::chrono::minutes(10))
      refuse("--auth-timeout must be from 10ms to 10m");
    auth::make_webhook_authenticator(options.webhook);
  } else if (!options.webhook.url.empty()) {
    refuse("--auth-url is for --auth webhook, not " + options.auth);
  }
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// Sockets of the service manager replace --listen; the one named `admin` replaces --admin.
void take_passed_sockets(Options& options) {
  std::vector<std::string> passed;
  std::string admin;
  for (const net::PassedSocket& socket : net::passed_sockets(environment("LISTEN_FDS"), environment("LISTEN_PID"),
                                                             environment("LISTEN_FDNAMES"), getpid())) {
    const std::string address = socket.address.str();
    if (socket.name == "admin") {
      if (!admin.empty())
        throw Error(ErrorCode::kInvalidArgument, "the service manager passed two sockets named admin; one is enough");
      admin = (options.server.admin.starts_with("https://") ? "https://" : "") + address;
    } else {
      passed.push_back(address);
    }
    options.server.open_sockets[address] = socket.fd;
  }
  if (!passed.empty()) {
    if (options.listen != std::vector{server::ServerOptions().listen}) options.replaced_listen = options.listen;
    options.listen = passed;
  }
  if (!admin.empty()) options.server.admin = admin;
}

// Checks the files that the server reads when it starts, for --check-config.
void check_secret_files(const server::ServerOptions& server) {
  const std::pair<const char*, const std::string&> files[] = {
      {"--admin-token-file", server.admin_token_file},
      {"--hook-secret-file", server.hook_secret_file},
      {"--cluster-password-file", server.cluster_password_file},
      {"--discovery-password-file", server.discovery_password_file},
      {"--discovery-access-key-file", server.discovery_access_key_file},
      {"--cluster-secret-file", server.cluster_secret_file}};
  for (const auto& [option, file] : files) {
    if (!file.empty()) auth::read_secret_file(file, option);
  }
}

}  // namespace

RuleOptions read_rules(const std::vector<std::string>& arguments) {
  cli::App app("", "sse-serve");
  Options options;
  declare(app, options);
  const cli::Outcome outcome = app.parse(arguments);
  if (outcome.kind != cli::Outcome::Kind::kParsed) throw Error(ErrorCode::kInvalidArgument, outcome.text);
  return {options.server.channel_rules, options.server.publish_rules};
}

void complete(Options& options) {
  server::ServerOptions& server = options.server;
  take_passed_sockets(options);
  if (options.listen.empty()) throw Error(ErrorCode::kInvalidArgument, "--listen names no address");
  server.listen = options.listen.front();
  server.also_listen.assign(options.listen.begin() + 1, options.listen.end());
  for (const std::string& listen : options.listen) {
    if (options.auth == "demo" && !net::ListenAddress::parse(listen).is_loopback() && !options.insecure) {
      throw Error(ErrorCode::kInvalidArgument,
                  "--auth demo lets any client be any user, and --listen " + listen +
                      " is reachable from other machines; choose another --auth, or give --insecure to allow this");
    }
  }
  if (options.auth == "header" && server.trusted_proxies.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "--auth header trusts a proxy; give its address with --trusted-proxy");
  }
  server.cluster_in_clear = options.insecure;
  check_authentication(options);
  server.authentication_blocks =
      options.auth == "webhook" || (options.auth == "jwt" && auth::finds_keys_of_issuer(options.jwt));
  server::check(server);
  // Without --check-config the server reads them when it starts.
  if (options.check_config && !server.tls_certificate.empty())
    const net::TlsContext readable(server.tls_certificate, server.tls_key);
  if (options.check_config) check_secret_files(server);
  if (options.connect && !options.check_config)
    throw Error(ErrorCode::kInvalidArgument, "--connect is for --check-config: give both");
  if (server.database.empty()) {
    server.database = default_database_path();
    server.make_database_folder = true;
  }
  if (server.admin.empty()) {
    if (!server.admin_socket_group.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "--admin-socket-group: the folder of the default socket is for one user only; name a socket that the "
                  "group can reach with --admin, such as unix:/run/sse-serve/admin.sock");
    }
    server.admin = default_admin_address();
    if (!options.check_config && !options.print_config)
      make_private_folder(server.admin.substr(server.admin.find(':') + 1));
  }
}

std::vector<std::string> try_connections(const Options& options) {
  std::vector<std::string> works = server::try_connections(options.server);
  if (options.auth == "jwt" && auth::finds_keys_of_issuer(options.jwt)) {
    const std::size_t count = auth::IssuerKeys::fetch(auth::issuer_options(options.jwt)).size();
    works.push_back("the issuer " + options.jwt.issuer + " publishes " + std::to_string(count) +
                    (count == 1 ? " key" : " keys"));
  }
  return works;
}

}  // namespace sse::serve
