#include "ssectl/commands/top_view.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/width.h"

namespace sse::ctl {
namespace {

constexpr const char* kKeys = "q quit  b backlog  r rate  a age  / filter  up/down select  k close  ? help";

struct Column {
  const char* title;
  std::size_t width;
  bool right;
  std::size_t from;  // shown if the terminal has at least this many columns
};
// The second column takes the remaining width.
constexpr std::array<Column, 10> kColumns{{{"ID", 19, false, 0},
                                           {"USER", 8, false, 0},
                                           {"CHANNEL", 12, false, 104},
                                           {"IP", 15, false, 122},
                                           {"AGE", 7, false, 0},
                                           {"EVENT/S", 7, true, 0},
                                           {"BACKLOG", 9, true, 0},
                                           {"UNSENT", 7, true, 62},
                                           {"WRITE", 7, true, 70},
                                           {"DROPS", 5, true, 76}}};

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::string cut = fit(text, width);
  const std::string space(width - std::min(width, display_width(cut)), ' ');
  return right ? space + cut : cut + space;
}

// Only the largest unit: `850ms`, `12s`, `3m`, `2h`, `4d`.
std::string short_age(std::int64_t millis) {
  if (millis < 1000) return std::to_string(std::max<std::int64_t>(millis, 0)) + "ms";
  const std::int64_t seconds = millis / 1000;
  if (seconds < 100) return std::to_string(seconds) + "s";
  if (seconds < 6000) return std::to_string(seconds / 60) + "m";
  return seconds < 360'000 ? std::to_string(seconds / 3600) + "h" : std::to_string(seconds / 86'400) + "d";
}

std::string rate_text(double rate) {
  char text[32];
  std::snprintf(text, sizeof(text), rate < 10 && rate > 0 ? "%.1f" : "%.0f", rate);
  return text;
}

double counter(const api::Json& status, const std::string& name) {
  double sum = 0;
  const auto counters = status.find("counters");
  if (counters == status.end() || !counters->is_object()) return 0;
  for (const auto& [key, value] : counters->items()) {
    if (value.is_number() && (key == name || key.starts_with(name + "{"))) sum += value.get<double>();
  }
  return sum;
}

std::int64_t millis_in(const api::Json& object, const char* name, std::int64_t missing) {
  const auto found = object.find(name);
  return found == object.end() || !found->is_number() ? missing : found->get<std::int64_t>();
}

bool contains(const TopView::Row& row, const std::string& lower) {
  return std::ranges::any_of(std::array{&row.id, &row.identity, &row.channel, &row.address},
                             [&](const std::string* text) { return to_lower(*text).find(lower) != std::string::npos; });
}

std::string cell(const TopView::Row& row, std::size_t column) {
  switch (column) {
    case 0:
      return row.id;
    case 1:
      return row.identity.empty() ? "-" : row.identity;
    case 2:
      return row.channel.empty() ? "-" : row.channel;
    case 3:
      return row.address;
    case 4:
      return short_age(row.age_millis);
    case 5:
      return rate_text(row.rate);
    case 6:
      return row.backlog == 0 ? "0" : human_size(row.backlog);
    case 7:
      return row.unsent_millis < 0 ? "-" : short_age(row.unsent_millis);
    case 8:
      return short_age(row.idle_millis);
    default:
      return std::to_string(row.drops);
  }
}

// The columns that a terminal has room for, and their widths.
class Layout {
 public:
  explicit Layout(std::size_t columns) : columns_(columns) {
    std::size_t used = 0;
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      if (columns < kColumns.at(i).from) continue;
      widths_.at(i) = kColumns.at(i).width;
      used += kColumns.at(i).width + (used == 0 ? 0 : 1);
    }
    if (columns > used) widths_.at(1) += std::min<std::size_t>(columns - used, 40);
  }

  // A line of the table; `text_of(i)` is the text in column i.
  template <class TextOf>
  std::string line(const TextOf& text_of) const {
    std::string out;
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      if (widths_.at(i) == 0) continue;
      out += (i == 0 ? "" : " ") + padded(text_of(i), widths_.at(i), kColumns.at(i).right);
    }
    return fit(out, columns_);
  }

  // The titles of the columns. The sort column is underlined, or without colour marked with a star.
  std::string titles(TopOrder order, bool colour) const {
    const std::size_t by = order == TopOrder::kBacklog ? 6 : order == TopOrder::kRate ? 5 : 4;
    std::string titles =
        line([&](std::size_t i) { return std::string(i == by && !colour ? "*" : "") + kColumns.at(i).title; });
    if (!colour) return titles;
    const std::string title = kColumns.at(by).title;
    const std::size_t at = titles.find(title);
    titles = "\033[1m" + titles;
    if (at != std::string::npos) titles.insert(at + 4, "\033[4m").insert(at + 8 + title.size(), "\033[24m");
    return titles + "\033[0m";
  }

 private:
  const std::size_t columns_;
  std::array<std::size_t, kColumns.size()> widths_{};
};

}  // namespace

