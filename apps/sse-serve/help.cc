#include "help.h"

#include <cstddef>
#include <sstream>
#include <utility>

namespace sse::serve {
namespace {

constexpr std::size_t kNameColumns = 30;
constexpr std::size_t kColumns = 79;

}  // namespace

HelpFormatter::HelpFormatter() {
  column_width(kNameColumns);
}

// CLI11 puts two blank lines between groups: one before each, one after.
std::string HelpFormatter::make_usage(const CLI::App* app, std::string name) const {
  return CLI::Formatter::make_usage(app, std::move(name)) + "\n";
}

std::string HelpFormatter::make_group(std::string group, bool is_positional,
                                      std::vector<const CLI::Option*> options) const {
  const std::string text = CLI::Formatter::make_group(std::move(group), is_positional, std::move(options));
  return text.substr(text.find_first_not_of('\n'));
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  return option->get_type_size() == 0 ? "" : " " + option->get_type_name();
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  std::string text = option->get_description();
  if (!option->get_default_str().empty()) text += " (default: " + option->get_default_str() + ")";
  std::istringstream words(text);
  std::string out;
  std::size_t column = 0;
  for (std::string word; words >> word;) {
    if (column != 0 && kNameColumns + column + 1 + word.size() > kColumns) {
      out += '\n';
      column = 0;
    }
    if (column != 0) out += ' ';
    out += word;
    column += word.size() + (column != 0 ? 1 : 0);
  }
  return out;
}

}  // namespace sse::serve
