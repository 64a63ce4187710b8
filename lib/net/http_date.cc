#include "net/http_date.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace sse::net {
namespace {

using std::chrono::seconds;

constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> kLongDays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                    "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Cuts pieces off the front. After the first mismatch, all further reads fail, too.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  template <std::size_t n>
  unsigned one_of(const std::array<std::string_view, n>& names) {
    for (unsigned i = 0; i < n; ++i) {
      if (!rest_.starts_with(names[i])) continue;
      rest_.remove_prefix(names[i].size());
      return i;
    }
    good_ = false;
    return 0;
  }
  void skip(std::string_view expected) {
    if (rest_.starts_with(expected)) {
      rest_.remove_prefix(expected.size());
    } else {
      good_ = false;
    }
  }
  // `padded`: the first digit may be a space.
  int number(std::size_t digits, bool padded = false) {
    int value = 0;
    std::string_view text = rest_.substr(0, digits);
    if (padded && text.starts_with(' ')) text.remove_prefix(1);
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (rest_.size() < digits || error != std::errc{} || stop != end || value < 0) {
      good_ = false;
      return 0;
    }
    rest_.remove_prefix(digits);
    return value;
  }
  bool is_next(char c) const { return rest_.starts_with(c); }
  bool ended_well() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

struct Parts {
  int year = 0;
  unsigned month = 0;  // 0 is January
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

void read_time(Reader& reader, Parts& parts) {
  parts.hour = reader.number(2);
  reader.skip(":");
  parts.minute = reader.number(2);
  reader.skip(":");
  parts.second = reader.number(2);
}

// Expands a year of two digits: a year more than 50 years ahead is in the past.
int full_year(int year, WallTime now) {
  const int this_year =
      static_cast<int>(std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(now)).year());
  const int full = this_year / 100 * 100 + year;
  return full > this_year + 50 ? full - 100 : full;
}

std::optional<WallTime> time_of(const Parts& parts) {
  const std::chrono::year_month_day date{std::chrono::year(parts.year), std::chrono::month(parts.month + 1),
                                         std::chrono::day(static_cast<unsigned>(parts.day))};
  // 60 is a leap second.
  if (!date.ok() || parts.hour > 23 || parts.minute > 59 || parts.second > 60) return std::nullopt;
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(parts.hour) + std::chrono::minutes(parts.minute) +
         seconds(parts.second);
}

}  // namespace

std::string http_date(WallTime time) {
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<seconds>(time - days));
  std::array<char, 64> text{};
  const int size =
      std::snprintf(text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT",
                    kDays[std::chrono::weekday(days).c_encoding()].data(), static_cast<unsigned>(date.day()),
                    kMonths[static_cast<unsigned>(date.month()) - 1].data(), static_cast<int>(date.year()),
                    static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                    static_cast<int>(clock.seconds().count()));
  return {text.data(), static_cast<std::size_t>(size)};
}

std::optional<WallTime> parse_http_date(std::string_view text, WallTime now) {
  Parts parts;
  Reader reader(text);
  if (text.find(',') != std::string_view::npos) {
    // IMF-fixdate, or the form of RFC 850: Sun, 06 Nov 1994 08:49:37 GMT; Sunday, 06-Nov-94 08:49:37 GMT
    const bool fixed = text.find(',') == 3;
    const std::string_view between = fixed ? " " : "-";
    fixed ? reader.one_of(kDays) : reader.one_of(kLongDays);
    reader.skip(", ");
    parts.day = reader.number(2);
    reader.skip(between);
    parts.month = reader.one_of(kMonths);
    reader.skip(between);
    parts.year = fixed ? reader.number(4) : full_year(reader.number(2), now);
    reader.skip(" ");
    read_time(reader, parts);
    reader.skip(" GMT");
  } else {
    // asctime: Sun Nov  6 08:49:37 1994
    reader.one_of(kDays);
    reader.skip(" ");
    parts.month = reader.one_of(kMonths);
    reader.skip(" ");
    parts.day = reader.number(2, true);
    reader.skip(" ");
    read_time(reader, parts);
    reader.skip(" ");
    parts.year = reader.number(4);
  }
  return reader.ended_well() ? time_of(parts) : std::nullopt;
}

std::string_view date_line(WallTime now) {
  thread_local std::int64_t second = -1;
  thread_local std::string line;
  if (const std::int64_t current = to_millis(now) / 1000; current != second) {
    second = current;
    line = "Date: " + http_date(now) + "\r\n";
  }
  return line;
}

}  // namespace sse::net
