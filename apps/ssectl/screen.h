#pragma once

#include <termios.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sse::ctl {

/// The whole terminal, for a command that draws again and again. The alternate screen is taken and what was there comes
/// back when the object goes, so that every way out restores it: make it after a Stopping, which turns signals into
/// ordinary ends. Only lines that changed are written, in one write, and nothing is cleared first: no flicker. One
/// thread at a time.
class Screen {
 public:
  /// `keys`: keys are read one by one and not echoed. REQUIRES: standard output is a terminal, with `keys` standard
  /// input too.
  explicit Screen(bool keys);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  struct Size {
    std::size_t rows = 24;
    std::size_t columns = 80;
  };
  /// As it is now.
  static Size size();

  /// Shows these lines from the top; the rest of the screen is empty. A line is cut at the right edge by its maker,
  /// and may hold escape sequences that set colours and set them back.
  void draw(const std::vector<std::string>& lines);
  /// The next key pressed, or nothing after so many milliseconds: a character, or `up`, `down`, `pgup`, `pgdn`, `home`,
  /// `end`, `esc`, `enter`, `backspace`, `ctrl-c`; `gone` when the terminal is.
  std::string key(int millis);

 private:
  std::string parse_key();

  termios before_{};  // filled while keys_ is made, so before it
  bool keys_;
  std::vector<std::string> shown_;
  Size shown_size_{0, 0};
  std::string pressed_;  // bytes of keys not asked for yet
};

}  // namespace sse::ctl
