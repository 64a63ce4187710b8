#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "ssectl/commands/command.h"
#include "ssectl/commands/messages/source.h"
#include "ssectl/input/values.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {
namespace {

struct Options {
  std::string id;
  std::string db;
};

std::string readable(std::string_view data) {
  std::string text;
  while (!data.empty()) {
    const std::size_t end = std::min(data.find('\n'), data.size());
    const std::string_view line = data.substr(0, end);
    text += printable(line, line.size() * 4 + 1) + '\n';
    data.remove_prefix(std::min(end + 1, data.size()));
  }
  return text;
}

std::string describe(const api::Json& rows, const TableStyle& style) {
  const api::Json& first = rows.front();
  const WallTime now = wall_now();
  std::string text = render_fields({{"id", text_cell(first, "id")},
                                    {"service", text_cell(first, "service")},
                                    {"event", text_cell(first, "event")},
                                    {"listening", text_cell(first, "listening")},
                                    {"size", size_cell(first, "size")},
                                    {"created", time_cell(first, "createTime")},
                                    {"expires", expiry_cell(first, "expireTime", now)}},
                                   style);
  Table table({{"KIND"}, shrinking("RECIPIENT"), {"STATE"}, {"CONNECTION"}, right_aligned("ATTEMPTS")});
  for (const api::Json& row : rows) {
    table.add({text_cell(row, "kind"), recipient_cell(row), text_cell(row, "state"), text_cell(row, "connection"),
               text_cell(row, "attempts")});
  }
  return text + '\n' + table.render(style) + '\n' + readable(text_cell(first, "data"));
}

int run(const Options& options, Context& context) {
  const auto id = id_from<MessageId>(options.id);
  const api::Json message = show_message(context, options.db, id);
  const auto rows = message.find("list");
  if (rows == message.end() || !rows->is_array() || rows->empty()) {
    throw Error(ErrorCode::kNotFound, "no message " + id.str() + " is pending; see 'ssectl messages list'");
  }
  Output& out = context.out();
  if (out.human_readable()) {
    out.write(describe(*rows, out.style()));
  } else {
    out.listing(message);
  }
  return kDone;
}

}  // namespace

Run declare_messages_show(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("ID", options->id, "Id of the message").required().type_name("");
  declare_db(app, options->db);
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
