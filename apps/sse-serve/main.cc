#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "base/version.h"
#include "cluster/redis/redis_address.h"
#include "observe/log.h"
#include "options.h"
#include "print_config.h"
#include "server/server.h"
#include "service_manager.h"

namespace {

using namespace sse;  // NOLINT(google-build-using-namespace): a program's main file

constexpr const char* kFooter =
    "Examples:\n"
    "  sse-serve --demo                       the demo on http://127.0.0.1:8080\n"
    "  sse-serve --service hr=/hr --service hunter=/hunter --no-page\n"
    "  sse-serve --listen 0.0.0.0:8080 --auth header --trusted-proxy 10.0.0.0/8\n"
    "  ssectl send -u 1 -q hello              in another terminal\n"
    "\n"
    "Durations: 250ms 15s 5m 2h 7d. Sizes: 512 64KiB 1MiB. Every option also from the\n"
    "environment (--max-backlog is SSE_SERVE_MAX_BACKLOG) and from the --config file;\n"
    "the command line wins over the file, and that over the environment.\n"
    "SIGTERM and SIGINT end politely, a second one at once; SIGHUP reopens the log\n"
    "and rereads tokens, keys, certificates and the rules for channels. Exit\n"
    "status: 0 done, 1 failed, 2 wrong usage, 5 not allowed. Manual: man sse-serve";

void print_addresses(const server::Server& server, const serve::Options& options) {
  std::string services;
  for (const auto& [name, path] : options.server.services)
    services += (services.empty() ? "" : ", ") + path + " (" + name + ")";
  const bool page = options.server.page || !options.server.web_root.empty();
  std::string urls;
  for (const std::string& url : server.urls()) urls += (urls.empty() ? "" : ", ") + url;
  std::printf("sse-serve %s on %s%s\n", base::kVersion, urls.c_str(), page ? "  (open it in a browser)" : "");
  std::printf("services  %s\n", services.c_str());
  const std::string& cluster = options.server.cluster;
  std::printf("pending   %s%s\n",
              cluster.empty() ? options.server.database.c_str() : cluster::parse_redis_address(cluster).str().c_str(),
              options.server.discovery.empty() ? "" : "  (of what this server accepts, for readers on any)");
  std::printf("admin     %s  (ssectl finds it there)\n", server.admin_address().c_str());
  std::fflush(stdout);
}

// Reopens the log and reloads the server's files and the rules for channels. One that fails does not keep the others
// from it.
void reload(server::Server& server, serve::ServiceManager& manager, const std::vector<std::string>& arguments) {
  manager.reloading();
  observe::reopen_log();
  bool failed = false;
  const auto attempt = [&failed](const auto& read) {
    try {
      read();
    } catch (const Error& e) {
      failed = true;
      observe::log_error("reload failed; the previous settings stay in use", {{"error", e.what()}});
    }
  };
  attempt([&] { server.reload(); });
  attempt([&] {
    const serve::RuleOptions rules = serve::read_rules(arguments);
    attempt([&] { server.set_channel_rules(rules.channel); });
    attempt([&] { server.set_publish_rules(rules.publish); });
  });
  if (!failed) observe::log_info("reloaded on SIGHUP");
  manager.ready(server);
}

// The next signal; 0 when `period` has passed. A period of 0 lasts for ever.
int next_signal(const sigset_t& signals, std::chrono::milliseconds period) {
  const timespec timeout{period.count() / 1000, period.count() % 1000 * 1'000'000};
  const int signal = period.count() == 0 ? sigwaitinfo(&signals, nullptr) : sigtimedwait(&signals, nullptr, &timeout);
  return std::max(signal, 0);
}

// Waits until SIGINT or SIGTERM requests a graceful stop; SIGHUP reloads.
void wait_for_stop(const sigset_t& signals, server::Server& server, serve::ServiceManager& manager,
                   const std::vector<std::string>& arguments) {
  const Clock& clock = Clock::system();
  SteadyTime next_tick = clock.steady_now() + manager.period();
  for (;;) {
    if (manager.period().count() != 0 && clock.steady_now() >= next_tick) {
      manager.tick(server);
      next_tick = clock.steady_now() + manager.period();
    }
    const int signal = next_signal(signals, manager.period());
    if (signal == 0) continue;
    if (signal == SIGHUP) {
      reload(server, manager, arguments);
      continue;
    }
    observe::log_info("stopping", {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
    return;
  }
}

// The text may quote files and responses from the network, so make it printable.
std::string shown(const std::exception& e) {
  return printable(e.what(), 4096);
}

int check_config(const cli::App& app, const serve::Options& options) {
  for (const std::string& sentence : app.unknown_environment(serve::kVariablePrefix))
    std::fprintf(stderr, "sse-serve: %s\n", sentence.c_str());
  if (options.print_config) {
    std::fputs(serve::print_config(app, options).c_str(), stdout);
    return 0;
  }
  if (options.connect) {
    for (const std::string& sentence : serve::try_connections(options)) std::puts(sentence.c_str());
  }
  std::puts("the configuration is fine");
  return 0;
}

int serve_until_stopped(const cli::App& app, serve::Options& options, const std::vector<std::string>& arguments) {
  serve::complete(options);
  if (options.check_config || options.print_config) return check_config(app, options);
  observe::init_logging(options.log);
  for (const std::string& sentence : app.unknown_environment(serve::kVariablePrefix))
    observe::log_warn("unknown variable in the environment", {{"reason", sentence}});

  // Block the signals in every thread; sigwait() receives them in this one.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  serve::ServiceManager manager;
  server::Server server(options.server, serve::make_authenticator(options));
  server.start();
  print_addresses(server, options);
  for (const std::string& listen : options.replaced_listen) {
    observe::log_warn("--listen is not used: the service manager passed its own sockets", {{"listen", listen}});
  }
  observe::log_info("serving", {{"url", server.url()}, {"server", server.server_id()}});
  manager.ready(server);
  wait_for_stop(signals, server, manager, arguments);
  manager.stopping();
  std::thread([signals] {
    int signal = 0;
    do {
      sigwait(&signals, &signal);
    } while (signal == SIGHUP);
    _exit(1);
  }).detach();
  server.stop();
  observe::log_info("stopped");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  cli::App app{"Holds the event streams of a site's users and delivers to them.", "sse-serve"};
  app.wrap_help(cli::App::Environment::kOmitted);
  app.footer(kFooter);
  serve::Options options;
  options.server.database.clear();
  serve::declare(app, options);
  try {
    std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
    if (arguments.size() == 1 && (arguments[0] == "help" || arguments[0] == "version")) arguments[0].insert(0, "--");
    const cli::Outcome outcome = app.parse(arguments);
    switch (outcome.kind) {
      case cli::Outcome::Kind::kParsed:
        return serve_until_stopped(app, options, arguments);
      case cli::Outcome::Kind::kPrint:
        std::fputs(outcome.text.c_str(), stdout);
        return 0;
      case cli::Outcome::Kind::kUnreadableFile:
        std::fprintf(stderr, "sse-serve: cannot read the file of --config %s\n", printable(outcome.text, 4096).c_str());
        return 2;
      case cli::Outcome::Kind::kInvalidFile:
      case cli::Outcome::Kind::kMisuse:
        std::fprintf(stderr, "sse-serve: %s%s sse-serve --help\n", printable(outcome.text, 4096).c_str(),
                     outcome.text.ends_with('?') ? " See" : "; see");
        return 2;
    }
    return 1;
  } catch (const Error& e) {
    std::fprintf(stderr, "sse-serve: %s\n", shown(e).c_str());
    return exit_code(e.code());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "sse-serve: %s\n", shown(e).c_str());
    return 1;
  }
}
