#pragma once

#include <termios.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sse::ctl {

/// A full-screen view of the terminal, for a command that redraws. The constructor switches to the alternate screen and
/// the destructor restores the previous one, so that every exit path restores it. Create it after a Stopping, which
/// turns signals into a normal exit. To avoid flicker, draw() writes only changed lines, in one write, and clears
/// nothing first. One thread at a time.
class Screen {
 public:
  /// With `keys`, keys are read one at a time and not echoed. REQUIRES: standard output is a terminal; with `keys`,
  /// standard input is too.
  explicit Screen(bool keys);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  struct Size {
    std::size_t rows = 24;
    std::size_t columns = 80;
  };
  /// The current size of the terminal.
  static Size size();

  /// Shows these lines from the top; the rest of the screen is empty. The caller cuts each line to the width of the
  /// screen. A line may contain escape sequences that set colours and reset them.
  void draw(const std::vector<std::string>& lines);
  /// The next key pressed, or an empty string after `millis` milliseconds: a character, or `up`, `down`, `pgup`,
  /// `pgdn`, `home`, `end`, `esc`, `enter`, `backspace`, `ctrl-c`; `gone` if the terminal has been closed.
  std::string key(int millis);

 private:
  std::string parse_key();

  termios before_{};  // filled by the initializer of keys_, so declared before it
  bool keys_;
  std::vector<std::string> shown_;
  Size shown_size_{0, 0};
  std::string pressed_;  // bytes that were read but not returned by key() yet
};

}  // namespace sse::ctl
