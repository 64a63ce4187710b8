#include "ssectl/commands/status_counters.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string_view>

#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

struct Line {
  std::string_view label;
  std::string_view metric;
  std::string_view series;  // a label that its name must contain; empty: any
  bool problem;             // shown only above 0
};
constexpr std::array kLines{
    Line{"sends", "sse_sends_total", "", false},
    Line{"  of them with qos", "sse_sends_total", "qos=\"true\"", false},
    Line{"events delivered", "sse_deliveries_total", "", false},
    Line{"bytes delivered", "sse_delivered_bytes_total", "", false},
    Line{"messages confirmed", "sse_confirmed_total", "", false},
    Line{"messages redelivered", "sse_resent_total", "", true},
    Line{"streams opened", "sse_streams_opened_total", "", false},
    Line{"streams closed", "sse_streams_closed_total", "", false},
    Line{"  for slow reading", "sse_streams_closed_total", "reason=\"slow-consumer\"", true},
    Line{"  by a lost connection", "sse_streams_closed_total", "reason=\"connection-lost\"", true},
    Line{"requests of pages", "sse_http_requests_total", "listener=\"public\"", false},
    Line{"events dropped", "sse_dropped_total", "", true},
    Line{"sends refused", "sse_sends_refused_total", "", true},
    Line{"connections refused", "sse_http_refused_total", "", true},
    Line{"malformed requests", "sse_http_bad_requests_total", "", true},
    Line{"internal errors", "sse_exceptions_total", "", true},
};

double sum(const api::Json& counters, const Line& line) {
  double total = 0;
  for (const auto& [name, value] : counters.items()) {
    const std::string_view series = name;
    if (series.substr(0, series.find('{')) == line.metric && series.find(line.series) != std::string_view::npos &&
        value.is_number())
      total += value.template get<double>();
  }
  return total;
}

std::string rate_text(double rate) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), rate < 10 ? "%.1f" : "%.0f", rate);
  return rate > 0 && rate < 0.05 ? "<0.1" : text.data();
}

}  // namespace

std::string status_counters(const api::Json& status, const TableStyle& style) {
  const auto found = status.find("counters");
  if (found == status.end() || !found->is_object()) return "";
  const double seconds = static_cast<double>(count_in(status, "uptimeMillis")) / 1000;
  Table table({{"SINCE THE START"}, right_aligned("TOTAL"), right_aligned("A SECOND")});
  for (const Line& line : kLines) {
    const double total = sum(*found, line);
    if (line.problem && total <= 0) continue;
    const bool bytes = line.metric == "sse_delivered_bytes_total";
    const auto whole = static_cast<std::uint64_t>(std::max(total, 0.0));
    const double rate = seconds > 0 ? total / seconds : 0;
    table.add({std::string(line.label), bytes ? human_size(whole) : std::to_string(whole),
               bytes ? human_size(static_cast<std::uint64_t>(rate)) : rate_text(rate)});
  }
  return '\n' + table.render(style);
}

}  // namespace sse::ctl
