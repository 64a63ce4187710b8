#include <memory>
#include <string>
#include <vector>

#include "base/units.h"
#include "sse-server/ticket.h"
#include "ssectl/commands/command.h"
#include "ssectl/input/values.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

struct Options {
  std::string user;
  std::string tenant;
  std::string token;
  std::string profile;
  std::vector<std::string> channels;
  std::string ttl = format_duration(kTicketLifetime);
};

int run(const Options& options, Context& context) {
  api::TicketRequest request;
  request.service = context.service();
  request.user = options.user;
  request.tenant = options.tenant;
  request.token = options.token;
  request.profile = options.profile;
  request.channels = options.channels;
  request.ttl = duration_option("--ttl", options.ttl);
  const api::Json ticket = context.client().create_ticket(request);
  context.out().result(ticket, text_cell(ticket, "ticket"));
  return kDone;
}

}  // namespace

Run declare_ticket_create(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("-u,--user", options->user, "User as whom the stream is opened")
      .type_name("USER")
      .required()
      .not_empty();
  app.add_option("-t,--tenant", options->tenant, "Tenant of the user").type_name("TENANT");
  app.add_option("--token", options->token, "Access token that sends can be addressed to").type_name("TOKEN");
  app.add_option("--profile", options->profile, "JSON object about the user, such as {\"name\":\"Ann\"}")
      .type_name("JSON");
  app.add_option("--channels", options->channels, "Name or pattern of channels that the stream may join; repeatable")
      .type_name("NAME")
      .one_value_each()
      .list_separator(',');
  app.add_option("--ttl", options->ttl, "How long it can be redeemed, from 1s to 10m")
      .type_name("DURATION")
      .show_default();
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
