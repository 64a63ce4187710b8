#include "cli/wrapped_help.h"

#include <CLI/App.hpp>
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

// Breaks a text into lines that fit beside the names.
std::string wrapped(const std::string& text) {
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

class WrappedHelp : public CLI::Formatter {
 public:
  explicit WrappedHelp(bool shows_environment) : shows_environment_(shows_environment) {
    column_width(kNameColumns);
    label("OPTIONS", "options");
    label("SUBCOMMAND", "command");
    label("Positionals", "Arguments");
  }

 private:
  // CLI11 prints two blank lines between groups: one before and one after each. Keep one.
  std::string make_usage(const CLI::App* app, std::string name) const override {
    return CLI::Formatter::make_usage(app, std::move(name)) + "\n";
  }

  std::string make_group(std::string group, bool is_positional,
                         std::vector<const CLI::Option*> options) const override {
    const std::string text = CLI::Formatter::make_group(std::move(group), is_positional, std::move(options));
    return text.substr(text.find_first_not_of('\n')) + (is_positional ? "\n" : "");
  }

  std::string make_subcommands(const CLI::App* app, CLI::AppFormatMode mode) const override {
    if (app->get_subcommands({}).empty() || mode != CLI::AppFormatMode::Normal) return "";
    std::ostringstream out;
    out << "\nCommands:\n";
    for (const CLI::App* sub : app->get_subcommands({}))
      CLI::detail::format_help(out, sub->get_name(), wrapped(sub->get_description()), kNameColumns);
    return out.str();
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_size() == 0 || option->get_type_name().empty() ? "" : " " + option->get_type_name();
  }

  std::string make_option_desc(const CLI::Option* option) const override {
    std::string text = option->get_description();
    if (!option->get_default_str().empty()) text += " (default: " + option->get_default_str() + ")";
    if (shows_environment_ && !option->get_envname().empty()) text += " [$" + option->get_envname() + "]";
    return wrapped(text);
  }

  const bool shows_environment_;
};

}  // namespace

std::shared_ptr<CLI::FormatterBase> make_wrapped_help(bool shows_environment) {
  return std::make_shared<WrappedHelp>(shows_environment);
}

}  // namespace sse::cli
