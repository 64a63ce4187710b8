#pragma once

#include <memory>
#include <string>

#include "cli/app.h"
#include "gateway/jwt_authenticator.h"
#include "gateway/server.h"
#include "gateway/webhook_authenticator.h"
#include "observe/log.h"

namespace sse::serve {

/// Everything the command line, the environment and the configuration file say.
struct Options {
  gateway::ServerOptions server;
  observe::LogOptions log;
  std::string auth = "demo";
  gateway::JwtOptions jwt;
  gateway::WebhookOptions webhook;
  bool insecure = false;
  bool check_config = false;
};

/// Declares all options on `app`; parsing fills `options`. Both must outlive the parse.
void declare(cli::App& app, Options& options);

/// What single options cannot check, and the folders of the default paths. Throws Error(kInvalidArgument) that names
/// the options.
void complete(Options& options);

/// The authenticator of --auth; null for the demo's. Throws Error.
std::unique_ptr<gateway::Authenticator> make_authenticator(const Options& options);

}  // namespace sse::serve
