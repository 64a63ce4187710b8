#include <memory>
#include <string>

#include "base/text.h"
#include "ssectl/commands/command.h"

namespace sse::ctl {
namespace {

int run(const std::string& node, Context& context) {
  Output& out = context.out();
  out.ignore_closed_stdout();
  out.result(context.client().undrain_node(node), printable(node, 60) + " accepts streams again");
  return kDone;
}

}  // namespace

Run declare_nodes_undrain(cli::App& app) {
  auto node = std::make_shared<std::string>();
  app.add_option("NODE", *node, "Its server id").type_name("").required().not_configurable();
  return [node](Context& context) { return run(*node, context); };
}

}  // namespace sse::ctl
