#include "base/json_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sse {
namespace {

constexpr bool needs_no_escape(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\' && byte != 0x7F;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  if (!std::ranges::all_of(text, needs_no_escape)) {
    out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return;
  }
  out += '"';
  out += text;
  out += '"';
}

void append_json_number(std::string& out, double value) {
  out += nlohmann::json(value).dump();
}

}  // namespace sse
