#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/text.h"
#include "ssectl/commands/command.h"
#include "ssectl/conformance/publisher.h"
#include "ssectl/conformance/suite.h"
#include "ssectl/doctor/options.h"
#include "ssectl/doctor/own_server.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

struct Options {
  ProbeOptions probe;
  std::string publish;
};

int run(const Options& options, Context& context) {
  Suite::Options suite{options.probe.address(context.timeout())};
  suite.watch = options.probe.watch_time();
  std::optional<OwnServer> server;
  std::unique_ptr<Publisher> publisher;
  if (!options.publish.empty()) {
    publisher = publish_with(options.publish, context.timeout());
  } else if (context.names_a_server()) {
    server.emplace(context.client(), context.service());
    publisher = publish_through(*server);
  }
  context.out().note("testing " + printable(options.probe.url, 200) + ", with up to " + options.probe.watch +
                     " to wait for a heartbeat");
  Suite tested(std::move(suite), server ? &*server : nullptr, publisher.get());
  const api::Json report = run_cases(tested);
  context.out().result(report, describe_cases);
  return count_in(report, "failed") == 0 ? kDone : kFailed;
}

}  // namespace

Run declare_conformance(cli::App& app) {
  auto options = std::make_shared<Options>();
  options->probe.declare(app, "Of an event stream, such as https://push.example.org/my-sse/connect",
                         "How long to wait for a heartbeat at the end");
  app.add_option(
         "--publish", options->publish,
         "Makes an event: POST to this URL, or a shell command that reads its data and finds its name in $SSE_EVENT")
      .type_name("URL|COMMAND");
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
