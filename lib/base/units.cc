#include "base/units.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <limits>

#include "base/error.h"

namespace sse {
namespace {

struct Unit {
  std::string_view suffix;
  std::uint64_t factor;
};

constexpr std::array kDurations{Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1000},
                                Unit{"ms", 1}};
// format_bytes writes the first four.
constexpr std::array kSizes{Unit{"GiB", 1ULL << 30},
                            Unit{"MiB", 1ULL << 20},
                            Unit{"KiB", 1ULL << 10},
                            Unit{"", 1},
                            Unit{"B", 1},
                            Unit{"G", 1ULL << 30},
                            Unit{"M", 1ULL << 20},
                            Unit{"K", 1ULL << 10},
                            Unit{"GB", 1000000000},
                            Unit{"MB", 1000000},
                            Unit{"KB", 1000}};

template <std::size_t N>
std::uint64_t parse(std::string_view text, const std::array<Unit, N>& units, std::uint64_t limit, const char* what,
                    const char* examples) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  const std::string_view suffix(stop, static_cast<std::size_t>(end - stop));
  if (error == std::errc{} && stop != text.data()) {
    if (number == 0 && suffix.empty()) return 0;
    for (const Unit& unit : units) {
      if (unit.suffix == suffix && number <= limit / unit.factor) return number * unit.factor;
    }
  }
  throw Error(ErrorCode::kInvalidArgument,
              "'" + std::string(text) + "' is not " + what + "; write for example " + examples);
}

template <std::size_t N>
std::string format(std::uint64_t value, const std::array<Unit, N>& units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) return std::to_string(value / unit.factor) + std::string(unit.suffix);
  }
  return "0";
}

}  // namespace

std::chrono::milliseconds parse_duration(std::string_view text) {
  // A hundred years: a longer duration is a typing error, and sums with the clock stay far from overflow.
  constexpr std::uint64_t kLimit = 36'525ULL * 86'400'000;
  return std::chrono::milliseconds(
      static_cast<std::int64_t>(parse(text, kDurations, kLimit, "a duration", "250ms, 15s, 5m, 2h or 7d")));
}

std::string format_duration(std::chrono::milliseconds duration) {
  return format(static_cast<std::uint64_t>(duration.count()), kDurations);
}

std::string format_age(std::chrono::milliseconds duration) {
  auto rest = static_cast<std::uint64_t>(duration.count() < 0 ? 0 : duration.count());
  if (rest < 1000) return std::to_string(rest) + "ms";
  std::string text;
  int parts = 0;
  for (const Unit& unit : kDurations) {
    if (unit.factor < 1000 || parts == 2) break;
    const std::uint64_t n = rest / unit.factor;
    rest %= unit.factor;
    if (n == 0 && parts == 0) continue;
    ++parts;
    if (n != 0) text += (text.empty() ? "" : " ") + std::to_string(n) + std::string(unit.suffix);
  }
  return text;
}

ByteCount parse_bytes(std::string_view text) {
  constexpr std::uint64_t kLimit = std::numeric_limits<std::int64_t>::max();
  return ByteCount(parse(text, kSizes, kLimit, "a size", "512, 64KiB, 1MiB or 2GiB"));
}

std::string format_bytes(ByteCount bytes) {
  return format(bytes.count(), kSizes);
}

std::string format_time(WallTime time) {
  const std::int64_t millis = to_millis(time);
  const std::int64_t rest = ((millis % 1000) + 1000) % 1000;
  const std::time_t seconds = static_cast<std::time_t>((millis - rest) / 1000);
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return std::to_string(millis);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, static_cast<int>(rest));
  return text.data();
}

}  // namespace sse
