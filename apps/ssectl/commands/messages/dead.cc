#include <memory>
#include <string>

#include "base/error.h"
#include "ssectl/commands/command.h"
#include "ssectl/context/paging.h"
#include "ssectl/input/confirmation.h"
#include "ssectl/input/message_filter.h"
#include "ssectl/input/values.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {
namespace {

struct Options {
  api::MessageQuery query;
  PageOptions page;
  std::vector<std::string> ids;
  bool all = false;
  Confirmation confirmation;
};

std::string table_of(const api::Json& page, const TableStyle& style) {
  Table table({{"ID"},
               {"KIND"},
               shrinking("RECIPIENT"),
               shrinking("EVENT"),
               right_aligned("SIZE"),
               {"SENT"},
               {"DIED"},
               right_aligned("ATTEMPTS")});
  for (const api::Json& one : page.at("list")) {
    table.add({text_cell(one, "id"), text_cell(one, "kind"), recipient_cell(one), text_cell(one, "event"),
               size_cell(one, "size"), time_cell(one, "createTime"), time_cell(one, "diedTime"),
               text_cell(one, "attempts")});
  }
  return table.render(style);
}

int list(const Options& options, Context& context) {
  const api::MessageQuery query = with_service(options.query, context);
  const api::Json page = fetch(
      options.page, [&](const api::Page& p) { return context.client().list_dead(query, p); }, context.out());
  context.out().result_list(page, table_of, "no dead letter matches");
  return kDone;
}

// Requires either ids or a filter, but not both.
void require_choice(const Options& options, const char* verb) {
  if (options.ids.empty()) {
    ctl::require_choice(options.query, options.all, verb);
  } else if (options.all || !options.query.kind.empty() || !options.query.recipient.empty() ||
             !options.query.event.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "give either ids or a filter, not both");
  }
}

int requeue(const Options& options, Context& context) {
  require_choice(options, "requeue");
  const api::MessageQuery query = with_service(options.query, context);
  api::Json ids = api::Json::array();
  const auto add = [&](const api::Json& answer) {
    for (const api::Json& id : answer.at("ids")) ids.push_back(id);
  };
  Output& out = context.out();
  out.ignore_closed_stdout();
  for (const MessageId id : ids_from<MessageId>(options.ids)) add(context.client().requeue_dead(id, query));
  if (options.ids.empty()) add(context.client().requeue_dead({}, query));
  out.result({{"ids", ids}}, "sent " + plural(ids.size(), "dead letter") + " again");
  return kDone;
}

int purge(const Options& options, Context& context) {
  require_choice(options, "purge");
  const api::MessageQuery query = with_service(options.query, context);
  Output& out = context.out();
  out.ignore_closed_stdout();
  if (!options.confirmation.given("forget these dead letters for good?", "nothing was deleted", out)) return kFailed;
  std::uint64_t deleted = 0;
  for (const MessageId id : ids_from<MessageId>(options.ids))
    deleted += count_in(context.client().purge_dead(id, query), "deleted");
  if (options.ids.empty()) deleted = count_in(context.client().purge_dead({}, query), "deleted");
  out.result({{"deleted", deleted}}, "deleted " + plural(deleted, "dead letter"));
  return deleted == 0 && !options.ids.empty() ? kNoRecipient : kDone;
}

void declare_choice(cli::App& app, Options& options) {
  app.add_option("ID", options.ids, "Ids of messages").type_name("");
  declare_filter(app, options.query);
  app.add_flag("--all", options.all, "All dead letters");
}

}  // namespace

Run declare_messages_dead_list(cli::App& app) {
  auto options = std::make_shared<Options>();
  declare_filter(app, options->query);
  options->page.declare(app);
  return [options](Context& context) { return list(*options, context); };
}

Run declare_messages_dead_requeue(cli::App& app) {
  auto options = std::make_shared<Options>();
  declare_choice(app, *options);
  return [options](Context& context) { return requeue(*options, context); };
}

Run declare_messages_dead_purge(cli::App& app) {
  auto options = std::make_shared<Options>();
  declare_choice(app, *options);
  options->confirmation.declare(app);
  return [options](Context& context) { return purge(*options, context); };
}

}  // namespace sse::ctl
