#pragma once

#include <string>

#include "event/json.h"
#include "net/httplib_app.h"

namespace sse::pages {

/// The JSON text of a response to a page (PROTOCOL.md): `success`, `code`, `data`, `message` and `errorMessage`, in the
/// field order of the Java library. `error`: a sentence, or null.
std::string page_envelope(bool success, int code, event::Json data, event::Json error);

/// Writes a successful response with `data` into `res`; caches may not store it.
void answer_ok(httplib::Response& res, event::Json data);

/// Writes an error into `res`, as net::Router::ErrorWriter. The sentence is made printable and cut at 500 bytes.
void write_page_error(httplib::Response& res, int status, const std::string& code, const std::string& sentence);

/// The body of that error.
std::string page_error(int status, const std::string& sentence);

}  // namespace sse::pages
