#include "option_types.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace sse::serve {

void add(cli::App& app, const std::string& name, const std::string& help, const std::string& type,
         const std::string& fallback, std::function<void(const std::string&)> take) {
  cli::Option option = app.add_text(name, std::move(take), help).type_name(type);
  if (!fallback.empty()) option.default_str(fallback);
}

void add_duration(cli::App& app, const std::string& name, std::chrono::milliseconds& value, const std::string& help) {
  add(app, name, help, "DURATION", format_duration(value),
      [&value](const std::string& text) { value = parse_duration(text); });
}

void add_bytes(cli::App& app, const std::string& name, ByteCount& value, const std::string& help) {
  add(app, name, help, "SIZE", format_bytes(value), [&value](const std::string& text) { value = parse_bytes(text); });
}

// CLI11 would convert -1 to a very large number.
void add_count(cli::App& app, const std::string& name, std::size_t& value, std::size_t min, std::size_t max,
               const std::string& help, bool show_default) {
  add(app, name, help, "N", show_default ? std::to_string(value) : "", [&value, min, max](const std::string& text) {
    std::size_t number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || stop != text.data() + text.size() || number < min || number > max) {
      throw Error(ErrorCode::kInvalidArgument, "'" + printable(text, 40) + "' is not a whole number from " +
                                                   std::to_string(min) + " to " + std::to_string(max));
    }
    value = number;
  });
}

void add_choice(cli::App& app, const std::string& name, const std::string& help,
                const std::vector<std::string>& choices, const std::string& fallback,
                std::function<void(const std::string&)> take) {
  std::string listed;
  for (const std::string& choice : choices) listed += (listed.empty() ? "" : "|") + choice;
  add(app, name, help, listed, fallback, [choices, listed, take = std::move(take)](const std::string& text) {
    if (std::ranges::find(choices, text) == choices.end())
      throw Error(ErrorCode::kInvalidArgument, "'" + printable(text, 40) + "' is not one of " + listed);
    take(text);
  });
}

}  // namespace sse::serve
