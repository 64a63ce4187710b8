#include "net/path_template.h"

#include <algorithm>
#include <stdexcept>

namespace sse::net {

namespace {

// The characters that a dot in a regular expression does not match (ECMA-262 §12.3), those of one byte.
constexpr std::string_view kLineEnds = "\n\r";
// The special characters of a regular expression.
constexpr std::string_view kSpecial = "^$\\.*+?()[]{}|/";

std::string escaped(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

PathTemplate::PathTemplate(std::string_view text) {
  std::string plain;
  const auto end_text = [&] {
    if (!plain.empty()) parts_.push_back({Kind::kText, std::move(plain)});
    plain.clear();
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      plain += text[++i];
      continue;
    }
    if (text[i] != '{') {
      plain += text[i];
      continue;
    }
    end_text();
    const std::size_t close = text.find('}', i);
    if (close == std::string_view::npos) throw std::invalid_argument("a path template with an open brace");
    const std::string_view inside = text.substr(i + 1, close - i - 1);
    if (inside.empty()) {
      parts_.push_back({Kind::kSegment});
    } else if (inside == "+") {
      parts_.push_back({Kind::kSome});
    } else if (inside == "*") {
      parts_.push_back({Kind::kAny});
    } else {
      Part word{Kind::kWord};
      for (std::size_t at = 0; at <= inside.size();) {
        const std::size_t bar = std::min(inside.find('|', at), inside.size());
        word.words.emplace_back(inside.substr(at, bar - at));
        at = bar + 1;
      }
      parts_.push_back(std::move(word));
    }
    i = close;
  }
  end_text();
}

bool PathTemplate::matches(std::string_view path, std::size_t part) const {
  if (part == parts_.size()) return path.empty();
  const Part& first = parts_[part];
  if (first.kind == Kind::kText)
    return path.starts_with(first.text) && matches(path.substr(first.text.size()), part + 1);
  if (first.kind == Kind::kWord) {
    return std::ranges::any_of(first.words, [&](const std::string& word) {
      return path.starts_with(word) && matches(path.substr(word.size()), part + 1);
    });
  }
  const bool segment = first.kind == Kind::kSegment;
  const std::size_t longest = segment ? std::min({path.find('/'), kMaxSegment, path.size()})
                                      : std::min(path.find_first_of(kLineEnds), path.size());
  const std::size_t shortest = first.kind == Kind::kAny ? 0 : 1;
  // The variable part is nearly always the last part, or followed by the last: both cases need one comparison.
  if (part + 1 == parts_.size()) return path.size() >= shortest && path.size() <= longest;
  const std::string& next = parts_[part + 1].text;
  if (part + 2 == parts_.size() && parts_[part + 1].kind == Kind::kText) {
    if (!path.ends_with(next)) return false;
    const std::size_t size = path.size() - next.size();
    return size >= shortest && size <= longest;
  }
  for (std::size_t size = shortest; size <= longest; ++size) {
    if (matches(path.substr(size), part + 1)) return true;
  }
  return false;
}

std::string PathTemplate::regex() const {
  std::string out;
  for (const Part& part : parts_) {
    switch (part.kind) {
      case Kind::kText:
        out += escaped(part.text, kSpecial);
        break;
      case Kind::kSegment:
        out += "([^\\/]{1," + std::to_string(kMaxSegment) + "})";
        break;
      case Kind::kSome:
        out += "(.+)";
        break;
      case Kind::kAny:
        out += "(.*)";
        break;
      case Kind::kWord: {
        std::string words;
        for (const std::string& word : part.words) words += (words.empty() ? "" : "|") + escaped(word, kSpecial);
        out += "(" + words + ")";
        break;
      }
    }
  }
  return out;
}

std::string PathTemplate::literal(std::string_view text) {
  return escaped(text, "{}\\");
}

}  // namespace sse::net
