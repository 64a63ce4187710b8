#pragma once

#include <string>

#include "delivery/message_repository.h"
#include "delivery/sender.h"
#include "event/json.h"
#include "hub/connection.h"

namespace sse::gateway {

/// A connection as PROTOCOL.md and the admin API show it. Tokens are masked, in the parameters too; headers and cookies
/// are not shown.
event::Json to_json(const hub::ConnectionInfo& info, const ServiceName& service, const std::string& server_id);

/// A pending message as the admin API shows it; a token as recipient is masked.
event::Json to_json(const delivery::PendingMessage& message, bool with_data);

/// The answer to a send: the text of api::to_json(SendResult), without making a document first.
std::string to_text(const delivery::SendResult& sent);

}  // namespace sse::gateway
