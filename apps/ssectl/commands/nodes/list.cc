#include "ssectl/commands/command.h"
#include "ssectl/commands/nodes/table.h"

namespace sse::ctl {
namespace {

int run(Context& context) {
  const api::Json answer = context.client().list_nodes();
  write_nodes(answer, context.out());
  return note_degraded(answer, context.out()) ? kFailed : kDone;
}

}  // namespace

Run declare_nodes_list(cli::App&) {
  return run;
}

}  // namespace sse::ctl
