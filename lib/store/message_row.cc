#include "store/message_row.h"

#include "base/text.h"

namespace sse::store {

void put_recipient(event::Json& row, event::TargetKind kind, std::string_view name) {
  const event::ApiName shown = event::shown(kind, name);
  row["kind"] = event::kind_name(shown.kind);
  row["recipient"] = kind == event::TargetKind::kToken ? mask_secret(shown.name) : shown.name;
  if (!shown.tenant.empty()) row["tenant"] = shown.tenant;
}

event::Json row_of(const PendingMessage& message) {
  event::Json row{{"id", message.id.str()},
                  {"service", message.service.str()},
                  {"event", message.event},
                  {"listening", message.listening},
                  {"size", message.data_size},
                  {"createTime", to_millis(message.created)},
                  {"expireTime", to_millis(message.expires)},
                  {"attempts", message.attempts}};
  put_recipient(row, message.recipient.kind, message.recipient.name);
  return row;
}

}  // namespace sse::store
