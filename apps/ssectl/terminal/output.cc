#include "ssectl/terminal/output.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/error.h"
#include "base/shown_json.h"
#include "base/text.h"

namespace sse::ctl {
namespace {

constexpr std::size_t kUsualWidth = 80;
constexpr std::size_t kLongestNote = 4096;

std::size_t terminal_width() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return kUsualWidth;
}

}  // namespace

Output::Output(Format format, bool plain) : format_(format) {
  if (isatty(STDOUT_FILENO) == 0) return;
  style_.width = terminal_width();
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  style_.colour = !plain && (no_colour == nullptr || *no_colour == '\0') && terminal != nullptr &&
                  std::string_view(terminal) != "dumb";
}

void Output::start_capture() {
  captured_.emplace();
  if (style_.width != 0) style_.width = terminal_width();
}

std::string Output::take_captured() {
  return std::exchange(captured_, std::nullopt).value_or("");
}

void Output::write(std::string_view text) {
  if (captured_) {
    *captured_ += text;
    return;
  }
  while (!text.empty() && !lost_) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd wait{STDOUT_FILENO, POLLOUT, 0};
      poll(&wait, 1, -1);
    } else if (errno == EPIPE) {
      if (!ignores_closed_stdout_) throw StdoutClosed();
      lost_ = true;
    } else if (errno != EINTR) {
      throw system_error(errno, "cannot write to standard output");
    }
  }
}

void Output::document(const event::Json& json) {
  const int indent = format_ == Format::kJson ? 2 : -1;
  write(shown_json(json.dump(indent)) + '\n');
}

void Output::listing(const event::Json& page) {
  if (format_ == Format::kJson) return document(page);
  std::string lines;
  if (const auto list = page.find("list"); list != page.end() && list->is_array()) {
    for (const event::Json& one : *list) lines += shown_json(event::dump_json(one)) + '\n';
  }
  write(lines);
}

void Output::result(const event::Json& json, const Describe& describe) {
  if (!human_readable()) return document(json);
  write(describe(json, style_));
}

void Output::result(const event::Json& json, std::string_view sentence) {
  if (!human_readable()) return document(json);
  write(std::string(sentence) + '\n');
}

void Output::result_list(const event::Json& page, const Describe& describe, std::string_view empty) {
  if (!human_readable()) return listing(page);
  if (page.at("list").empty()) return note(empty);
  write(describe(page, style_));
}

void Output::note(std::string_view sentence) {
  if (captured_) {
    *captured_ += "ssectl: " + printable(sentence, kLongestNote) + '\n';
    return;
  }
  std::fprintf(stderr, "ssectl: %s\n", printable(sentence, kLongestNote).c_str());
}

}  // namespace sse::ctl
