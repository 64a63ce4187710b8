#include "ssectl/load/mark.h"

#include <charconv>
#include <chrono>

namespace sse::load {
namespace {

// Removes `key`, a decimal number and the following blank from the front of `text`.
template <class Number>
bool take_number(std::string_view& text, std::string_view key, Number& value) {
  if (!text.starts_with(key)) return false;
  text.remove_prefix(key.size());
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop == text.data() + text.size() || *stop != ' ') return false;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()) + 1);
  return true;
}

}  // namespace

std::string payload(const Mark& mark, std::size_t size) {
  std::string data = "t=" + std::to_string(mark.intended.time_since_epoch().count()) +
                     " k=" + std::to_string(mark.sender) + " s=" + std::to_string(mark.sequence) + " ";
  if (data.size() < size) data.append(size - data.size(), 'x');
  return data;
}

std::optional<Mark> read_mark(std::string_view data) {
  std::int64_t ns = 0;
  Mark mark;
  if (!take_number(data, "t=", ns) || !take_number(data, "k=", mark.sender) || !take_number(data, "s=", mark.sequence))
    return std::nullopt;
  mark.intended = SteadyTime(std::chrono::nanoseconds(ns));
  return mark;
}

}  // namespace sse::load
