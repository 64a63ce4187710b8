#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "ssectl/commands/command.h"
#include "ssectl/input/confirmation.h"
#include "ssectl/input/target_options.h"
#include "ssectl/input/values.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

struct Options {
  std::vector<std::string> ids;
  TargetOptions target;
  Confirmation confirmation;
};

api::CloseRequest request_from(const Options& options) {
  api::CloseRequest request;
  request.ids = ids_from<ConnectionId>(options.ids);
  request.target = options.target.target();
  if (request.ids.empty() == !request.target.has_value()) {
    throw Error(ErrorCode::kInvalidArgument,
                "the connections to close are not clear; give either their ids or one of --user, --token and --all");
  }
  return request;
}

int run(const Options& options, Context& context) {
  const api::CloseRequest request = with_service(request_from(options), context);
  Output& out = context.out();
  out.ignore_closed_stdout();
  if (options.target.all && !options.confirmation.given("close every connection?", "nothing was closed", out))
    return kFailed;
  const api::Json answer = context.client().close_connections(request);
  const std::uint64_t closed = count_in(answer, "closed");
  out.result(answer, "closed " + plural(closed, "connection"));
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
  options->confirmation.declare(app, "Do not ask before closing all");
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
