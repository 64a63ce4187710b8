#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "delivery/sender.h"
#include "event/json.h"
#include "hub/connection.h"
#include "store/message_repository.h"

namespace sse::application {

/// A connection in the JSON form of PROTOCOL.md and the admin API. Tokens are masked, also in parameters and page
/// addresses; headers and cookies are left out.
event::Json to_json(const hub::ConnectionInfo& info, const ServiceName& service, const std::string& server_id);
/// The names as a list.
event::Json channels_json(const std::vector<ChannelName>& channels);
/// Masks the clientId in the result of to_json().
void mask_client_id(event::Json& connection);

/// A URL, or part of one, with its password and the values of secret parameters masked, in the query and in the
/// fragment. All occurrences of `token`, the stream's access token, are masked, too.
std::string mask_url(std::string_view url, const std::string& token = "");

/// A pending message in the JSON form of the admin API; a recipient that is a token is masked.
event::Json to_json(const store::PendingMessage& message, bool with_data);

/// The answer to a send: the same text as api::to_json(SendResult), without building a JSON document.
std::string to_text(const delivery::SendResult& sent);

}  // namespace sse::application
