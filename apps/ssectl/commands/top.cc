#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/units.h"
#include "ssectl/commands/command.h"
#include "ssectl/commands/top_view.h"
#include "ssectl/input/values.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/screen.h"
#include "ssectl/terminal/stopping.h"

namespace sse::ctl {
namespace {

using std::chrono::milliseconds;

// Number of streams fetched per refresh: the first ones in the server's sort order.
constexpr std::uint64_t kMaxRows = 1000;
constexpr int kSignalMillis = 100;

struct Options {
  std::string interval = "1s";
};

const char* order_name(TopOrder order) {
  return order == TopOrder::kBacklog ? "backlog" : order == TopOrder::kRate ? "rate" : "created";
}

constexpr std::string_view kHelpText[] = {
    "Keys",
    "  b  r  a        sort by backlog, by events a second, by age",
    "  /              show only rows with a text; Esc: all rows",
    "  up down        select a stream; also page up, page down, home, end",
    "  k              close the selected stream, after a question",
    "  q  Ctrl-C      quit",
    "",
    "Columns",
    "  EVENT/S        events a second since the last refresh",
    "  BACKLOG        bytes that the client has not read yet",
    "  UNSENT         age of the oldest event among them",
    "  WRITE          time since something was written, a heartbeat included",
    "  DROPS          events dropped for it (--slow-consumer drop)",
    "",
    "any key: back",
};

std::vector<std::string> help_lines(std::size_t rows, std::size_t columns) {
  std::vector<std::string> lines;
  for (const std::string_view line : kHelpText) {
    if (lines.size() < rows) lines.emplace_back(line.substr(0, columns));
  }
  return lines;
}

class Top {
 public:
  Top(Context& context, milliseconds interval) : context_(context), interval_(interval) {
    read();
    screen_.emplace(true);
  }

  // Runs until q, Ctrl-C, a signal, or until the terminal or the server is gone.
  int run(Stopping& stopping) {
    draw();
    while (!stopping.wait(0)) {
      const std::string key = screen_->key(kSignalMillis);
      if (key == "gone" || key == "ctrl-c") return kDone;
      if (!key.empty()) {
        if (!press(key)) return kDone;
        draw();
      } else if (Screen::size().rows != rows_ || Screen::size().columns != columns_) {
        draw();
      }
      if (steady_now() - read_at_ < interval_) continue;
      read();
      draw();
    }
    return kDone;
  }

 private:
  enum class Mode { kList, kFilter, kClose, kHelp };

  void read() {
    api::ConnectionQuery query;
    query.service = context_.service();
    query.sort = order_name(view_.order());
    query.reverse = view_.order() != TopOrder::kAge;
    api::Json status = context_.client().status();
    if (!context_.local() && status.contains("cluster") && status["cluster"].is_object())
      status = status_of_cluster(std::move(status), context_.client().list_nodes());
    const api::Json connections = context_.client().list_connections(query, {1, kMaxRows});
    read_at_ = steady_now();
    view_.update(status, connections, read_at_);
  }

  void draw() {
    rows_ = Screen::size().rows;
    columns_ = Screen::size().columns;
    if (mode_ == Mode::kHelp) {
      screen_->draw(help_lines(rows_, columns_));
      return;
    }
    if (mode_ == Mode::kFilter)
      view_.set_message("filter (text of id, user, channel, address): " + view_.filter() + "_");
    screen_->draw(view_.draw(rows_, columns_, context_.out().style().colour));
  }

  // Handles a key; false to quit.
  bool press(const std::string& key) {
    if (mode_ == Mode::kFilter) return press_in_filter(key);
    if (mode_ == Mode::kClose) return answer(key);
    if (mode_ == Mode::kHelp) {
      mode_ = Mode::kList;
      return true;
    }
    view_.set_message("");
    const auto page = static_cast<std::ptrdiff_t>(std::max<std::size_t>(rows_, 8) - 6);
    if (key == "q" || key == "Q") return false;
    if (key == "b") sort_by(TopOrder::kBacklog);
    if (key == "r") sort_by(TopOrder::kRate);
    if (key == "a") sort_by(TopOrder::kAge);
    if (key == "up") view_.move(-1);
    if (key == "down") view_.move(1);
    if (key == "pgup") view_.move(-page);
    if (key == "pgdn") view_.move(page);
    if (key == "home") view_.move(-1'000'000);
    if (key == "end") view_.move(1'000'000);
    if (key == "esc") view_.filter("");
    if (key == "/") mode_ = Mode::kFilter;
    if (key == "k") ask();
    if (key == "?") mode_ = Mode::kHelp;
    return true;
  }

  void sort_by(TopOrder order) {
    view_.sort_by(order);
    read();
  }

  bool press_in_filter(const std::string& key) {
    if (key == "enter" || key == "esc") {
      mode_ = Mode::kList;
      view_.set_message("");
      if (key == "esc") view_.filter("");
    } else if (key == "backspace") {
      std::string text = view_.filter();
      // Remove a whole UTF-8 character: continuation bytes are 10xxxxxx.
      while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) text.pop_back();
      if (!text.empty()) text.pop_back();
      view_.filter(text);
    } else if (key.size() == 1 || static_cast<unsigned char>(key.front()) >= 0x80) {
      view_.filter(view_.filter() + key);
    }
    return true;
  }

  void ask() {
    const TopView::Row* row = view_.selected();
    if (row == nullptr) return;
    closing_ = row->id;
    mode_ = Mode::kClose;
    view_.set_message("close stream " + row->id + (row->identity.empty() ? "" : " of user " + row->identity) +
                      "? y or n");
  }

  bool answer(const std::string& key) {
    mode_ = Mode::kList;
    if (key != "y" && key != "Y") {
      view_.set_message("not closed");
      return true;
    }
    api::CloseRequest request;
    request.service = context_.service();
    request.ids = ids_from<ConnectionId>({closing_});
    const api::Json closed = context_.client().close_connections(request);
    view_.set_message(count_in(closed, "closed") == 1 ? "closed " + closing_ : closing_ + " was closed already");
    read();
    return true;
  }

  Context& context_;
  const milliseconds interval_;
  TopView view_;
  std::optional<Screen> screen_;
  Mode mode_ = Mode::kList;
  std::string closing_;
  SteadyTime read_at_{};
  std::size_t rows_ = 0;
  std::size_t columns_ = 0;
};

int run(const Options& options, Context& context) {
  const milliseconds interval = duration_option("--interval", options.interval);
  if (interval < milliseconds(100) || interval > std::chrono::hours(1))
    throw Error(ErrorCode::kInvalidArgument, "--interval must be from 100ms to 1h, not '" + options.interval + "'");
  if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) {
    throw Error(ErrorCode::kInvalidArgument,
                "top needs a terminal; 'ssectl connections list --sort backlog --reverse --watch' works without one");
  }
  Stopping stopping;
  Top top(context, interval);
  return top.run(stopping);
}

}  // namespace

Run declare_top(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("-i,--interval", options->interval, "Refresh interval, such as 500ms, 2s")
      .type_name("DURATION")
      .show_default();
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
