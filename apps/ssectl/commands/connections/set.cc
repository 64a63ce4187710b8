#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "ssectl/commands/command.h"
#include "ssectl/input/values.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {
namespace {

struct Options {
  std::string id;
  std::vector<std::string> attributes, unset, join, leave;
};

api::ChangeRequest request_from(const Options& options, const Context& context) {
  api::ChangeRequest request;
  request.service = context.service();
  request.id = id_from<ConnectionId>(options.id);
  ConnectionChange& change = request.change;
  for (const std::string& text : options.attributes) change.attributes.push_back(named_value("--attribute", text));
  change.remove = options.unset;
  for (const std::string& channel : options.join) change.join.emplace_back(channel);
  for (const std::string& channel : options.leave) change.leave.emplace_back(channel);
  if (options.attributes.empty() && options.unset.empty() && options.join.empty() && options.leave.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "nothing is to be changed; give --attribute, --unset, --join or --leave");
  }
  return request;
}

std::string describe(const api::Json& connection, const TableStyle& style) {
  std::vector<Field> fields{{"id", text_cell(connection, "id")}, {"channels", text_cell(connection, "channels")}};
  if (const auto parameters = connection.find("httpParameters"); parameters != connection.end()) {
    for (const auto& [name, value] : parameters->items()) fields.push_back({name, text_cell(*parameters, name)});
  }
  return render_fields(fields, style);
}

int run(const Options& options, Context& context) {
  context.out().result(context.client().change_connection(request_from(options, context)), describe);
  return kDone;
}

}  // namespace

Run declare_connections_set(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("ID", options->id, "Id of the connection").required().type_name("");
  const auto list = [&](const char* name, std::vector<std::string>& values, const char* type, const char* help) {
    app.add_option(name, values, help).type_name(type).one_value_each().not_configurable();
  };
  list("--attribute", options->attributes, "NAME=VALUE", "Set an attribute; repeatable");
  list("--unset", options->unset, "NAME", "Remove an attribute or parameter; repeatable");
  list("--join", options->join, "CHANNEL", "Put the stream into a channel, whatever the rules say; repeatable");
  list("--leave", options->leave, "CHANNEL", "Take it out of a channel; repeatable");
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
