#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "ssectl/commands/command.h"
#include "ssectl/conformance/publisher.h"
#include "ssectl/conformance/suite.h"
#include "ssectl/doctor/own_server.h"
#include "ssectl/input/headers.h"
#include "ssectl/input/urls.h"
#include "ssectl/input/values.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

struct Options {
  std::string url;
  std::vector<std::string> headers;
  std::string publish;
  std::string watch = "30s";
  bool insecure = false;
};

int run(const Options& options, Context& context) {
  Suite::Options suite;
  suite.url = parse_url("URL", options.url);
  suite.headers = read_headers(options.headers);
  suite.verify_certificate = !options.insecure;
  suite.timeout = context.timeout();
  suite.watch = duration_option("--for", options.watch);
  std::optional<OwnServer> server;
  std::unique_ptr<Publisher> publisher;
  if (!options.publish.empty()) {
    publisher = publish_with(options.publish, context.timeout());
  } else if (context.names_a_server()) {
    server.emplace(context.client(), context.service());
    publisher = publish_through(*server);
  }
  context.out().note("testing " + printable(options.url, 200) + "; this takes at least " + options.watch);
  Suite tested(std::move(suite), server ? &*server : nullptr, publisher.get());
  const api::Json report = run_cases(tested);
  context.out().result(report, describe_cases);
  return count_in(report, "failed") == 0 ? kDone : kFailed;
}

}  // namespace

Run declare_conformance(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("URL", options->url, "Of an event stream, such as https://push.example.org/my-sse/connect")
      .type_name("")
      .required();
  declare_headers(app, options->headers);
  app.add_option(
         "--publish", options->publish,
         "Makes an event: POST to this URL, or a shell command that reads its data and finds its name in $SSE_EVENT")
      .type_name("URL|COMMAND");
  app.add_option("--for", options->watch, "How long a stream is left alone").type_name("TIME").show_default();
  app.add_flag("--insecure", options->insecure, "Accept any certificate");
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
