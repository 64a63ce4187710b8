#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "net/front_options.h"

namespace sse::net {

// Sentences of responses that are sent in more than one place.
inline constexpr const char* kTooManyWaiting = "the server has too many requests waiting; try again later";
inline constexpr const char* kTooBusy = "the server is busy with requests of this kind; try again later";
inline constexpr const char* kBodyTooLarge = "the request body is larger than this server accepts";
inline constexpr const char* kFailed = "the request could not be handled; the server's log says why";

/// A refusal as plain text, one line.
RefusalText plain_refusal(std::string_view sentence);

/// A whole response after which the connection is closed. 429 and 503 say when to retry.
std::string refusal_response(WallTime now, int status, const RefusalText& text);

}  // namespace sse::net