api::Json status_of_cluster(api::Json status, const api::Json& nodes) {
  constexpr std::array kSummed{"connections", "users", "memoryBytes", "cpuMicros"};
  std::array<std::int64_t, kSummed.size()> sums{};
  double deliveries = 0;
  double bytes = 0;
  double drops = 0;
  std::string state = "ready";
  std::int64_t oldest = INT64_MAX;
  const api::Json list = nodes.value("list", api::Json::array());
  for (const api::Json& node : list) {
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += millis_in(node, kSummed[i], 0);
    deliveries += node.value("deliveries", 0.0);
    bytes += node.value("deliveredBytes", 0.0);
    drops += node.value("dropped", 0.0);
    oldest = std::min(oldest, millis_in(node, "startTime", oldest));
    if (text_cell(node, "state") != "ready") state = text_cell(node, "id") + " " + text_cell(node, "state");
  }
  if (!text_cell(nodes, "degraded").empty()) state = "degraded";
  for (std::size_t i = 0; i < sums.size(); ++i) status[kSummed[i]] = sums[i];
  status["counters"] = {
      {"sse_deliveries_total", deliveries}, {"sse_delivered_bytes_total", bytes}, {"sse_dropped_total", drops}};
  status["state"] = state;
  status["serverId"] = "cluster of " + plural(list.size(), "node");
  status["uptimeMillis"] = list.empty() ? 0 : std::max<std::int64_t>(to_millis(wall_now()) - oldest, 0);
  return status;
}

void TopView::update(const api::Json& status, const api::Json& connections, SteadyTime now) {
  const double seconds = std::chrono::duration<double>(now - read_).count();
  const auto rate = [&](double after, double before) {
    return read_once_ && seconds > 0 ? std::max(0.0, (after - before) / seconds) : 0.0;
  };
  status_ = status;
  const Totals totals{counter(status, "sse_deliveries_total"), counter(status, "sse_delivered_bytes_total"),
                      counter(status, "sse_dropped_total"), millis_in(status, "cpuMicros", 0)};
  rates_ = {
      rate(totals.deliveries, before_.deliveries), rate(totals.bytes, before_.bytes), rate(totals.drops, before_.drops),
      static_cast<std::int64_t>(rate(static_cast<double>(totals.cpu_micros), static_cast<double>(before_.cpu_micros)))};
  before_ = totals;

  open_ = count_in(connections, "total");
  const std::int64_t wall = to_millis(wall_now());
  std::map<std::string, std::uint64_t> events;
  rows_.clear();
  for (const api::Json& one : connections.value("list", api::Json::array())) {
    Row row;
    row.id = printable(text_cell(one, "id"), 40);
    row.identity = printable(text_cell(one, "accessUserId"), 100);
    row.channel = printable(channels_cell(one), 100);
    row.address = printable(text_cell(one, "requestIp"), 100);
    row.age_millis = std::max<std::int64_t>(wall - millis_in(one, "createTime", wall), 0);
    row.events = count_in(one, "messageCount");
    if (const auto former = events_before_.find(row.id); former != events_before_.end()) {
      row.rate = rate(static_cast<double>(row.events), static_cast<double>(former->second));
    }
    row.backlog = count_in(one, "backlogBytes");
    row.unsent_millis = millis_in(one, "oldestUnsentMillis", -1);
    row.idle_millis = millis_in(one, "lastWriteMillis", 0);
    row.drops = count_in(one, "droppedCount");
    events[row.id] = row.events;
    rows_.push_back(std::move(row));
  }
  events_before_ = std::move(events);
  read_ = now;
  read_once_ = true;
  arrange();
}

