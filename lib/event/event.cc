#include "event/event.h"

#include <algorithm>

#include "base/error.h"
#include "base/ids.h"
#include "base/text.h"

namespace sse::event {
namespace {

void validate_line(std::string_view what, const std::string& value) {
  if (std::ranges::any_of(value, [](char c) { return c == '\r' || c == '\n' || c == '\0'; })) {
    throw Error(ErrorCode::kInvalidArgument, "the event " + std::string(what) + " '" + printable(value, 60) +
                                                 "' holds a line break or NUL, which an event stream cannot carry");
  }
  if (!is_valid_utf8(value)) {
    throw Error(ErrorCode::kInvalidArgument, "the event " + std::string(what) + " is not valid UTF-8");
  }
}

void append_field(std::string& out, std::string_view field, std::string_view value) {
  out += field;
  // A reader removes one space after the colon (WHATWG HTML 9.2.6), so that a value that begins with a space needs
  // another.
  out += !value.empty() && value.front() == ' ' ? ": " : ":";
  out += value;
  out += '\n';
}

}  // namespace

void validate(const Event& event) {
  validate_line("name", event.name);
  validate_line("id", event.id);
  if (!is_valid_utf8(event.data)) {
    throw Error(ErrorCode::kInvalidArgument, "the event data is not valid UTF-8; encode binary data as base64");
  }
}

bool has_channel_mark(std::string_view encoded) {
  constexpr std::string_view kField = "event:";
  if (!encoded.starts_with(kField)) return false;
  encoded.remove_prefix(kField.size());
  return encoded.starts_with(kChannelMark) && encoded.substr(kChannelMark.size()).starts_with('\n');
}

std::uint64_t id_of(std::string_view encoded) {
  if (has_channel_mark(encoded)) encoded.remove_prefix(std::min(encoded.find("\n\n") + 2, encoded.size()));
  if (!encoded.starts_with("id:")) return 0;
  encoded.remove_prefix(3);
  return parse_id(encoded.substr(0, encoded.find('\n'))).value_or(0);
}

std::string_view name_of(std::string_view encoded) {
  constexpr std::string_view kField = "event:";
  while (!encoded.empty() && !encoded.starts_with("data:")) {
    const std::size_t end = std::min(encoded.find('\n'), encoded.size());
    if (encoded.starts_with(kField)) return encoded.substr(kField.size(), end - kField.size());
    encoded.remove_prefix(std::min(end + 1, encoded.size()));
  }
  return {};
}

std::string encode(const Event& event) {
  std::string out;
  out.reserve(event.data.size() + event.name.size() + event.id.size() + 40);
  if (!event.id.empty()) append_field(out, "id", event.id);
  if (event.retry) append_field(out, "retry", std::to_string(event.retry->count()));
  if (!event.name.empty()) append_field(out, "event", event.name);
  std::string_view rest = event.data;
  // Two passes of memchr are much faster than one of find_first_of; most data contains no CR.
  const bool has_cr = rest.find('\r') != std::string_view::npos;
  for (;;) {
    const std::size_t cut = has_cr ? rest.find_first_of("\r\n") : rest.find('\n');
    append_field(out, "data", rest.substr(0, cut));
    if (cut == std::string_view::npos) break;
    const bool crlf = rest[cut] == '\r' && cut + 1 < rest.size() && rest[cut + 1] == '\n';
    rest.remove_prefix(cut + (crlf ? 2 : 1));
  }
  out += '\n';
  return out;
}

std::string encode_cursor(std::string_view id) {
  std::string out;
  append_field(out, "id", id);
  out += '\n';
  return out;
}

}  // namespace sse::event
