#pragma once

#include <string>
#include <string_view>

#include "event/json.h"
#include "net/httplib_app.h"

namespace sse::pages {

/// The JSON text of a response to a page (PROTOCOL.md): `success`, `code`, `data`, `message` and `errorMessage`, in the
/// field order of the Java library. `error`: a sentence, or null.
std::string page_envelope(bool success, int code, event::Json data, event::Json error);

/// Writes a successful response with `data` into `res`; caches may not store it.
void answer_ok(httplib::Response& res, event::Json data);

/// The sentence for a request without credentials; any other of a 401 is about credentials that are not valid.
inline constexpr const char* kNotAuthenticated = "the sender of this request is not authenticated; log in first";

/// The value of WWW-Authenticate in a 401 (RFC 6750 §3; browsers show no dialogue for Bearer). `reason`: why the token
/// was refused; empty: there was none.
std::string bearer_challenge(std::string_view reason);

/// Writes an error into `res`, as net::Router::ErrorWriter. The sentence is made printable and cut at 500 bytes.
void write_page_error(httplib::Response& res, int status, const std::string& code, const std::string& sentence);

/// The body of that error.
std::string page_error(int status, const std::string& sentence);

}  // namespace sse::pages
