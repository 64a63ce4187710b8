#pragma once

#include <memory>
#include <string>
#include <vector>

#include "auth/jwt_authenticator.h"
#include "auth/webhook_authenticator.h"
#include "cli/app.h"
#include "observe/log.h"
#include "server/server.h"

namespace sse::serve {

/// All settings of sse-serve, from the command line, the environment and the configuration file.
struct Options {
  server::ServerOptions server;
  observe::LogOptions log;
  std::vector<std::string> listen{server.listen};
  std::string auth = "demo";
  auth::JwtOptions jwt;
  auth::WebhookOptions webhook;
  /// --listen, where sockets of the service manager took its place.
  std::vector<std::string> replaced_listen;
  bool insecure = false;
  bool check_config = false;
  bool print_config = false;
  bool connect = false;
};

/// Of the environment variables that set options.
inline constexpr const char* kVariablePrefix = "SSE_SERVE_";

/// Declares all options on `app`; parsing fills `options`. Both must outlive the parse.
void declare(cli::App& app, Options& options);

/// Checks combinations of options and sets default paths, creating their folders. Throws Error(kInvalidArgument) that
/// names the options.
void complete(Options& options);

/// The options that may change while the server runs.
struct RuleOptions {
  std::vector<std::string> channel;  ///< --channel-rule
  std::vector<std::string> publish;  ///< --publish-rule
};
/// Reads them again, from the command line, the environment and the configuration file, which may have changed; all
/// other options are ignored. Throws Error(kInvalidArgument) if the options cannot be read.
RuleOptions read_rules(const std::vector<std::string>& arguments);

/// For --check-config --connect: tries the services that the server would use when it starts, and returns a sentence
/// for each that works. Throws Error as the start would. REQUIRES: complete().
std::vector<std::string> try_connections(const Options& options);

/// Creates the authenticator of --auth; null for --auth demo. Throws Error.
std::unique_ptr<auth::Authenticator> make_authenticator(const Options& options);

}  // namespace sse::serve
