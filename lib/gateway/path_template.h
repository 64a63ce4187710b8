#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sse::gateway {

/// What the paths of a route look like: text with variable parts.
///
///   {}       one segment of 1 to kMaxSegment bytes
///   {+}      one byte or more, slashes included
///   {*}      anything, slashes included, or nothing
///   {a|b|c}  one of these words
///
/// A backslash takes the special meaning from what follows it. Immutable.
class PathTemplate {
 public:
  static constexpr std::size_t kMaxSegment = 40;

  /// Throws std::invalid_argument where a brace is not closed.
  explicit PathTemplate(std::string_view text);

  /// Whether this is the form of the whole `path`.
  bool matches(std::string_view path) const { return matches(path, 0); }
  /// The same as an ECMAScript regular expression, which captures the variable parts.
  std::string regex() const;
  /// `text` with what is special in templates escaped.
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

}  // namespace sse::gateway
