#include "net/multipart.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "base/url.h"

namespace sse::net {
namespace {

constexpr std::string_view kFormData = "multipart/form-data";
constexpr std::size_t kMaxBoundary = 70;
// Transport padding (RFC 2046 §5.1.1), which no known client sends.
constexpr std::size_t kMaxPadding = 128;
constexpr std::size_t kPiece = std::size_t{64} * 1024;

[[noreturn]] void malformed(const char* what) {
  throw Error(ErrorCode::kInvalidArgument, std::string("the multipart/form-data body is malformed: ") + what);
}

struct Parameter {
  std::string name;  // lower case
  std::string value;
};

// The parameters after the first ';' (RFC 9110 §5.6.6). In a quoted string a backslash escapes a quote or another
// backslash; before anything else it is literal, because browsers send Windows paths.
std::vector<Parameter> parameters(std::string_view value) {
  std::vector<Parameter> found;
  std::size_t at = value.find(';');
  while (at < value.size()) {
    ++at;
    const std::size_t equals = value.find_first_of("=;", at);
    if (equals == std::string_view::npos) break;
    if (value[equals] == ';') {
      at = equals;
      continue;
    }
    Parameter parameter;
    parameter.name = to_lower(trim_blanks(value.substr(at, equals - at)));
    at = equals + 1;
    while (at < value.size() && (value[at] == ' ' || value[at] == '\t')) ++at;
    if (at < value.size() && value[at] == '"') {
      ++at;
      for (; at < value.size() && value[at] != '"'; ++at) {
        if (value[at] == '\\' && at + 1 < value.size() && (value[at + 1] == '"' || value[at + 1] == '\\')) ++at;
        parameter.value += value[at];
      }
      at = value.find(';', at);
    } else {
      const std::size_t end = std::min(value.find(';', at), value.size());
      parameter.value = trim_blanks(value.substr(at, end - at));
      at = end;
    }
    found.push_back(std::move(parameter));
  }
  return found;
}

// RFC 8187: charset'language'percent-encoded text. Nullopt for another charset than UTF-8.
std::optional<std::string> extended_value(std::string_view value) {
  const std::size_t charset = value.find('\'');
  const std::size_t language = charset == std::string_view::npos ? charset : value.find('\'', charset + 1);
  if (language == std::string_view::npos || to_lower(value.substr(0, charset)) != "utf-8") return std::nullopt;
  return percent_decode(value.substr(language + 1));
}

MultipartPart part_of(std::string_view head) {
  MultipartPart part;
  bool named = false;
  bool has_disposition = false;
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(head.size(), end == std::string_view::npos ? head.size() : end + 2));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) malformed("a line of a part's head has no field name");
    const std::string name = to_lower(line.substr(0, colon));
    const std::string_view value = trim_blanks(line.substr(colon + 1));
    if (name == "content-type") {
      part.content_type = value;
    } else if (name == "content-disposition") {
      if (std::exchange(has_disposition, true)) malformed("a part has two Content-Disposition fields");
      if (to_lower(trim_blanks(value.substr(0, value.find(';')))) != "form-data") malformed("a part is not form-data");
      std::optional<std::string> extended;
      for (Parameter& parameter : parameters(value)) {
        if (parameter.name == "name") {
          part.name = std::move(parameter.value);
          named = true;
        } else if (parameter.name == "filename") {
          part.filename = std::move(parameter.value);
          part.is_file = true;
        } else if (parameter.name == "filename*") {
          extended = extended_value(parameter.value);
        }
      }
      if (extended) {
        part.filename = std::move(*extended);
        part.is_file = true;
      }
    }
  }
  if (!named) malformed("a part has no name");
  return part;
}

class FieldSink final : public MultipartParser::Sink {
 public:
  void part(const MultipartPart& part) override {
    const auto [field, fresh] = fields.try_emplace(part.name);
    current_ = fresh && !part.is_file ? &field->second : nullptr;
  }
  void data(std::string_view bytes) override {
    if (current_ != nullptr) current_->append(bytes);
  }

  std::map<std::string, std::string> fields;

 private:
  std::string* current_ = nullptr;
};

}  // namespace

bool is_multipart(std::string_view content_type) {
  return to_lower(trim_blanks(content_type).substr(0, 9)) == "multipart";
}

std::optional<std::string> multipart_boundary(std::string_view content_type) {
  const std::string_view type = trim_blanks(content_type.substr(0, content_type.find(';')));
  if (to_lower(type) != kFormData) return std::nullopt;
  constexpr std::string_view kSymbols = "'()+_,-./:=? ";
  for (Parameter& parameter : parameters(content_type)) {
    if (parameter.name != "boundary") continue;
    const std::string& value = parameter.value;
    const bool good = !value.empty() && value.size() <= kMaxBoundary && value.back() != ' ' &&
                      std::ranges::all_of(value, [&](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                               kSymbols.find(c) != std::string_view::npos;
                      });
    return good ? std::optional(std::move(parameter.value)) : std::nullopt;
  }
  return std::nullopt;
}

