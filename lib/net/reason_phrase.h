#pragma once

namespace sse::net {

/// The reason phrase of a status that this program sends (RFC 9110 §15, RFC 6585, RFC 4918); "Internal Server Error"
/// for any other.
const char* reason_phrase(int status);

}  // namespace sse::net
