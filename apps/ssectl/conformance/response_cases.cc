#include <algorithm>
#include <string>

#include "base/text.h"
#include "base/units.h"
#include "ssectl/conformance/framing.h"
#include "ssectl/conformance/suite.h"

namespace sse::ctl {
namespace {

using std::chrono::milliseconds;

std::string header_of(Suite& suite, std::string_view name) {
  return suite.quiet().state().head->header(name);
}

void has_the_type(Suite& suite) {
  const std::string type = header_of(suite, "Content-Type");
  std::string essence = to_lower(type.substr(0, type.find(';')));
  essence = trim_blanks(essence);
  if (essence != "text/event-stream") throw CaseFailed{"Content-Type is '" + printable(type, 80) + "'"};
}

void names_no_other_encoding(Suite& suite) {
  const std::string type = to_lower(header_of(suite, "Content-Type"));
  const std::size_t charset = type.find("charset=");
  if (charset == std::string::npos) return;
  const std::string name = type.substr(charset + 8);
  if (!name.starts_with("utf-8") && !name.starts_with("\"utf-8"))
    throw CaseFailed{"charset is '" + printable(name, 40) + "'"};
}

void has_no_length(Suite& suite) {
  const std::string length = header_of(suite, "Content-Length");
  if (!length.empty()) throw CaseFailed{"Content-Length is " + printable(length, 40)};
}

void is_not_cached(Suite& suite) {
  const std::string cache = to_lower(header_of(suite, "Cache-Control"));
  if (cache.find("no-cache") == std::string::npos && cache.find("no-store") == std::string::npos)
    throw CaseFailed{cache.empty() ? "Cache-Control is missing" : "Cache-Control is '" + printable(cache, 80) + "'"};
}

void head_comes_at_once(Suite& suite) {
  const auto state = suite.quiet().state();
  const auto taken = std::chrono::duration_cast<milliseconds>(state.head->at - state.started);
  if (taken > milliseconds(2000)) throw CaseFailed{"it came " + format_age(taken) + " after the request"};
}

void lets_other_origins_in_or_not(Suite& suite) {
  const std::string origin = "https://conformance.example";
  const auto stream = suite.open({{"Origin", origin}});
  const api::ProbeHead head = *stream->state().head;
  const std::string allowed = head.header("Access-Control-Allow-Origin");
  if (allowed.empty()) return;
  if (allowed != "*" && allowed != origin && allowed != "null" && allowed.find_first_of(", ") != std::string::npos)
    throw CaseFailed{"Access-Control-Allow-Origin is '" + printable(allowed, 80) + "', which is not one origin"};
  if (allowed == "*" && to_lower(head.header("Access-Control-Allow-Credentials")) == "true")
    throw CaseFailed{"it allows credentials to all origins ('*'), which browsers refuse"};
  if (allowed == origin && to_lower(head.header("Vary")).find("origin") == std::string::npos)
    throw CaseFailed{"it allows the origin that asks, without Vary: Origin"};
}

// Last of its group: by now the stream has been open for a while; the load cases are still to come.
void format_is_valid(Suite& suite) {
  const auto stream = suite.open();
  stream->wait(milliseconds(1000), [](const api::ProbeState& state) { return state.bytes > 0; });
  if (const std::string error = framing_error(stream->state().body); !error.empty()) throw CaseFailed{error};
}

constexpr Case kCases[] = {
    {"response", "has the type text/event-stream", "WHATWG HTML 9.2.3", has_the_type},
    {"response", "names no encoding but UTF-8", "WHATWG HTML 9.2.5", names_no_other_encoding},
    {"response", "has no length", "RFC 9112 6.2", has_no_length},
    {"response", "is not to be cached", "RFC 9111 5.2.2", is_not_cached},
    {"response", "its head comes before the first event", "", head_comes_at_once},
    {"response", "allows other origins as browsers accept it, or not at all", "WHATWG Fetch 3.2",
     lets_other_origins_in_or_not},
    {"response", "is a valid event stream from its first byte", "WHATWG HTML 9.2.5", format_is_valid},
};

}  // namespace

std::span<const Case> response_cases() {
  return kCases;
}

}  // namespace sse::ctl