// The first delimiter needs no line break before it, so that the buffer starts with one.
MultipartParser::MultipartParser(std::string_view boundary, Sink& sink, MultipartLimits limits)
    : delimiter_("\r\n--" + std::string(boundary)), sink_(sink), limits_(limits), buffer_("\r\n") {}

// step() leaves less than a delimiter line or one part's head, and scans each byte once: the cost of a call is linear
// in its input, plus a bounded amount.
void MultipartParser::feed(std::string_view bytes) {
  while (!bytes.empty() && state_ != State::kEnd) {
    const std::string_view piece = bytes.substr(0, kPiece);
    bytes.remove_prefix(piece.size());
    buffer_.append(piece);
    std::string_view rest = buffer_;
    while (step(rest)) {
    }
    buffer_.erase(0, buffer_.size() - rest.size());
  }
}

void MultipartParser::finish() const {
  if (state_ != State::kEnd) malformed("it ends before its last delimiter");
}

// Parses one step; false when it needs more bytes.
bool MultipartParser::step(std::string_view& rest) {
  switch (state_) {
    case State::kPreamble:
    case State::kData:
      return take_content(rest);
    case State::kDelimiter:
      return take_delimiter_line(rest);
    case State::kHead:
      return take_head(rest);
    case State::kEnd:
      rest = {};  // the epilogue
      return false;
  }
  return false;
}

bool MultipartParser::take_content(std::string_view& rest) {
  // A boundary contains no CR, so that find() never backtracks further than it has looked ahead.
  const std::size_t found = rest.find(delimiter_);
  std::size_t content = found;
  if (found == std::string_view::npos) {
    // The tail may be the beginning of a delimiter.
    content = rest.size();
    const std::size_t tail = rest.size() - std::min(rest.size(), delimiter_.size() - 1);
    for (std::size_t cr = rest.find('\r', tail); cr != std::string_view::npos; cr = rest.find('\r', cr + 1)) {
      if (!std::string_view(delimiter_).starts_with(rest.substr(cr))) continue;
      content = cr;
      break;
    }
  }
  if (state_ == State::kPreamble) {
    skipped_ += content;
    if (skipped_ > limits_.skipped_bytes) malformed("there is no delimiter");
  } else if (content > 0) {
    sink_.data(rest.substr(0, content));
  }
  rest.remove_prefix(content);
  if (found == std::string_view::npos) return false;
  rest.remove_prefix(delimiter_.size());
  state_ = State::kDelimiter;
  return true;
}

bool MultipartParser::take_delimiter_line(std::string_view& rest) {
  if (rest.size() < 2) return false;
  if (rest.starts_with("--")) {
    state_ = State::kEnd;
    return true;
  }
  const std::size_t end = rest.substr(0, kMaxPadding + 2).find("\r\n");
  if (end == std::string_view::npos) {
    if (rest.size() > kMaxPadding) malformed("a delimiter does not end its line");
    return false;
  }
  if (!trim_blanks(rest.substr(0, end)).empty()) malformed("a delimiter is followed by text on its line");
  rest.remove_prefix(end + 2);
  if (++parts_ > limits_.parts)
    throw Error(ErrorCode::kTooLarge, "more than " + std::to_string(limits_.parts) + " parts in one body");
  state_ = State::kHead;
  return true;
}

bool MultipartParser::take_head(std::string_view& rest) {
  if (rest.starts_with("\r\n")) malformed("a part has no name");
  const std::size_t end = rest.substr(0, limits_.head_bytes).find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (rest.size() >= limits_.head_bytes) {
      throw Error(ErrorCode::kTooLarge,
                  "the head of a part is longer than " + std::to_string(limits_.head_bytes) + " bytes");
    }
    return false;
  }
  sink_.part(part_of(rest.substr(0, end)));
  rest.remove_prefix(end + 4);
  state_ = State::kData;
  return true;
}

std::map<std::string, std::string> read_form(std::string_view content_type, std::string_view body) {
  if (const auto boundary = multipart_boundary(content_type)) {
    FieldSink sink;
    MultipartParser parser(*boundary, sink);
    parser.feed(body);
    parser.finish();
    return std::move(sink.fields);
  }
  if (to_lower(trim_blanks(content_type.substr(0, content_type.find(';')))) != "application/x-www-form-urlencoded")
    return {};
  return form_values(body);
}

}  // namespace sse::net
