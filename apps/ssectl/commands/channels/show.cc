#include <memory>
#include <string>

#include "base/clock.h"
#include "ssectl/commands/command.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {
namespace {

std::string describe_history(const api::Json& channel) {
  const auto history = channel.find("history");
  if (history == channel.end() || !history->is_object()) return "off";
  return plural(count_in(*history, "events"), "event") + ", " + size_cell(*history, "bytes");
}

std::string describe(const api::Json& channel, const TableStyle& style) {
  const WallTime now = wall_now();
  std::string text = render_fields({{"name", text_cell(channel, "name")},
                                    {"service", text_cell(channel, "service")},
                                    {"connections", text_cell(channel, "connections")},
                                    {"members", text_cell(channel, "memberCount")},
                                    {"events/minute", text_cell(channel, "eventsPerMinute")},
                                    {"history", describe_history(channel)},
                                    {"first connect", time_ago_cell(channel, "firstConnectTime", now)},
                                    {"last connect", time_ago_cell(channel, "lastConnectTime", now)}},
                                   style);
  Table table({shrinking("USER"), shrinking("TENANT"), right_aligned("CONNECTIONS"), shrinking("PROFILE")});
  if (const auto list = channel.find("members"); list != channel.end() && list->is_array()) {
    for (const api::Json& one : *list) {
      table.add(
          {text_cell(one, "user"), text_cell(one, "tenant"), text_cell(one, "connections"), text_cell(one, "profile")});
    }
  }
  return table.empty() ? text : text + '\n' + table.render(style);
}

}  // namespace

Run declare_channels_show(cli::App& app) {
  auto channel = std::make_shared<std::string>();
  app.add_option("CHANNEL", *channel, "Name of the channel").required().type_name("").not_empty();
  return [channel](Context& context) {
    context.out().result(context.client().show_channel(ChannelName(*channel), context.service()), describe);
    return kDone;
  };
}

}  // namespace sse::ctl
