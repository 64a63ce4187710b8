#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/shown_json.h"
#include "base/text.h"
#include "base/units.h"
#include "ssectl/commands/command.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

constexpr std::chrono::milliseconds kFirstFollowPause{500};
constexpr std::chrono::milliseconds kMaxFollowPause{10'000};

struct Options {
  api::EventQuery query;
  std::optional<std::uint64_t> last;
  std::string since;
  bool follow = false;
};

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

std::string describe_send(const api::Json& one) {
  std::string target = text_cell(one, "kind");
  if (const std::string names = text_cell(one, "names"); !names.empty()) target += " " + names;
  if (const auto also = one.find("also"); also != one.end() && also->is_array()) {
    for (const api::Json& further : *also)
      target += " and " + text_cell(further, "kind") + " " + text_cell(further, "names");
  }
  const std::uint64_t recipients = count_in(one, "recipients");
  if (recipients > 1) target += " (" + plural(recipients, "recipient") + ")";
  std::string line =
      text_cell(one, "event") + " to " + target + ", " + plural(count_in(one, "delivered"), "connection") + " got it";
  if (count_in(one, "pending") > 0) line += ", " + std::to_string(count_in(one, "pending")) + " pending";
  return line;
}

std::string describe_client(const api::Json& one) {
  const std::string user = text_cell(one, "user");
  std::string line = user.empty() ? "no user" : "user " + user;
  if (const std::string connection = text_cell(one, "connection"); !connection.empty())
    line += "  connection " + connection;
  if (const std::string address = text_cell(one, "address"); !address.empty()) line += "  from " + address;
  return line;
}

std::string describe_gap(const api::Json& one) {
  std::string line = one.contains("count") ? plural(count_in(one, "count"), "event") + " lost" : "some events are lost";
  return line + (text_cell(one, "reason") == "restarted" ? ": the server has restarted since, or it is another one"
                                                         : ": the server no longer has all since then");
}

bool is_report(const std::string& type) {
  constexpr std::array kTypes{"confirmed", "expired", "dead", "deleted", "replaced"};
  return std::ranges::find(kTypes, type) != kTypes.end();
}

std::string describe_settled(const api::Json& one) {
  std::string line =
      "message " + text_cell(one, "id") + "  " + text_cell(one, "event") + " to " + text_cell(one, "kind");
  if (const std::string name = text_cell(one, "recipient"); !name.empty()) line += " " + name;
  if (const std::string tenant = text_cell(one, "tenant"); !tenant.empty()) line += " of " + tenant;
  if (const std::string key = text_cell(one, "key"); !key.empty()) line += "  key " + key;
  return line + "  after " + plural(count_in(one, "attempts"), "attempt");
}

// The part of a line after the time and the type.
std::string details(const api::Json& one, const std::string& type) {
  if (type == "gap") return describe_gap(one);
  if (is_report(type)) return describe_settled(one);
  if (type == "missed") return std::to_string(count_in(one, "count")) + " events were too fast to be shown";
  if (type == "send") return describe_send(one);
  if (type == "occupied" || type == "vacated") return text_cell(one, "channel");
  std::string line = describe_client(one);
  if (type == "connect") {
    if (const std::string listeners = text_cell(one, "listeners"); !listeners.empty())
      line += "  listens to " + listeners;
  } else if (type == "disconnect") {
    line += "  " + text_cell(one, "reason") + " after " +
            format_age(std::chrono::milliseconds(count_in(one, "durationMillis")));
    if (const std::string note = text_cell(one, "note"); !note.empty()) line += " (" + note + ")";
  } else if (type == "listening") {
    const std::string added = text_cell(one, "added");
    line += added.empty() ? "  no longer to " + text_cell(one, "removed") : "  now to " + added;
  } else if (type == "refused") {
    line += "  " + text_cell(one, "status") + " " + text_cell(one, "reason");
    if (const std::string note = text_cell(one, "note"); !note.empty()) line += " (" + note + ")";
  } else if (type == "message" || type == "upload") {
    line += "  " + text_cell(one, "path") + " answered with " + text_cell(one, "status");
  }
  return line;
}

std::string line_of(const api::Json& one) {
  const std::string type = text_cell(one, "type");
  const std::string time = one.contains("time") ? time_cell(one, "time") : std::string(24, ' ');
  return time + "  " + padded(printable(type, 40), 10) + "  " + printable(details(one, type), 1000) + "\n";
}

bool may_pass(const Error& e) {
  return e.code() == ErrorCode::kUnavailable || e.code() == ErrorCode::kTimeout;
}

// Reconnects behind the last event that was printed. Ends with an error only if the server has never accepted, or
// refuses.
int follow(api::EventQuery query, Context& context) {
  Output& out = context.out();
  bool opened = false;
  std::chrono::milliseconds pause = kFirstFollowPause;
  for (;;) {
    try {
      context.client().follow_events(
          query,
          [&](const api::Json& one) {
            query.since = one.value("cursor", query.since);
            out.write(out.human_readable() ? line_of(one) : shown_json(event::dump_json(one)) + "\n");
            return true;
          },
          [&](const std::string& cursor) {
            if (opened) out.note("following the events again");
            opened = true;
            pause = kFirstFollowPause;
            if (query.since.empty()) query.since = cursor;
          });
      return kDone;
    } catch (const Error& e) {
      if (!opened || !may_pass(e)) throw;
      if (pause == kFirstFollowPause) out.note(std::string(e.what()) + "; reconnecting");
    }
    // From now on the cursor says where to begin; an older server sends none.
    query.last = query.since.empty() ? std::optional<std::uint64_t>(0) : std::nullopt;
    Clock::system().sleep_for(pause);
    pause = std::min(pause * 2, kMaxFollowPause);
  }
}

int run(const Options& options, Context& context) {
  api::EventQuery query = with_service(options.query, context);
  query.last = options.last;
  query.since = options.since;
  Output& out = context.out();
  if (options.follow) return follow(std::move(query), context);
  const api::Json page = context.client().list_events(query);
  if (!out.human_readable()) {
    out.listing(page);
  } else if (page.at("list").empty()) {
    out.note("no activity event matches");
  } else {
    for (const api::Json& one : page.at("list")) out.write(line_of(one));
  }
  return kDone;
}

}  // namespace

Run declare_events(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_flag("-f,--follow", options->follow,
               "Continue with new events, also after the connection was lost; with -o json one object a line");
  app.add_option("-u,--user", options->query.user, "Only events of this user, or sends to this user").type_name("ID");
  app.add_option(
         "-t,--type", options->query.type,
         "Only connect, disconnect, listening, message, upload, send, refused, occupied, vacated, confirmed, expired, "
         "dead, deleted or replaced; separate several by commas")
      .type_name("TYPE");
  app.add_option("-n,--last", options->last, "Maximum number of past events (default: 100, with --follow none)")
      .type_name("N")
      .range(0, 1000);
  app.add_option("--since", options->since, "Only events behind this one: the field 'cursor' of an event in JSON")
      .type_name("CURSOR");
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
