#include "print_config.h"

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "base/version.h"

namespace sse::serve {
namespace {

constexpr std::size_t kMaxValue = 4096;
constexpr std::size_t kSourceColumn = 56;

// The password in SCHEME://USER:PASSWORD@HOST.
std::string without_password(const std::string& value) {
  const std::size_t scheme = value.find("://");
  if (scheme == std::string::npos) return value;
  const std::size_t begin = scheme + 3;
  const std::size_t at = value.substr(0, value.find('/', begin)).rfind('@');
  if (at == std::string::npos || at < begin) return value;
  const std::size_t colon = value.find(':', begin);
  return colon > at ? value : value.substr(0, colon + 1) + "***" + value.substr(at);
}

std::string quoted(const std::string& value) {
  std::string text = "\"";
  for (const char c : printable(without_password(value), kMaxValue)) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

bool is_plain(const std::string& value) {
  return value == "true" || value == "false" ||
         (!value.empty() && std::ranges::all_of(value, [](unsigned char c) { return c >= '0' && c <= '9'; }));
}

std::string written(const std::vector<std::string>& values, bool list) {
  if (!list) return is_plain(values.front()) ? values.front() : quoted(values.front());
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "[" : ", ") + quoted(value);
  return text + "]";
}

// Values that complete() chose.
std::string chosen(const std::string& name, const Options& options) {
  if (name == "db") return options.server.database;
  return name == "admin" ? options.server.admin : "";
}

}  // namespace

std::string print_config(const cli::App& app, const Options& options) {
  std::string text = std::string("# The configuration of sse-serve ") + base::kVersion + "\n";
  for (const cli::Option& option : app.options()) {
    if (!option.configurable() || option.environment().empty()) continue;
    const std::string name = option.long_names().front();
    std::vector<std::string> values = option.values();
    if (values.empty() && !option.default_text().empty()) values = {option.default_text()};
    if (values.empty() && !chosen(name, options).empty()) values = {chosen(name, options)};
    if (values.empty() && !option.needs_value()) values = {"false"};
    std::string line = values.empty() ? "#" + name + " =" : name + " = " + written(values, option.repeatable());
    line.resize(std::max(line.size() + 2, kSourceColumn), ' ');
    text += line + "# " + (values.empty() ? "not set" : app.source_of(option)) + '\n';
  }
  return text;
}

}  // namespace sse::serve
