#include "ssectl/commands/command.h"
#include "ssectl/commands/nodes/table.h"

namespace sse::ctl {
namespace {

int run(Context& context) {
  const api::Json answer = context.client().list_nodes();
  Output& out = context.out();
  if (out.human_readable()) {
    out.write(nodes_table(answer, out.style()));
  } else {
    out.listing(answer);
  }
  return note_degraded(answer, out) ? kFailed : kDone;
}

}  // namespace

Run declare_nodes_list(cli::App&) {
  return run;
}

}  // namespace sse::ctl
