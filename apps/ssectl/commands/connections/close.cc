#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "ssectl/commands/command.h"
#include "ssectl/input/input.h"
#include "ssectl/input/target_options.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

struct Options {
  std::vector<std::string> ids;
  TargetOptions target;
  bool yes = false;
};

api::CloseRequest request_from(const Options& options) {
  api::CloseRequest request;
  for (const std::uint64_t id : parse_ids(options.ids)) request.ids.emplace_back(id);
  request.target = options.target.target();
  if (request.ids.empty() == !request.target.has_value()) {
    throw Error(ErrorCode::kInvalidArgument,
                "the connections to close are not clear; give either their ids or one of --user, --token and --all");
  }
  return request;
}

int run(const Options& options, Context& context) {
  api::CloseRequest request = request_from(options);
  request.service = context.service();
  Output& out = context.out();
  out.ignore_closed_stdout();
  if (options.target.all && !options.yes && !confirmed("close every connection?")) {
    out.note("nothing was closed");
    return kFailed;
  }
  const api::Json answer = context.client().close_connections(request);
  const std::uint64_t closed = count_in(answer, "closed");
  if (out.human_readable()) {
    out.write("closed " + plural(closed, "connection") + '\n');
  } else {
    out.document(answer);
  }
  const std::size_t named = request.ids.size();
  if (closed == 0) {
    out.note("no such connection is open");
  } else if (closed < named) {
    out.note("only " + std::to_string(closed) + " of the " + std::to_string(named) + " connections were open");
  }
  return closed == 0 || closed < named ? kNoRecipient : kDone;
}

}  // namespace

Run declare_connections_close(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("ID", options->ids, "Ids of connections").type_name("");
  options->target.declare(app);
  app.add_flag("-y,--yes", options->yes, "Do not ask before closing all").not_configurable();
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
