#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "ssectl/commands/command.h"
#include "ssectl/commands/messages/source.h"
#include "ssectl/input/input.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

struct Options {
  std::vector<std::string> ids;
  std::string db;
  bool yes = false;
};

// Returns how many copies of the message were deleted. An unknown id returns 0, so that the other ids are still
// processed.
std::uint64_t delete_one(MessageId id, Context& context) {
  try {
    return count_in(context.client().delete_message(id), "deleted");
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kNotFound) throw;
    return 0;
  }
}

int run(const Options& options, Context& context) {
  if (!options.db.empty()) {
    throw Error(ErrorCode::kPermissionDenied,
                "--db is read-only, because a running server would not notice a change; delete through the server, "
                "without --db");
  }
  const std::vector<std::uint64_t> ids = parse_ids(options.ids);
  Output& out = context.out();
  out.ignore_closed_stdout();
  if (ids.size() > 1 && !options.yes && !confirmed("delete " + plural(ids.size(), "message") + '?')) {
    out.note("nothing was deleted");
    return kFailed;
  }
  std::uint64_t rows = 0;
  std::uint64_t messages = 0;
  for (const std::uint64_t id : ids) {
    const std::uint64_t deleted = delete_one(MessageId(id), context);
    if (deleted == 0) out.note("no message " + std::to_string(id) + " is pending");
    if (out.format() == Format::kNdjson) out.document({{"id", std::to_string(id)}, {"deleted", deleted}});
    rows += deleted;
    messages += deleted == 0 ? 0 : 1;
  }
  if (out.format() == Format::kJson) out.document({{"deleted", rows}});
  if (out.human_readable())
    out.write("deleted " + plural(messages, "message") + " for " + plural(rows, "recipient") + '\n');
  return messages == ids.size() ? kDone : kNoRecipient;
}

}  // namespace

Run declare_messages_delete(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("ID", options->ids, "Ids of messages").required().type_name("");
  app.add_flag("-y,--yes", options->yes, "Do not ask before deleting several").not_configurable();
  declare_db(app, options->db);
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
