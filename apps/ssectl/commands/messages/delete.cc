#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "ssectl/commands/command.h"
#include "ssectl/commands/messages/source.h"
#include "ssectl/input/confirmation.h"
#include "ssectl/input/values.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

struct Options {
  std::vector<std::string> ids;
  std::string db;
  Confirmation confirmation;
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
  const std::vector<MessageId> ids = ids_from<MessageId>(options.ids);
  Output& out = context.out();
  out.ignore_closed_stdout();
  const std::string question = "delete " + plural(ids.size(), "message") + '?';
  if (ids.size() > 1 && !options.confirmation.given(question, "nothing was deleted", out)) return kFailed;
  std::uint64_t rows = 0;
  std::uint64_t messages = 0;
  for (const MessageId id : ids) {
    const std::uint64_t deleted = delete_one(id, context);
    if (deleted == 0) out.note("no message " + id.str() + " is pending");
    if (out.format() == Format::kNdjson) out.document({{"id", id.str()}, {"deleted", deleted}});
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
  options->confirmation.declare(app, "Do not ask before deleting several");
  declare_db(app, options->db);
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
