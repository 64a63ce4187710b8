#include "cli/wrapped_help.h"

#include <CLI/Formatter.hpp>
#include <cstddef>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace sse::cli {
namespace {

constexpr std::size_t kNameColumns = 30;
constexpr std::size_t kColumns = 79;

class WrappedHelp : public CLI::Formatter {
 public:
  WrappedHelp() { column_width(kNameColumns); }

 private:
  // CLI11 prints two blank lines between groups: one before and one after each. Keep one.
  std::string make_usage(const CLI::App* app, std::string name) const override {
    return CLI::Formatter::make_usage(app, std::move(name)) + "\n";
  }

  std::string make_group(std::string group, bool is_positional,
                         std::vector<const CLI::Option*> options) const override {
    const std::string text = CLI::Formatter::make_group(std::move(group), is_positional, std::move(options));
    return text.substr(text.find_first_not_of('\n'));
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_size() == 0 ? "" : " " + option->get_type_name();
  }

  std::string make_option_desc(const CLI::Option* option) const override {
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
};

}  // namespace

std::shared_ptr<CLI::FormatterBase> make_wrapped_help() {
  return std::make_shared<WrappedHelp>();
}

}  // namespace sse::cli