void TopView::arrange() {
  shown_.clear();
  const std::string lower = to_lower(filter_);
  std::ranges::copy_if(rows_, std::back_inserter(shown_), [&](const Row& row) { return contains(row, lower); });
  std::ranges::stable_sort(shown_, [this](const Row& a, const Row& b) {
    if (order_ == TopOrder::kBacklog && a.backlog != b.backlog) return a.backlog > b.backlog;
    if (order_ == TopOrder::kRate && a.rate != b.rate) return a.rate > b.rate;
    return a.age_millis > b.age_millis;
  });
  const auto at = std::ranges::find(shown_, selected_, &Row::id);
  if (at != shown_.end()) {
    selected_at_ = static_cast<std::size_t>(at - shown_.begin());
  } else {
    selected_at_ = shown_.empty() ? 0 : std::min(selected_at_, shown_.size() - 1);
    // Until the user moves it, the selection stays on the top row, whichever stream that is.
    if (!selected_.empty() && !shown_.empty()) selected_ = shown_[selected_at_].id;
  }
}

void TopView::sort_by(TopOrder order) {
  order_ = order;
  arrange();
}

void TopView::filter(std::string text) {
  filter_ = std::move(text);
  arrange();
}

void TopView::move(std::ptrdiff_t by) {
  if (shown_.empty()) return;
  const auto last = static_cast<std::ptrdiff_t>(shown_.size() - 1);
  selected_at_ =
      static_cast<std::size_t>(std::clamp(static_cast<std::ptrdiff_t>(selected_at_) + by, std::ptrdiff_t{0}, last));
  selected_ = shown_[selected_at_].id;
}

const TopView::Row* TopView::selected() const {
  return shown_.empty() ? nullptr : &shown_[selected_at_];
}

std::vector<std::string> TopView::header(std::size_t columns, bool colour) const {
  const bool ready = text_cell(status_, "state") == "ready";
  const auto shown = [this](const char* name) { return printable(text_cell(status_, name), 200); };
  const std::string state = shown("state");
  std::uint64_t backlog = 0;
  std::size_t backlogged = 0;
  for (const Row& row : rows_) {
    backlog += row.backlog;
    backlogged += row.backlog > 0 ? 1 : 0;
  }
  const std::string up = short_age(millis_in(status_, "uptimeMillis", 0));
  std::string first =
      fit("sse-serve " + shown("serverId") + "  up " + up + "  ", columns > state.size() ? columns - state.size() : 0);
  first += colour ? std::string(ready ? "\033[32m" : "\033[31m") + state + "\033[0m" : state;
  return {first,
          fit("streams " + shown("connections") + "   users " + shown("users") + "   pending " + shown("pending") +
                  "   memory " + size_cell(status_, "memoryBytes") + "   cpu " +
                  rate_text(static_cast<double>(rates_.cpu_micros) / 10'000) + "%",
              columns),
          fit("deliveries " + rate_text(rates_.deliveries) + "/s   bytes " +
                  human_size(static_cast<std::uint64_t>(rates_.bytes)) + "/s   backlog " + human_size(backlog) +
                  " on " + plural(backlogged, "stream") + "   drops " + rate_text(rates_.drops) + "/s",
              columns),
          ""};
}

std::string TopView::bottom_line() const {
  if (!message_.empty()) return printable(message_, 500);
  std::string line = kKeys;
  if (!filter_.empty())
    line = "filter: " + printable(filter_, 60) + " (" + std::to_string(shown_.size()) + ")  " + line;
  if (open_ > rows_.size()) line = std::to_string(rows_.size()) + " of " + std::to_string(open_) + "  " + line;
  return line;
}

std::vector<std::string> TopView::draw(std::size_t rows, std::size_t columns, bool colour) {
  const Layout layout(columns);
  std::vector<std::string> lines = header(columns, colour);
  lines.push_back(layout.titles(order_, colour));
  const std::size_t visible = rows > lines.size() + 1 ? rows - lines.size() - 1 : 0;
  first_ = std::min(first_, selected_at_);
  if (visible > 0 && selected_at_ >= first_ + visible) first_ = selected_at_ - visible + 1;
  for (std::size_t i = first_; i < shown_.size() && i < first_ + visible; ++i) {
    const std::string text = layout.line([&](std::size_t column) { return cell(shown_[i], column); });
    lines.push_back(i == selected_at_ && colour ? "\033[7m" + text + "\033[0m" : text);
  }
  if (shown_.empty() && visible > 0) {
    lines.push_back(fit(filter_.empty() ? "no stream is open" : "no stream matches the filter", columns));
  }
  while (lines.size() + 1 < rows) lines.emplace_back();
  lines.push_back(fit(bottom_line(), columns));
  if (lines.size() > rows) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(rows));
  return lines;
}

}  // namespace sse::ctl
