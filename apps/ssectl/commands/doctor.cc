#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "ssectl/commands/command.h"
#include "ssectl/doctor/examination.h"
#include "ssectl/doctor/options.h"
#include "ssectl/doctor/own_server.h"
#include "ssectl/doctor/report.h"

namespace sse::ctl {
namespace {

struct Options {
  ProbeOptions probe;
  std::string origin;
  std::string from;
};

ExaminationOptions examination_options(const Options& options, const Context& context) {
  ExaminationOptions result{options.probe.address(context.timeout())};
  result.page_origin = options.origin;
  result.local_address = options.from;
  result.watch = options.probe.watch_time();
  return result;
}

int run(const Options& options, Context& context) {
  const ExaminationOptions examined = examination_options(options, context);
  std::optional<OwnServer> server;
  if (context.names_a_server()) server.emplace(context.client(), context.service());
  Report report(options.probe.url);
  context.out().note("examining " + printable(options.probe.url, 200) + " for " + options.probe.watch);
  try {
    Examination(examined, server ? &*server : nullptr, report).run();
  } catch (const Error&) {
    // What was found before, such as a certificate that ended, explains it.
    if (report.findings() > 0) context.out().result(report.json(), describe_report);
    throw;
  }
  context.out().result(report.json(), describe_report);
  return report.findings() == 0 ? kDone : kFailed;
}

}  // namespace

Run declare_doctor(cli::App& app) {
  auto options = std::make_shared<Options>();
  options->probe.declare(app, "Of a service, such as https://push.example.org/my-sse, or of any event stream",
                         "How long a stream is left alone to see whether it is cut");
  app.add_option("--origin", options->origin, "Whether pages of this origin may read the stream").type_name("ORIGIN");
  app.add_option("--from", options->from, "Connect from this address of this machine").type_name("ADDRESS");
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
