#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "base/trace_context.h"
#include "event/event.h"
#include "ssectl/commands/command.h"
#include "ssectl/commands/send_lines.h"
#include "ssectl/input/files.h"
#include "ssectl/input/target_options.h"
#include "ssectl/input/values.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {
namespace {

using std::chrono_literals::operator""ms;

constexpr const char* kDemoPayload = R"({"name":"sendByUserId ssectl"})";

struct Options {
  TargetOptions target;
  bool listening = false;
  std::string event = std::string(api::kDefaultEvent);
  bool qos = false;
  std::string ttl;
  std::string key;
  std::string collapse;
  bool notify = false;
  std::string wait;
  std::string except;
  std::string traceparent;
  std::string data;
  std::string file;
  bool lines = false;
  cli::Option data_given;
};

std::string data_from(const Options& options, const Context& context) {
  if (!options.file.empty()) return read_file(options.file);
  if (options.data_given.given()) return options.data == "-" ? read_file("-") : options.data;
  return piped_input(context.timeout()).value_or(kDemoPayload);
}

// Reads the targets, of which one was given.
void read_recipients(const Options& options, api::SendRequest& request) {
  request.also = options.target.targets();
  for (event::Target& target : request.also) target.listening = options.listening;
  request.target = std::move(request.also.front());
  request.also.erase(request.also.begin());
  request.except = options.except;
  event::normalize({request.target, request.also, request.except}, options.qos);
}

api::SendRequest request_from(const Options& options, const Context& context) {
  api::SendRequest request;
  if (options.target.targets().empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "the recipient is missing; give one of --user, --tenant, --token, --channel, --connection and --all");
  }
  read_recipients(options, request);
  request.service = context.service();
  request.event = options.event;
  request.qos = options.qos;
  if (!options.ttl.empty()) request.ttl = duration_option("--ttl", options.ttl);
  if (!options.wait.empty()) request.wait = duration_option("--wait", options.wait);
  request.key = options.key;
  request.collapse = options.collapse;
  request.notify = options.notify;
  request.traceparent = options.traceparent;
  request.data = data_from(options, context);
  // JSON would replace invalid bytes with a replacement character.
  if (!is_valid_utf8(request.data)) {
    throw Error(ErrorCode::kInvalidArgument,
                "the data is not valid UTF-8, which an event stream cannot carry; encode it, in base64 for example");
  }
  event::validate({request.event, request.data, "", std::nullopt});
  return request;
}

std::string describe(const api::SendResult& result, bool qos, const TableStyle& style) {
  std::string text = render_fields({{"id", result.id.valid() ? result.id.str() : ""},
                                    {"delivered", plural(result.delivered, "connection")},
                                    {"pending", qos ? plural(result.pending, "recipient") : ""},
                                    {"repeated", result.repeated ? "yes: this is the first one's id" : ""}},
                                   style);
  const bool waited = !result.recipients.empty() && !result.recipients.front().state.empty();
  if (result.recipients.size() < 2 && !waited) return text;
  std::vector<Column> columns{{"KIND"}, shrinking("NAME"), right_aligned("DELIVERED")};
  if (waited) columns.push_back({"STATE"});
  Table table(std::move(columns));
  for (const auto& one : result.recipients) {
    std::vector<std::string> cells{std::string(event::kind_name(one.kind)),
                                   one.tenant.empty() ? one.name : one.name + " of " + one.tenant,
                                   std::to_string(one.delivered)};
    if (waited) cells.push_back(one.state);
    table.add(std::move(cells));
  }
  return text + '\n' + table.render(style);
}

