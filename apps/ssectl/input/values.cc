#include "ssectl/input/values.h"

#include <algorithm>

#include "base/error.h"
#include "base/ids.h"
#include "base/text.h"
#include "base/units.h"

namespace sse::ctl {

std::vector<std::uint64_t> parse_ids(const std::vector<std::string>& texts) {
  std::vector<std::uint64_t> ids;
  for (const std::string& text : texts) {
    const auto id = parse_id(text);
    if (!id) throw Error(ErrorCode::kInvalidArgument, "'" + printable(text, 60) + "' is not an id (a whole number)");
    if (std::find(ids.begin(), ids.end(), *id) == ids.end()) ids.push_back(*id);
  }
  return ids;
}

std::pair<std::string, std::string> named_value(const std::string& option, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw Error(ErrorCode::kInvalidArgument, option + " must be NAME=VALUE, not '" + printable(text, 60) + "'");
  return {text.substr(0, equals), text.substr(equals + 1)};
}

std::chrono::milliseconds duration_option(const std::string& option, const std::string& text) {
  try {
    return parse_duration(text);
  } catch (const Error& e) {
    throw Error(e.code(), option + ": " + e.what());
  }
}

}  // namespace sse::ctl
