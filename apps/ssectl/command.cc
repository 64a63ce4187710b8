#include "command.h"

#include "base/error.h"
#include "base/paths.h"
#include "input.h"

namespace sse::ctl {
namespace {

Format format_from(const std::string& name) {
  if (name == "json") return Format::kJson;
  return name == "ndjson" ? Format::kNdjson : Format::kTable;
}

}  // namespace

void GlobalOptions::declare(CLI::App& app) {
  app.add_option("-s,--server", server,
                 "Admin address: unix:PATH, http[s]://HOST:PORT (default: the socket of your own sse-serve)")
      ->type_name("ADDRESS")
      ->envname("SSECTL_SERVER");
  app.add_option("--token-file", token_file, "File whose first line is the admin token")
      ->type_name("FILE")
      ->envname("SSECTL_TOKEN_FILE");
  app.add_option("--service", service, "Service meant, where the server hosts several")
      ->type_name("NAME")
      ->envname("SSECTL_SERVICE");
  app.add_option("-o,--output", output, "table, json (one document) or ndjson (a line each)")
      ->type_name("table|json|ndjson")
      ->capture_default_str()
      ->envname("SSECTL_OUTPUT")
      ->check(CLI::IsMember({"table", "json", "ndjson"}).description(""));
  app.add_option("--timeout", timeout, "Longest wait for the server, such as 500ms, 10s, 1m")
      ->type_name("DURATION")
      ->capture_default_str()
      ->envname("SSECTL_TIMEOUT");
  app.add_flag("--no-color", no_color, "No colour on a terminal either (as NO_COLOR=1)");
}

Context::Context(const GlobalOptions& options)
    : options_(options),
      out_(format_from(options.output), options.no_color),
      timeout_(duration_option("--timeout", options.timeout)) {
  if (timeout_ <= std::chrono::milliseconds::zero() || timeout_ > std::chrono::hours(24)) {
    throw Error(ErrorCode::kInvalidArgument,
                "--timeout must be more than 0 and at most 1d, not '" + options.timeout + "'");
  }
}

std::string Context::address() const {
  return options_.server.empty() ? default_admin_address() : options_.server;
}

std::string Context::token() const {
  return options_.token_file.empty() ? "" : read_token(options_.token_file);
}

api::Client& Context::client() {
  if (client_ == nullptr) {
    client_ = std::make_unique<api::Client>(api::ClientOptions{address(), token(), timeout_});
  }
  return *client_;
}

}  // namespace sse::ctl
