#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "ssectl/commands/command.h"
#include "ssectl/doctor/examination.h"
#include "ssectl/doctor/own_server.h"
#include "ssectl/doctor/report.h"
#include "ssectl/input/files.h"
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

void add_header(const std::string& line, std::vector<std::pair<std::string, std::string>>& headers) {
  const std::size_t colon = line.find(':');
  if (colon == std::string::npos || colon == 0 || line.find_first_of(" \t") < colon ||
      line.find_first_of("\r\n") != std::string::npos) {
    throw Error(ErrorCode::kInvalidArgument, "--header must be 'NAME: VALUE', or @FILE with such lines, not '" +
                                                 printable(line.substr(0, colon), 40) + "'");
  }
  headers.emplace_back(line.substr(0, colon), trim_blanks(line.substr(colon + 1)));
}

// As curl does, so that a secret need not stand in the command line, where every user of the machine can read it.
void add_headers(const std::string& given, std::vector<std::pair<std::string, std::string>>& headers) {
  if (!given.starts_with('@')) return add_header(given, headers);
  for (std::string line : split_list(read_file(given.substr(1)), '\n')) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) add_header(line, headers);
  }
}

ExaminationOptions examination_options(const Options& options, const Context& context) {
  ExaminationOptions result;
  result.url = parse_url("URL", options.url);
  for (const std::string& header : options.headers) add_headers(header, result.headers);
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
  app.add_option("-H,--header", options->headers,
                 "Header of each request, 'NAME: VALUE', or @FILE with such lines; repeatable")
      .type_name("HEADER")
      .one_value_each();
  app.add_option("--origin", options->origin, "Whether pages of this origin may read the stream").type_name("ORIGIN");
  app.add_option("--from", options->from, "Connect from this address of this machine").type_name("ADDRESS");
  app.add_option("--for", options->watch, "How long a stream is left alone to see whether it is cut")
      .type_name("TIME")
      .show_default();
  app.add_flag("--insecure", options->insecure, "Go on with a certificate that is not trusted");
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
