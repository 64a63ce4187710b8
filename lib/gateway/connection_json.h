#pragma once

#include <string>
#include <string_view>

#include "delivery/message_repository.h"
#include "delivery/sender.h"
#include "event/json.h"
#include "hub/connection.h"

namespace sse::gateway {

/// A connection as PROTOCOL.md and the admin API show it. Tokens are masked, in the parameters and in the addresses of
/// pages too; headers and cookies are not shown.
event::Json to_json(const hub::ConnectionInfo& info, const ServiceName& service, const std::string& server_id);
/// Masks the clientId in what to_json() wrote.
void mask_client_id(event::Json& connection);

/// A URL, or a part of one, with its password and the values of parameters that hold secrets masked, in the query and
/// in the fragment; and `token`, the stream's access token, wherever it stands.
std::string mask_url(std::string_view url, const std::string& token = "");

/// A pending message as the admin API shows it; a token as recipient is masked.
event::Json to_json(const delivery::PendingMessage& message, bool with_data);

/// The answer to a send: the text of api::to_json(SendResult), without making a document first.
std::string to_text(const delivery::SendResult& sent);

}  // namespace sse::gateway
