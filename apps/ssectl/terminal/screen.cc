#include "ssectl/terminal/screen.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "ssectl/terminal/width.h"

namespace sse::ctl {
namespace {

// Enter and leave the mode: alternate screen, cursor hidden, no line wrapping (xterm control sequences).
constexpr std::string_view kEnter = "\033[?1049h\033[?25l\033[?7l\033[H\033[2J";
constexpr std::string_view kLeave = "\033[?7h\033[?25h\033[?1049l";

// Ignores errors: key() detects a closed terminal.
void put(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      pollfd wait{STDOUT_FILENO, POLLOUT, 0};
      poll(&wait, 1, 1000);
    } else if (errno != EINTR) {
      return;
    }
  }
}

// Number of columns that a line occupies, without its colour sequences.
std::size_t columns_of(const std::string& line) {
  std::string text;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\033') {
      text += line[i];
      continue;
    }
    while (i + 1 < line.size() && line[i] != 'm') ++i;
  }
  return display_width(text);
}

}  // namespace

Screen::Screen(bool keys) : keys_(keys && tcgetattr(STDIN_FILENO, &before_) == 0) {
  if (keys_) {
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  put(kEnter);
}

Screen::~Screen() {
  put(kLeave);
  if (keys_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

Screen::Size Screen::size() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return {};
  return {size.ws_row, size.ws_col};
}

void Screen::draw(const std::vector<std::string>& lines) {
  const Size now = size();
  std::string out;
  if (now.rows != shown_size_.rows || now.columns != shown_size_.columns) {
    // After a resize the terminal may have reflowed its contents: redraw everything.
    out = "\033[2J";
    shown_.clear();
    shown_size_ = now;
  }
  std::vector<std::string> fresh(lines.begin(),
                                 lines.begin() + static_cast<std::ptrdiff_t>(std::min(lines.size(), now.rows)));
  const std::size_t rows = std::max(fresh.size(), shown_.size());
  for (std::size_t row = 0; row < rows; ++row) {
    static const std::string kEmpty;
    const std::string& text = row < fresh.size() ? fresh[row] : kEmpty;
    if (row < shown_.size() && shown_[row] == text) continue;
    out += "\033[" + std::to_string(row + 1) + ";1H" + text;
    // After a full line the cursor stays on its last character, which \033[K would erase.
    if (columns_of(text) < now.columns) out += "\033[K";
  }
  shown_ = std::move(fresh);
  if (!out.empty()) put(out);
}

std::string Screen::key(int millis) {
  if (pressed_.empty()) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, millis) <= 0) return {};
    std::array<char, 256> bytes{};
    const ssize_t n = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) return "gone";
    if (n > 0) pressed_.append(bytes.data(), static_cast<std::size_t>(n));
  }
  return pressed_.empty() ? std::string() : parse_key();
}

std::string Screen::parse_key() {
  constexpr std::array<std::pair<std::string_view, const char*>, 14> kSequences{{{"\033[A", "up"},
                                                                                 {"\033[B", "down"},
                                                                                 {"\033OA", "up"},
                                                                                 {"\033OB", "down"},
                                                                                 {"\033[5~", "pgup"},
                                                                                 {"\033[6~", "pgdn"},
                                                                                 {"\033[H", "home"},
                                                                                 {"\033[F", "end"},
                                                                                 {"\033[1~", "home"},
                                                                                 {"\033[4~", "end"},
                                                                                 {"\r", "enter"},
                                                                                 {"\n", "enter"},
                                                                                 {"\x7f", "backspace"},
                                                                                 {"\b", "backspace"}}};
  for (const auto& [bytes, name] : kSequences) {
    if (!pressed_.starts_with(bytes)) continue;
    pressed_.erase(0, bytes.size());
    return name;
  }
  if (pressed_.front() == '\003') {
    pressed_.erase(0, 1);
    return "ctrl-c";
  }
  if (pressed_.front() == '\033') {
    // A lone escape is the Esc key. Unknown sequences are treated alike.
    pressed_.clear();
    return "esc";
  }
  const auto first = static_cast<unsigned char>(pressed_.front());
  const std::size_t bytes = std::min<std::size_t>(first < 0x80   ? 1
                                                  : first < 0xE0 ? 2
                                                  : first < 0xF0 ? 3
                                                                 : 4,
                                                  pressed_.size());
  std::string key = pressed_.substr(0, bytes);
  pressed_.erase(0, bytes);
  return first < ' ' ? std::string() : key;
}

}  // namespace sse::ctl
