#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "ssectl/commands/command.h"
#include "ssectl/doctor/examination.h"
#include "ssectl/doctor/own_server.h"
#include "ssectl/doctor/report.h"
#include "ssectl/input/headers.h"
#include "ssectl/input/urls.h"
#include "ssectl/input/values.h"

namespace sse::ctl {
namespace {

struct Options {
  std::string url;
  std::vector<std::string> headers;
  std::string origin;
  std::string from;
  std::string watch = "30s";
  bool insecure = false;
};

ExaminationOptions examination_options(const Options& options, const Context& context) {
  ExaminationOptions result;
  result.url = parse_url("URL", options.url);
  result.headers = read_headers(options.headers);
  result.page_origin = options.origin;
  result.local_address = options.from;
  result.verify_certificate = !options.insecure;
  result.watch = duration_option("--for", options.watch);
  if (result.watch < std::chrono::seconds(1) || result.watch > std::chrono::hours(24))
    throw Error(ErrorCode::kInvalidArgument, "--for must be from 1s to 1d, not '" + options.watch + "'");
  result.timeout = context.timeout();
  return result;
}

int run(const Options& options, Context& context) {
  const ExaminationOptions examined = examination_options(options, context);
  std::optional<OwnServer> server;
  if (context.names_a_server()) server.emplace(context.client(), context.service());
  Report report(options.url);
  context.out().note("examining " + printable(options.url, 200) + " for " + options.watch);
  try {
    Examination(examined, server ? &*server : nullptr, report).run();
  } catch (const Error&) {
    // What was found before, such as a certificate that ended, explains it.
    if (report.findings() > 0) context.out().result(report.json(), describe_report);
    throw;
  }
  context.out().result(report.json(), describe_report);
  if (report.findings() == 0) return kDone;
  return kFailed;
}

}  // namespace

Run declare_doctor(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("URL", options->url, "Of a service, such as https://push.example.org/my-sse, or of any event stream")
      .type_name("")
      .required();
  declare_headers(app, options->headers);
  app.add_option("--origin", options->origin, "Whether pages of this origin may read the stream").type_name("ORIGIN");
  app.add_option("--from", options->from, "Connect from this address of this machine").type_name("ADDRESS");
  app.add_option("--for", options->watch, "How long a stream is left alone to see whether it is cut")
      .type_name("TIME")
      .show_default();
  app.add_flag("--insecure", options->insecure, "Go on with a certificate that is not trusted");
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
