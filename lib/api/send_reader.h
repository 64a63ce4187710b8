#pragma once

#include <string_view>

#include "api/types.h"

namespace sse::api {

/// Reads a request to send. The usual shape is read straight from the text, at about a tenth of what a document costs;
/// anything else takes parse_json and send_request_from_json, so that results and errors are theirs in any case.
/// `what` names the text in errors. Throws Error(kInvalidArgument). Any thread.
SendRequest read_send_request(std::string_view text, std::string_view what);

}  // namespace sse::api
