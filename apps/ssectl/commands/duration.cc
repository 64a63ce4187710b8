#include <charconv>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "ssectl/commands/command.h"
#include "ssectl/input/values.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/table.h"

/// The commands `users duration`, `tokens duration` and `connections duration`.
namespace sse::ctl {
namespace {

enum class DurationTarget { kUser, kToken, kConnection };

struct Options {
  std::string name;
  std::string set;
  std::string ttl;
  bool clear = false;
};

// A plain number is in seconds.
std::int64_t seconds_from(const std::string& text) {
  std::int64_t seconds = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool number = error == std::errc{} && stop == text.data() + text.size();
  if (!number) seconds = duration_option("--set", text).count() / 1000;
  if (seconds < 0 || seconds > api::kMaxDurationSeconds) {
    throw Error(ErrorCode::kInvalidArgument, "--set must be from 0 to " + std::to_string(api::kMaxDurationSeconds) +
                                                 " seconds, not '" + printable(text, 40) + "'");
  }
  return seconds;
}

api::DurationRequest request_for(const Options& options, DurationTarget kind, const Context& context) {
  api::DurationRequest request;
  request.service = context.service();
  if (kind == DurationTarget::kConnection) {
    request.ids = ids_from<ConnectionId>({options.name});
  } else {
    request.target = event::Target{
        kind == DurationTarget::kUser ? event::TargetKind::kUser : event::TargetKind::kToken, {options.name}, false};
    event::normalize(*request.target);
  }
  if (!options.set.empty()) request.seconds = seconds_from(options.set);
  if (!options.ttl.empty()) request.ttl = duration_option("--ttl", options.ttl);
  return request;
}

std::string describe(const api::Json& answer, const TableStyle& style) {
  std::string text;
  Table table({{"CONNECTION"}, shrinking("USER"), {"SESSION"}, right_aligned("SECONDS"), {"COUNTED BY"}});
  for (const api::Json& one : answer.value("connections", api::Json::array())) {
    table.add({text_cell(one, "id"), text_cell(one, "user"), seconds_cell(one, "sessionDuration"),
               text_cell(one, "sessionDuration"), one.value("set", false) ? "the setting" : "the page"});
  }
  if (!table.empty()) text += table.render(style);
  if (const auto pending = answer.find("pending"); pending != answer.end() && pending->is_object()) {
    text += "not yet confirmed: " + printable(text_cell(*pending, "duration"), 40) + " seconds, set " +
            age_cell(*pending, "createTime", wall_now()) + " ago, expires " +
            expiry_cell(*pending, "expireTime", wall_now()) + '\n';
  }
  return text;
}

int read(const Options& options, DurationTarget kind, Context& context) {
  api::DurationQuery query;
  query.service = context.service();
  if (kind == DurationTarget::kUser) query.user = options.name;
  if (kind == DurationTarget::kToken) query.token = options.name;
  if (kind == DurationTarget::kConnection) query.connection = id_from<ConnectionId>(options.name);
  const api::Json answer = context.client().read_durations(query);
  Output& out = context.out();
  const bool none_found = answer.value("connections", api::Json::array()).empty();
  out.result(answer, describe);
  if (none_found && out.human_readable()) out.note("no matching connection is open, so there is no session");
  return none_found ? kNoRecipient : kDone;
}

int set(const Options& options, DurationTarget kind, Context& context) {
  const api::Json answer = context.client().set_durations(request_for(options, kind, context));
  const std::uint64_t connections = count_in(answer, "connections");
  context.out().ignore_closed_stdout();
  context.out().result(answer, connections > 0
                                   ? "notified " + plural(connections, "connection")
                                   : "no matching connection is open; the duration is stored for the next connect");
  return kDone;
}

int clear(const Options& options, DurationTarget kind, Context& context) {
  const api::Json answer = context.client().clear_durations(request_for(options, kind, context));
  const std::uint64_t connections = count_in(answer, "connections");
  const std::uint64_t pending = count_in(answer, "pending");
  Output& out = context.out();
  out.ignore_closed_stdout();
  out.result(answer,
             "cleared for " + plural(connections, "connection") + ", " + plural(pending, "setting") + " deleted");
  if (connections + pending > 0) return kDone;
  out.note("no duration was set");
  return kNoRecipient;
}

int run(const Options& options, DurationTarget kind, Context& context) {
  if (options.clear) return clear(options, kind, context);
  return options.set.empty() ? read(options, kind, context) : set(options, kind, context);
}

Run declare(cli::App& app, DurationTarget kind, const char* name, const char* help) {
  auto options = std::make_shared<Options>();
  app.add_option(name, options->name, help).required().type_name("").not_empty();
  cli::Option set_option = app.add_option("--set", options->set, "Set it to a number of seconds or a duration like 2h")
                               .type_name("DURATION")
                               .not_configurable();
  app.add_flag("--clear", options->clear, "Remove the duration that was set").excludes(set_option).not_configurable();
  if (kind != DurationTarget::kConnection) {
    app.add_option("--ttl", options->ttl,
                   "With --set: time to live for a recipient that is offline (default: the server's)")
        .type_name("DURATION")
        .needs(set_option);
  }
  return [options, kind](Context& context) { return run(*options, kind, context); };
}

}  // namespace

Run declare_users_duration(cli::App& app) {
  return declare(app, DurationTarget::kUser, "USER", "Id of the user");
}

Run declare_tokens_duration(cli::App& app) {
  return declare(app, DurationTarget::kToken, "TOKEN", "The access token");
}

Run declare_connections_duration(cli::App& app) {
  return declare(app, DurationTarget::kConnection, "ID", "Id of the connection");
}

}  // namespace sse::ctl
