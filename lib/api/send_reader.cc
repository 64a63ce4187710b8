#include "api/send_reader.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "event/target.h"

namespace sse::api {
namespace {

// Scans the part of JSON (RFC 8259) that send requests usually contain; false only means that the text is not in that
// part.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool sign(char c) {
    skip_space();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool end() {
    skip_space();
    return rest_.empty();
  }

  bool boolean(bool& value) {
    skip_space();
    value = rest_.starts_with("true");
    if (!value && !rest_.starts_with("false")) return false;
    rest_.remove_prefix(value ? 4 : 5);
    return true;
  }

  // Reads a string without \u escapes.
  bool string(std::string& value) {
    value.clear();
    if (!sign('"')) return false;
    for (;;) {
      const std::size_t quote = rest_.find('"');
      if (quote == std::string_view::npos) return false;
      const std::size_t stop = std::min(rest_.substr(0, quote).find('\\'), quote);
      const std::string_view plain = rest_.substr(0, stop);
      if (has_control(plain)) return false;
      value += plain;
      rest_.remove_prefix(stop + 1);
      if (stop == quote) return true;
      if (rest_.empty() || !append_escaped(value, rest_.front())) return false;
      rest_.remove_prefix(1);
    }
  }

  bool strings(std::vector<std::string>& values) {
    if (!sign('[')) return false;
    do {
      if (!string(values.emplace_back())) return false;
    } while (sign(','));
    return sign(']');
  }

 private:
  // Checks the whole text without an early exit, so that compilers can vectorize the loop.
  static bool has_control(std::string_view text) {
    bool found = false;
    for (const char c : text) found |= static_cast<unsigned char>(c) < 0x20;
    return found;
  }

  static bool append_escaped(std::string& value, char c) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const std::size_t found = kNames.find(c);
    if (found == std::string_view::npos) return false;
    value += kMeanings[found];
    return true;
  }

  void skip_space() {
    while (!rest_.empty() &&
           (rest_.front() == ' ' || rest_.front() == '\t' || rest_.front() == '\r' || rest_.front() == '\n')) {
      rest_.remove_prefix(1);
    }
  }

  std::string_view rest_;
};

// Returns true for the first use of each bit, to detect repeated names.
class SeenNames {
 public:
  bool operator()(unsigned bit) { return (std::exchange(seen_, seen_ | (1U << bit)) & (1U << bit)) == 0; }
  bool saw(unsigned bit) const { return (seen_ & (1U << bit)) != 0; }

 private:
  unsigned seen_ = 0;
};

template <std::size_t n>
std::optional<unsigned> index_of(const std::array<std::string_view, n>& names, std::string_view name) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<unsigned>(found - names.begin());
}

bool read_target(Scanner& scanner, std::string& key, event::Target& target) {
  // The indexes match kKinds.
  constexpr std::array<std::string_view, 5> kNames{"users", "tokens", "tenants", "channels", "listening"};
  constexpr std::array kKinds{event::TargetKind::kUser, event::TargetKind::kToken, event::TargetKind::kTenant,
                              event::TargetKind::kChannel};
  SeenNames once;
  if (!scanner.sign('{')) return false;
  bool named = false;
  do {
    if (!scanner.string(key) || !scanner.sign(':')) return false;
    if (key == "all") {
      bool all = false;
      if (named || !scanner.boolean(all) || !all) return false;
      named = true;
      continue;
    }
    const auto index = index_of(kNames, key);
    if (!index || !once(*index)) return false;
    if (*index == 4) {
      if (!scanner.boolean(target.listening)) return false;
      continue;
    }
    if (named || !scanner.strings(target.names)) return false;
    named = true;
    target.kind = kKinds.at(*index);
  } while (scanner.sign(','));
  return named && scanner.sign('}');
}

bool read_common(std::string_view text, SendRequest& request) {
  constexpr std::array<std::string_view, 5> kNames{"target", "event", "data", "qos", "service"};
  if (!is_valid_utf8(text)) return false;
  Scanner scanner(text);
  SeenNames once;
  std::string word;
  if (!scanner.sign('{')) return false;
  do {
    if (!scanner.string(word) || !scanner.sign(':')) return false;
    const auto index = index_of(kNames, word);
    if (!index || !once(*index)) return false;
    bool read = false;
    switch (*index) {
      case 0:
        read = read_target(scanner, word, request.target);
        break;
      case 1:
        read = scanner.string(request.event);
        break;
      case 2:
        read = scanner.string(request.data);
        break;
      case 3:
        read = scanner.boolean(request.qos);
        break;
      default:
        read = scanner.string(word);
        request.service = ServiceName(word);
    }
    if (!read) return false;
  } while (scanner.sign(','));
  return once.saw(0) && scanner.sign('}') && scanner.end();
}

}  // namespace

SendRequest read_send_request(std::string_view text, std::string_view what) {
  SendRequest request;
  if (!read_common(text, request)) return send_request_from_json(event::parse_json(text, what));
  event::normalize(request.target);
  return request;
}

}  // namespace sse::api
