#include <memory>

#include "base/error.h"
#include "base/text.h"
#include "ssectl/commands/command.h"
#include "ssectl/commands/nodes/table.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

int run(const std::string& id, Context& context) {
  const api::Json answer = context.client().list_nodes();
  Output& out = context.out();
  for (const api::Json& one : answer.at("list")) {
    if (text_cell(one, "id") != id) continue;
    if (out.human_readable()) {
      const bool ready = text_cell(one, "state") == "ready";
      out.write(render_fields({{"node", id},
                               {"number", text_cell(one, "number")},
                               {"state", state_cell(one), ready ? CellStyle::kGood : CellStyle::kBad},
                               {"url", text_cell(one, "url")},
                               {"version", text_cell(one, "version")},
                               {"pid", text_cell(one, "pid")},
                               {"up", age_cell(one, "startTime", wall_now())},
                               {"connections", text_cell(one, "connections")},
                               {"users", text_cell(one, "users")},
                               {"memory", size_cell(one, "memoryBytes")}},
                              out.style()));
    } else {
      out.document(one);
    }
    return note_degraded(answer, out) ? kFailed : kDone;
  }
  throw Error(ErrorCode::kNotFound, "no node '" + printable(id, 60) + "' is in the cluster; see 'ssectl nodes list'");
}

}  // namespace

Run declare_nodes_show(cli::App& app) {
  auto id = std::make_shared<std::string>();
  app.add_option("NODE", *id, "Server id of the node").type_name("").required();
  return [id](Context& context) { return run(*id, context); };
}

}  // namespace sse::ctl
