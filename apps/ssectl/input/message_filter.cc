#include "ssectl/input/message_filter.h"

#include <string>

#include "base/error.h"

namespace sse::ctl {

void declare_filter(cli::App& app, api::MessageQuery& query) {
  app.add_option("--kind", query.kind, "Only for recipients of this kind: user, token, tenant, channel or all")
      .type_name("KIND")
      .one_of({"user", "token", "tenant", "channel", "all"});
  app.add_option("--recipient", query.recipient, "Only for the recipient with this name").type_name("NAME");
  app.add_option("--tenant", query.tenant, "With --kind user and --recipient: only for the user of this tenant")
      .type_name("TENANT");
  app.add_option("-e,--event", query.event, "Only with this event name").type_name("NAME");
}

void require_choice(const api::MessageQuery& query, bool all, const char* verb) {
  const bool chosen = !query.kind.empty() || !query.recipient.empty() || !query.event.empty();
  if (chosen != all) return;
  throw Error(ErrorCode::kInvalidArgument, chosen
                                               ? "give either --all or a filter, not both"
                                               : std::string("nothing selected to ") + verb +
                                                     "; give --kind, --recipient or --event, or --all for everything");
}

}  // namespace sse::ctl
