#include "ssectl/conformance/framing.h"

#include <algorithm>

#include "base/text.h"

namespace sse::ctl {
namespace {

// Takes a line from the front of `rest`, without its end, which is CRLF, LF or CR; false when none is complete.
bool take_line(std::string_view& rest, std::string_view& line) {
  const std::size_t end = rest.find_first_of("\r\n");
  // Whether a CR at the end of what has come belongs to a CRLF is not known yet.
  if (end == std::string_view::npos || (rest[end] == '\r' && end + 1 == rest.size())) return false;
  line = rest.substr(0, end);
  rest.remove_prefix(end + (rest.substr(end).starts_with("\r\n") ? 2 : 1));
  return true;
}

std::string quoted(std::string_view text) {
  return "'" + printable(std::string(text.substr(0, 60)), 200) + "'";
}

}  // namespace

std::string framing_error(std::string_view stream) {
  if (stream.starts_with("\xEF\xBB\xBF")) stream.remove_prefix(3);
  std::string_view line;
  bool has_data = false;
  bool has_name = false;
  while (take_line(stream, line)) {
    if (!is_valid_utf8(line)) return "the line " + quoted(line) + " is not UTF-8";
    if (line.empty()) {
      if (has_name && !has_data) return "an event has a name but no data: browsers drop it";
      has_data = has_name = false;
      continue;
    }
    if (line.front() == ':') continue;
    const std::size_t colon = std::min(line.find(':'), line.size());
    const std::string_view field = line.substr(0, colon);
    std::string_view value = line.substr(std::min(colon + 1, line.size()));
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (field == "data") {
      has_data = true;
    } else if (field == "event") {
      has_name = true;
    } else if (field == "id") {
      if (value.find('\0') != std::string_view::npos) return "an id has a NUL: browsers ignore it";
    } else if (field == "retry") {
      if (value.empty() || value.find_first_not_of("0123456789") != std::string_view::npos)
        return "retry is " + quoted(value) + ", not digits: browsers ignore it";
    } else {
      return "browsers ignore the line " + quoted(line) + ": no field is called " + quoted(field);
    }
  }
  return "";
}

}  // namespace sse::ctl
