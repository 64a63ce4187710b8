#include "ssectl/terminal/width.h"

#include <locale.h>
#include <wchar.h>

#include <algorithm>

namespace sse::ctl {
namespace {

// Created once, because the locale is loaded from files.
locale_t utf8() {
  static const locale_t made = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return made;
}

// Sets a UTF-8 locale for wcwidth, which uses the locale of the thread: the user's may be "C", with ASCII only.
class Utf8Locale {
 public:
  Utf8Locale() : before_(utf8() != nullptr ? uselocale(utf8()) : nullptr) {}
  ~Utf8Locale() {
    if (before_ != nullptr) uselocale(before_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  const locale_t before_;
};

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

struct Glyph {
  std::size_t bytes;
  std::size_t width;
};

// REQUIRES: `text` is not empty.
Glyph first_glyph(std::string_view text) {
  wchar_t wide = 0;
  mbstate_t state{};
  const std::size_t bytes = mbrtowc(&wide, text.data(), text.size(), &state);
  if (bytes == 0 || bytes > text.size()) return {1, 1};
  return {bytes, static_cast<std::size_t>(std::max(0, wcwidth(wide)))};
}

std::size_t measure(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const Glyph glyph = first_glyph(text);
    width += glyph.width;
    text.remove_prefix(glyph.bytes);
  }
  return width;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  if (is_plain(text)) return text.size();
  const Utf8Locale locale;
  return measure(text);
}

std::string fit(std::string_view text, std::size_t width) {
  if (text.size() <= width && is_plain(text)) return std::string(text);
  const Utf8Locale locale;
  if (measure(text) <= width) return std::string(text);
  if (width == 0) return {};
  std::size_t used = 0;
  std::size_t bytes = 0;
  while (bytes < text.size()) {
    const Glyph glyph = first_glyph(text.substr(bytes));
    if (used + glyph.width > width - 1) break;
    used += glyph.width;
    bytes += glyph.bytes;
  }
  return std::string(text.substr(0, bytes)) + "…";
}

}  // namespace sse::ctl
