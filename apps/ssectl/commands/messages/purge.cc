#include <memory>

#include "ssectl/commands/command.h"
#include "ssectl/input/input.h"
#include "ssectl/input/message_filter.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

struct Options {
  api::MessageQuery query;
  bool all = false;
  bool yes = false;
};

int run(const Options& options, Context& context) {
  require_choice(options.query, options.all, "purge");
  api::MessageQuery query = options.query;
  query.service = context.service();
  Output& out = context.out();
  out.ignore_closed_stdout();
  if (!options.yes) {
    const std::uint64_t count = count_in(context.client().list_messages(query, {1, 1}), "total");
    if (!confirmed("delete " + plural(count, "pending message") + "? they will not be delivered")) {
      out.note("nothing was deleted");
      return kFailed;
    }
  }
  const api::Json answer = context.client().purge_messages(query);
  if (out.human_readable()) {
    out.write("deleted " + plural(count_in(answer, "deleted"), "pending message") + '\n');
  } else {
    out.document(answer);
  }
  return kDone;
}

}  // namespace

Run declare_messages_purge(cli::App& app) {
  auto options = std::make_shared<Options>();
  declare_filter(app, options->query);
  app.add_flag("--all", options->all, "All pending messages");
  app.add_flag("-y,--yes", options->yes, "Do not ask").not_configurable();
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
