#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sse::net {

/// Matches the paths of a route: text with variable parts.
///
///   {}       one segment of 1 to kMaxSegment bytes
///   {+}      one byte or more, slashes included
///   {*}      anything, slashes included, or nothing
///   {a|b|c}  one of these words
///
/// A backslash escapes the next character. Immutable.
class PathTemplate {
 public:
  static constexpr std::size_t kMaxSegment = 40;

  /// Throws std::invalid_argument for a brace that is not closed.
  explicit PathTemplate(std::string_view text);

  /// True when the whole `path` matches.
  bool matches(std::string_view path) const { return matches(path, 0); }
  /// The same as an ECMAScript regular expression that captures the variable parts.
  std::string regex() const;
  /// `text` with the special characters of templates escaped.
  static std::string literal(std::string_view text);

 private:
  enum class Kind : unsigned char { kText, kSegment, kSome, kAny, kWord };
  struct Part {
    Kind kind = Kind::kText;
    std::string text{};                // kText
    std::vector<std::string> words{};  // kWord
  };

  bool matches(std::string_view path, std::size_t part) const;

  std::vector<Part> parts_;
};

}  // namespace sse::net
