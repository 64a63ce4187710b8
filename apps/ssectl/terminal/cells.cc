#include "ssectl/terminal/cells.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <optional>

#include "base/units.h"

namespace sse::ctl {
namespace {

const event::Json* find(const event::Json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(std::string(name));
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::int64_t> number_in(const event::Json& object, std::string_view name) {
  const event::Json* value = find(object, name);
  if (value == nullptr || !value->is_number_integer()) return std::nullopt;
  return value->get<std::int64_t>();
}

std::string plain(const event::Json& value) {
  return value.is_string() ? value.get<std::string>() : event::dump_json(value);
}

std::optional<std::chrono::milliseconds> until(const event::Json& object, std::string_view name, WallTime now) {
  const std::optional<std::int64_t> millis = number_in(object, name);
  if (!millis) return std::nullopt;
  return from_millis(*millis) - now;
}

}  // namespace

std::string text_cell(const event::Json& object, std::string_view name) {
  const event::Json* value = find(object, name);
  if (value == nullptr) return "";
  if (!value->is_array()) return plain(*value);
  std::string joined;
  for (const event::Json& one : *value) joined += (joined.empty() ? "" : ",") + plain(one);
  return joined;
}

std::string channels_cell(const event::Json& connection) {
  return text_cell(connection, find(connection, "channels") != nullptr ? "channels" : "channel");
}

std::string recipient_cell(const event::Json& object) {
  const std::string tenant = text_cell(object, "tenant");
  return text_cell(object, "recipient") + (tenant.empty() ? "" : " of " + tenant);
}

std::string age_cell(const event::Json& object, std::string_view name, WallTime now) {
  const auto left = until(object, name, now);
  return left ? format_age(std::max(-*left, std::chrono::milliseconds::zero())) : "";
}

std::string expiry_cell(const event::Json& object, std::string_view name, WallTime now) {
  const auto left = until(object, name, now);
  if (!left) return "";
  return left->count() <= 0 ? "expired" : "in " + format_age(*left);
}

std::string time_cell(const event::Json& object, std::string_view name) {
  const std::optional<std::int64_t> millis = number_in(object, name);
  return millis ? format_time(from_millis(*millis)) : "";
}

std::string time_ago_cell(const event::Json& object, std::string_view name, WallTime now) {
  const std::string age = age_cell(object, name, now);
  return age.empty() ? "" : time_cell(object, name) + " (" + age + " ago)";
}

std::string seconds_cell(const event::Json& object, std::string_view name) {
  const std::optional<std::int64_t> seconds = number_in(object, name);
  if (!seconds) return "";
  return *seconds <= 0 ? "0s" : format_age(std::chrono::seconds(*seconds));
}

std::string size_cell(const event::Json& object, std::string_view name) {
  return find(object, name) == nullptr ? "" : human_size(count_in(object, name));
}

std::uint64_t count_in(const event::Json& object, std::string_view name) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, number_in(object, name).value_or(0)));
}

std::string plural(std::uint64_t count, const std::string& one) {
  return std::to_string(count) + ' ' + one + (count == 1 ? "" : "s");
}

std::string human_size(std::uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr std::array kUnits{"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.95 would be printed as "1024.0".
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f %s", value, kUnits[unit]);
  return text;
}

}  // namespace sse::ctl
