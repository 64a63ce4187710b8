#include "api/stream_parser.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace sse::api {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

void StreamParser::restart() {
  rest_.clear();
  after_cr_ = false;
  begun_ = false;
  name_.clear();
  data_.clear();
  id_ = last_id_;
}

void StreamParser::feed(std::string_view bytes, const Take& take) {
  while (!bytes.empty()) {
    if (std::exchange(after_cr_, false) && bytes.front() == '\n') {
      bytes.remove_prefix(1);
      continue;
    }
    const std::size_t end = bytes.find_first_of("\r\n");
    rest_ += bytes.substr(0, end);
    if (end == std::string_view::npos) return;
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    const std::string whole = std::exchange(rest_, {});
    std::string_view text = whole;
    if (!std::exchange(begun_, true) && text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    line(text, take);
  }
}

void StreamParser::line(std::string_view text, const Take& take) {
  if (text.empty()) {
    last_id_ = id_;
    if (!data_.empty()) {
      data_.pop_back();  // the line feed of its last line
      take({name_.empty() ? "message" : name_, std::exchange(data_, {}), last_id_});
    }
    name_.clear();
    return;
  }
  const std::size_t colon = text.find(':');
  if (colon == 0) return;  // a comment
  std::string_view value = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  field(text.substr(0, colon), value);
}

void StreamParser::field(std::string_view name, std::string_view value) {
  if (name == "data") {
    data_ += value;
    data_ += '\n';
  } else if (name == "event") {
    name_ = value;
  } else if (name == "id") {
    if (value.find('\0') == std::string_view::npos) id_ = value;
  } else if (name == "retry" && std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; })) {
    std::int64_t millis = 0;
    const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), millis);
    if (error == std::errc{}) retry_ = std::chrono::milliseconds(millis);
  }
}

}  // namespace sse::api
