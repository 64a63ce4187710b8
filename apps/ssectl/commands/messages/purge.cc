#include <memory>
#include <string>

#include "ssectl/commands/command.h"
#include "ssectl/input/confirmation.h"
#include "ssectl/input/message_filter.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

struct Options {
  api::MessageQuery query;
  bool all = false;
  Confirmation confirmation;
};

int run(const Options& options, Context& context) {
  require_choice(options.query, options.all, "purge");
  const api::MessageQuery query = with_service(options.query, context);
  Output& out = context.out();
  out.ignore_closed_stdout();
  if (!options.confirmation.yes) {
    const std::uint64_t count = count_in(context.client().list_messages(query, {1, 1}), "total");
    const std::string question = "delete " + plural(count, "pending message") + "? they will not be delivered";
    if (!options.confirmation.given(question, "nothing was deleted", out)) return kFailed;
  }
  const api::Json answer = context.client().purge_messages(query);
  out.result(answer, "deleted " + plural(count_in(answer, "deleted"), "pending message"));
  return kDone;
}

}  // namespace

Run declare_messages_purge(cli::App& app) {
  auto options = std::make_shared<Options>();
  declare_filter(app, options->query);
  app.add_flag("--all", options->all, "All pending messages");
  options->confirmation.declare(app);
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
