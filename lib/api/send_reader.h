#pragma once

#include <string_view>

#include "api/types.h"

namespace sse::api {

/// Parses a send request. The usual form is read directly from the text, at about a tenth of the cost of a JSON
/// document; any other form goes through parse_json and send_request_from_json, so that results and errors are always
/// theirs. `what` names the text in errors. Throws Error(kInvalidArgument). Any thread.
SendRequest read_send_request(std::string_view text, std::string_view what);

}  // namespace sse::api