// Options on the command line are defaults for fields that a line does not set.
int run_lines(const Options& options, Context& context) {
  LineDefaults defaults;
  if (!options.target.targets().empty()) {
    api::SendRequest request;
    read_recipients(options, request);
    defaults.fields["target"] = event::to_json(request.target, request.also);
  } else if (options.listening) {
    throw Error(ErrorCode::kInvalidArgument, "with --ndjson, --listening needs a target; each line has its own");
  }
  defaults.fields["event"] = options.event;
  if (options.qos) defaults.fields["qos"] = true;
  if (!options.ttl.empty()) {
    duration_option("--ttl", options.ttl);
    defaults.fields["ttl"] = options.ttl;
  }
  if (!options.collapse.empty()) defaults.fields["collapse"] = options.collapse;
  if (options.notify) defaults.fields["notify"] = true;
  if (!options.except.empty()) defaults.fields["except"] = options.except;
  if (!options.key.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "with --ndjson, --id would make all lines the same message; give each line an \"id\" of its own");
  }
  if (!options.wait.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "with --ndjson, --wait is not possible; 'ssectl messages list' shows which messages are not confirmed "
                "yet");
  }
  defaults.traceparent = options.traceparent;
  if (!context.service().empty()) defaults.fields["service"] = context.service().str();
  if (options.data_given.given() && options.data != "-") {
    throw Error(ErrorCode::kInvalidArgument,
                "with --ndjson the messages come from standard input or --file, not from '" +
                    printable(options.data, 40) + "'");
  }
  return send_lines(context, options.file.empty() ? "-" : options.file, defaults);
}

int run(const Options& options, Context& context) {
  context.out().ignore_closed_stdout();
  // The server would ignore it, as the standard says.
  if (!options.traceparent.empty() && !parse_traceparent(options.traceparent)) {
    throw Error(ErrorCode::kInvalidArgument, "--traceparent '" + printable(options.traceparent, 80) +
                                                 "' is none; write 00-TRACE_ID-SPAN_ID-01, with 32 and 16 lower-case "
                                                 "hexadecimal digits that are not all 0");
  }
  if (options.lines) return run_lines(options, context);
  const api::SendRequest request = request_from(options, context);
  // The server responds only after it has waited, so the response may take longer by that time.
  const api::Json answer = context.client(request.wait.value_or(0ms)).send(request);
  const api::SendResult result = api::send_result_from_json(answer);
  Output& out = context.out();
  if (out.human_readable()) {
    out.write(describe(result, request.qos, out.style()));
  } else {
    out.document(answer);
  }
  if (request.wait) {
    const bool all = std::ranges::all_of(result.recipients, [](const auto& one) { return one.state == "confirmed"; });
    return all ? kDone : kFailed;
  }
  if (request.qos || result.delivered > 0) return kDone;
  out.note("no recipient is connected; with --qos the message is stored until a recipient connects");
  return kNoRecipient;
}

}  // namespace

Run declare_send(cli::App& app) {
  auto options = std::make_shared<Options>();
  options->target.declare(app);
  options->target.declare_groups(app);
  options->target.declare_union(app);
  app.add_option("--except", options->except,
                 "Without --qos: not to the streams with this clientId or clientInstanceId, nor when they resume")
      .type_name("CLIENT_ID");
  app.add_flag("--listening", options->listening, "Only streams that listen to the event");
  app.add_option("-e,--event", options->event, "Name of the event").type_name("NAME").show_default();
  cli::Option qos = app.add_flag("-q,--qos", options->qos, "At least once: stored on the server until confirmed");
  app.add_option("--ttl", options->ttl, "With --qos: time to live, such as 90s, 1h, 7d (default: the server's)")
      .type_name("DURATION")
      .needs(qos);
  app.add_option("--id", options->key,
                 "With --qos: idempotency key; a send with a key that was used before is not sent again")
      .type_name("KEY")
      .needs(qos);
  app.add_option("--collapse", options->collapse,
                 "With --qos: replaces the pending message with this key of each recipient")
      .type_name("KEY")
      .needs(qos);
  app.add_flag("--notify", options->notify,
               "With --qos: the hook and 'ssectl events' learn what becomes of it, for each recipient")
      .needs(qos);
  app.add_option("--wait", options->wait,
                 "With --qos: wait at most this long for the confirmations; exits with 1 if one is missing")
      .type_name("DURATION")
      .needs(qos);
  app.add_option("--traceparent", options->traceparent,
                 "Trace of the sender (W3C Trace Context), for the JSON log of the servers and messages trace")
      .type_name("TEXT");
  cli::Option file = app.add_option("-f,--file", options->file, "Send the content of FILE").type_name("FILE");
  options->data_given =
      app.add_option("DATA", options->data,
                     "Data of the event; - for standard input. Default: piped input, else a demo payload")
          .type_name("")
          .excludes(file);
  app.add_flag("--ndjson", options->lines,
               "Send many: one JSON object a line with target, event, data, qos, ttl, from --file or standard input");
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
