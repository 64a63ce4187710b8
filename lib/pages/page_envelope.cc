#include "pages/page_envelope.h"

#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace sse::pages {

using event::Json;

std::string page_envelope(bool success, int code, Json data, Json error) {
  return event::dump_fields({{"success", success},
                             {"code", code},
                             {"data", std::move(data)},
                             {"message", nullptr},
                             {"errorMessage", std::move(error)}});
}

void answer_ok(httplib::Response& res, Json data) {
  res.set_header("Cache-Control", "no-store");
  res.set_content(page_envelope(true, 200, std::move(data), nullptr), "application/json");
}

std::string bearer_challenge(std::string_view reason) {
  if (reason.empty()) return "Bearer";
  std::string text;
  // RFC 6750 §3: printable ASCII without quotation marks and backslashes.
  for (const char c : reason) text += c < ' ' || c > '~' || c == '"' || c == '\\' ? '?' : c;
  return "Bearer error=\"invalid_token\", error_description=\"" + text + "\"";
}

void write_page_error(httplib::Response& res, int status, const std::string& code, const std::string& sentence) {
  if (status == 401) {
    const bool has_credentials = code == error_name(ErrorCode::kUnauthenticated) && sentence != kNotAuthenticated;
    res.set_header("WWW-Authenticate", bearer_challenge(has_credentials ? sentence : ""));
  }
  res.status = status;
  res.set_content(page_error(status, sentence), "application/json");
}

std::string page_error(int status, const std::string& sentence) {
  return page_envelope(false, status, nullptr, printable(sentence, 500));
}

}  // namespace sse::pages
