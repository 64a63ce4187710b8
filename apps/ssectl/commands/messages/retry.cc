#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "ssectl/commands/command.h"
#include "ssectl/input/values.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

struct Options {
  std::vector<std::string> ids;
};

int run(const Options& options, Context& context) {
  Output& out = context.out();
  out.ignore_closed_stdout();
  std::uint64_t delivered = 0;
  bool missing = false;
  for (const MessageId id : ids_from<MessageId>(options.ids)) {
    try {
      const std::uint64_t taken = count_in(context.client().retry_message(id), "delivered");
      delivered += taken;
      if (out.format() == Format::kNdjson) out.document({{"id", id.str()}, {"delivered", taken}});
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kNotFound) throw;
      out.note("no message " + id.str() + " is pending");
      missing = true;
    }
  }
  if (out.format() == Format::kJson) out.document({{"delivered", delivered}});
  if (out.human_readable()) out.write("sent again to " + plural(delivered, "connection") + '\n');
  if (delivered == 0 && !missing) out.note("no recipient is connected; the message stays pending");
  return delivered == 0 || missing ? kNoRecipient : kDone;
}

}  // namespace

Run declare_messages_retry(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("ID", options->ids, "Ids of messages").required().type_name("");
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
