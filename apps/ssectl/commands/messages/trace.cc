#include <memory>
#include <string>

#include "ssectl/commands/command.h"
#include "ssectl/input/values.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {
namespace {

struct Options {
  std::string id;
};

std::string what_cell(const api::Json& step) {
  std::string what = text_cell(step, "what");
  if (what == "failed") what += ", the stream has ended: " + text_cell(step, "reason");
  return what;
}

std::string describe(const api::Json& story, const TableStyle& style) {
  Table steps({{"TIME"}, {"WHAT"}, {"KIND"}, shrinking("RECIPIENT"), {"CONNECTION"}});
  for (const api::Json& step : story.at("list")) {
    steps.add({time_cell(step, "time"), what_cell(step), text_cell(step, "kind"), recipient_cell(step),
               text_cell(step, "connection")});
  }
  std::string text = steps.render(style);
  if (const std::string trace = text_cell(story, "traceparent"); !trace.empty())
    text += "\ntraceparent  " + trace + '\n';
  const auto pending = story.find("pending");
  if (pending == story.end() || !pending->is_array() || pending->empty()) return text;
  const WallTime now = wall_now();
  Table open({{"PENDING"}, shrinking("RECIPIENT"), {"STATE"}, {"CONNECTION"}, right_aligned("ATTEMPTS"), {"EXPIRES"}});
  for (const api::Json& row : *pending) {
    open.add({text_cell(row, "kind"), recipient_cell(row), text_cell(row, "state"), text_cell(row, "connection"),
              text_cell(row, "attempts"), expiry_cell(row, "expireTime", now)});
  }
  return text + '\n' + open.render(style);
}

int run(const Options& options, Context& context) {
  const api::Json story = context.client().trace_message(id_from<MessageId>(options.id));
  Output& out = context.out();
  if (out.human_readable()) {
    out.write(describe(story, out.style()));
  } else {
    out.listing(story);
  }
  return kDone;
}

}  // namespace

Run declare_messages_trace(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("ID", options->id, "Id of the message").required().type_name("");
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
