#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "api/transport.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/units.h"
#include "base/url.h"
#include "ssectl/commands/command.h"
#include "ssectl/console/browser.h"
#include "ssectl/console/keys.h"
#include "ssectl/console/relay.h"
#include "ssectl/terminal/stopping.h"

namespace sse::ctl {
namespace {

using event::Json;

struct Options {
  std::uint64_t port = 0;
  bool open = false;
};

// Fails now, with a reason and an exit code, and not later in the browser.
void require_console(Context& context, const api::ClientOptions& server) {
  const std::string version = context.client().status().value("version", "");
  int status = 0;
  api::Transport(server).relay(
      {"GET", "/console/", {}, ""}, std::chrono::seconds(10),
      [&](const api::ForwardedResponse& head) {
        status = head.status;
        return false;
      },
      [](std::string_view) { return false; });
  if (status != 200) {
    throw Error(ErrorCode::kNotFound, "the server at " + server.address + " has no console (version " + version +
                                          "); update it, or use the other commands of ssectl");
  }
}

// True when a line was entered; `open` becomes false at the end of the input.
bool line_entered(bool& open) {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  // A background job that reads its terminal would be stopped.
  const bool background = ::isatty(STDIN_FILENO) != 0 && ::tcgetpgrp(STDIN_FILENO) != ::getpgrp();
  if (!open || background || ::poll(&input, 1, 0) <= 0) return false;
  char text[256];
  const ssize_t n = ::read(STDIN_FILENO, text, sizeof(text));
  open = n > 0;
  return open && std::string_view(text, static_cast<std::size_t>(n)).find('\n') != std::string_view::npos;
}

class Console {
 public:
  Console(Context& context, const Options& options, const api::ClientOptions& server)
      : context_(context), options_(options), relay_(server, static_cast<std::uint16_t>(options.port), keys_) {}

  int run(Stopping& stopping) {
    relay_.start();
    print_address();
    context_.out().note("open it within " + format_duration(ConsoleKeys::kTokenLifetime) +
                        ", once; Enter prints another one, Ctrl-C ends the console");
    for (bool open = true; !stopping.wait(100);) {
      if (line_entered(open)) print_address();
    }
    return kDone;
  }

 private:
  void print_address() {
    const WallTime expires = Clock::system().wall_now() + ConsoleKeys::kTokenLifetime;
    std::string url = relay_.origin() + "/console/#once=" + keys_.create_token();
    if (!context_.service().empty()) url += "&service=" + url_encode(context_.service().str());
    context_.out().result(Json{{"url", url}, {"expireTime", to_millis(expires)}}, url);
    if (!options_.open) return;
    try {
      window_ = std::make_unique<BrowserWindow>(url);
    } catch (const Error& e) {
      context_.out().note(e.what());
    }
  }

  Context& context_;
  const Options& options_;
  ConsoleKeys keys_;
  ConsoleRelay relay_;
  std::unique_ptr<BrowserWindow> window_;
};

int run(const Options& options, Context& context) {
  if (context.over_cluster()) {
    throw Error(ErrorCode::kInvalidArgument,
                "console needs a server, which also shows the others of its cluster; name it with --server");
  }
  Stopping stopping;
  api::ClientOptions server{context.address(), context.token(), context.timeout()};
  server.local = context.local();
  require_console(context, server);
  return Console(context, options, server).run(stopping);
}

}  // namespace

Run declare_console(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("-p,--port", options->port, "Port of 127.0.0.1 for the browser (default: a free one)")
      .type_name("PORT")
      .range(1, 65535);
  app.add_flag("--open", options->open, "Open the console in a browser (xdg-open)");
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
