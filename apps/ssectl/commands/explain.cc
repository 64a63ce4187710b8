#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "auth/secret_file.h"
#include "base/error.h"
#include "ssectl/commands/command.h"
#include "ssectl/context/paging.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {
namespace {

struct Options {
  api::ExplainQuery query;
  std::string user_token_file;
  PageOptions page;
};

std::string reasons_cell(const api::Json& row) {
  std::string text;
  const auto reasons = row.find("reasons");
  if (reasons == row.end() || !reasons->is_array()) return text;
  for (const api::Json& one : *reasons) text += (text.empty() ? "" : "; ") + text_cell(one, "detail");
  return text;
}

std::string table_of(const api::Json& page, const TableStyle& style) {
  Table table({{"GETS IT"}, {"CONNECTION"}, shrinking("USER"), shrinking("TENANT"), shrinking("CHANNEL"), {"WHY"}});
  for (const api::Json& one : page.at("list")) {
    const bool gets = one.value("gets", false);
    const std::string why = reasons_cell(one);
    table.add({gets ? "yes" : "no", text_cell(one, "connection"), text_cell(one, "user"), text_cell(one, "tenant"),
               channels_cell(one), gets && why.empty() ? "everything fits" : why});
  }
  return table.render(style);
}

// Whether each user may join the channel; null when that was not asked.
api::Json channel_rights(const Options& options, Context& context) {
  const api::ExplainQuery& query = options.query;
  if (query.channel.empty() || (query.users.empty() && options.user_token_file.empty())) return nullptr;
  const std::string token = options.user_token_file.empty()
                                ? std::string()
                                : auth::read_secret_file(options.user_token_file, "--user-token-file");
  const std::vector<std::string> users = query.users.empty() ? std::vector<std::string>{""} : query.users;
  api::Json list = api::Json::array();
  for (const std::string& user : users) {
    api::Json answer = context.client().explain_channels({user, query.tenant, token, {query.channel}});
    for (api::Json& one : answer["list"]) {
      one["user"] = answer["user"];
      one["tenant"] = answer["tenant"];
      list.push_back(std::move(one));
    }
  }
  return list;
}

std::string sentence_about(const api::Json& right) {
  const std::string code = text_cell(right, "right");
  const char* const verb = code == "allowed" ? " may join " : code == "hook" ? " may ask to join " : " may not join ";
  std::string text = "user " + text_cell(right, "user") + verb + text_cell(right, "channel") + ": " +
                     text_cell(right, "detail") + "\n";
  if (const auto publish = right.find("publish"); publish != right.end()) {
    const std::string to_publish = text_cell(*publish, "right");
    text += "user " + text_cell(right, "user") +
            (to_publish == "refused" ? " may not"
             : to_publish == "hook"  ? " may ask to"
                                     : " may") +
            " publish to " + text_cell(right, "channel") + ": " + text_cell(*publish, "detail") + "\n";
  }
  return text;
}

int run(const Options& options, Context& context) {
  const api::Json rights = channel_rights(options, context);
  api::ExplainQuery query = with_service(options.query, context);
  if (query.users.empty() && rights.is_array()) query.users.push_back(rights.front().value("user", ""));
  Output& out = context.out();
  std::uint64_t receivers = 0;
  api::Json page = fetch(
      options.page,
      [&](const api::Page& p) {
        api::Json one = context.client().explain(query, p);
        receivers = count_in(one, "receivers");
        return one;
      },
      out);
  page["receivers"] = receivers;
  if (!rights.is_null()) page["channels"] = rights;
  if (!out.human_readable()) {
    out.listing(page);
  } else {
    for (const api::Json& right : rights) out.write(sentence_about(right));
    if (!page.at("list").empty()) out.write(table_of(page, out.style()));
    const std::uint64_t others = count_in(page, "total") - receivers;
    out.note(plural(receivers, "connection") + " would get it" +
             (others == 0 ? "" : ", " + std::to_string(others) + " would not"));
  }
  return receivers > 0 ? kDone : kNoRecipient;
}

}  // namespace

Run declare_explain(cli::App& app) {
  auto options = std::make_shared<Options>();
  api::ExplainQuery& query = options->query;
  app.add_option("-u,--user", query.users, "Event for this user; repeatable").type_name("USER").one_value_each();
  app.add_option("--tenant", query.tenant, "Event for this tenant; with another option: only its connections")
      .type_name("TENANT");
  app.add_option("--token", query.token, "Likewise for an access token").type_name("TOKEN");
  app.add_option("--channel", query.channel, "Likewise for a channel").type_name("CHANNEL");
  app.add_option("--user-token-file", options->user_token_file,
                 "With --channel: first line: a token of the user, so that what it allows counts, too")
      .type_name("FILE");
  app.add_option("-e,--event", query.event, "Name of the event (default " + std::string(api::kDefaultEvent) + ")")
      .type_name("NAME");
  app.add_flag("--listening", query.listening, "Event only for streams that listen to it");
  app.add_option("--size", query.size, "Size of the event, for streams with a large backlog").type_name("BYTES");
  options->page.declare(app);
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
