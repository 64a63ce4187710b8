#include "ssectl/context/watch.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "ssectl/input/values.h"
#include "ssectl/terminal/screen.h"
#include "ssectl/terminal/stopping.h"

namespace sse::ctl {
namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

void Watch::declare(cli::App& app) {
  given_ = app.add_option("-w,--watch", interval_, "Refresh every INTERVAL (default 2s) until Ctrl-C")
               .type_name("INTERVAL")
               .optional_value();
}

int Watch::run(Context& context, const std::function<int()>& once) const {
  if (!given_.given()) return once();
  // Without a value the parser sets "true" or an empty string.
  const std::string text = interval_.empty() || interval_ == "true" ? "2s" : interval_;
  const std::chrono::milliseconds interval = duration_option("--watch", text);
  if (interval < std::chrono::milliseconds(100) || interval > std::chrono::hours(24))
    throw Error(ErrorCode::kInvalidArgument, "--watch takes an interval from 100ms to 1d, not '" + text + "'");
  Output& out = context.out();
  const bool redraw = out.human_readable() && isatty(STDOUT_FILENO) == 1;
  Stopping stopping;
  std::optional<Screen> screen;
  for (bool first = true;; first = false) {
    if (redraw) out.start_capture();
    std::string failure;
    try {
      once();
    } catch (const Error& e) {
      if (first) throw;
      failure = e.what();
    }
    if (redraw) {
      if (!screen) screen.emplace(false);
      std::vector<std::string> lines{
          "every " + format_duration(interval) + ", now " + format_time(wall_now()).substr(11, 8) + " UTC; Ctrl-C ends",
          ""};
      if (!failure.empty()) lines.push_back("ssectl: " + printable(failure, 1000));
      for (std::string& line : lines_of(out.take_captured())) lines.push_back(std::move(line));
      screen->draw(lines);
    } else if (!failure.empty()) {
      out.note(failure);
    }
    if (stopping.wait(static_cast<int>(interval.count()))) return kDone;
    if (!redraw && out.human_readable()) out.write("\n");
  }
}

}  // namespace sse::ctl
