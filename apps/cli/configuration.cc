#include "cli/configuration.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <algorithm>
#include <array>
#include <istream>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "cli/suggestion.h"

namespace sse::cli {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1024} * 1024;
constexpr std::string_view kSpace = " \t\r";

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

// Options of `app` as a file names them.
std::vector<std::string> names_in_file(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_configurable() && !option->get_lnames().empty()) names.push_back(option->get_lnames().front());
  }
  return names;
}

const CLI::App* command_of(const CLI::App& app, const std::string& name) {
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (sub->get_name() == name) return sub;
  }
  return nullptr;
}

class FileReader {
 public:
  FileReader(const CLI::App& app, FileSettings& settings, std::string_view text)
      : app_(app), settings_(settings), rest_(text) {}

  std::vector<CLI::ConfigItem> read() {
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
    while (next_line()) {
      if (line_.empty() || line_.front() == '#' || line_.front() == ';') continue;
      if (line_.front() == '[') {
        begin_section();
      } else {
        read_setting();
      }
    }
    return std::move(items_);
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw CLI::ConfigError(settings_.file + ":" + std::to_string(number_) + ": " + why);
  }

  bool next_line() {
    if (rest_.empty()) return false;
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    line_ = trimmed(rest_.substr(0, end));
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++number_;
    return true;
  }

  void begin_section() {
    const std::size_t end = line_.find(']');
    if (end == std::string_view::npos) fail("a section is '[command]'");
    const std::string name(trimmed(line_.substr(1, end - 1)));
    section_ = to_lower(name) == "default" ? std::vector<std::string>() : split_list(name, '.');
    const CLI::App* app = &app_;
    for (const std::string& one : section_) {
      app = command_of(*app, one);
      if (app == nullptr) fail("there is no command '" + printable(name, 80) + "' for this section");
    }
  }

  void read_setting() {
    const std::size_t first = number_;
    const std::size_t equals = line_.find('=');
    std::string_view name = trimmed(line_.substr(0, equals));
    CLI::ConfigItem item;
    if (equals == std::string_view::npos) {
      name = trimmed(name.substr(0, name.find('#')));
      if (name.find_first_of(kSpace) != std::string_view::npos)
        fail("'" + printable(name, 80) + "' is not a line NAME = VALUE");
      item.inputs = {"true"};
    } else {
      value_ = trimmed(line_.substr(equals + 1));
      item.inputs = read_values();
    }
    if (name.size() >= 2 && (name.front() == '"' || name.front() == '\'') && name.back() == name.front())
      name = name.substr(1, name.size() - 2);
    if (name.starts_with("--")) name.remove_prefix(2);
    item.parents = section_;
    std::vector<std::string> words = split_list(name, '.');
    if (words.empty()) fail("a line is NAME = VALUE, and this one has no name");
    item.name = std::move(words.back());
    words.pop_back();
    item.parents.insert(item.parents.end(), words.begin(), words.end());
    const bool flag = check(item, std::string(name));
    const std::string full = item.fullname();
    const auto earlier = settings_.lines.find(full);
    if (earlier == settings_.lines.end()) {
      settings_.lines.emplace(full, first);
      items_.push_back(std::move(item));
      return;
    }
    if (flag) fail("'" + item.name + "' is set already in line " + std::to_string(earlier->second));
    const auto same = std::ranges::find(items_, full, [](const CLI::ConfigItem& one) { return one.fullname(); });
    same->inputs.insert(same->inputs.end(), item.inputs.begin(), item.inputs.end());
  }

  // Requires the name of an option that may be set in a file, and that the value of a flag is true or false. Returns
  // whether it is a flag.
  bool check(const CLI::ConfigItem& item, const std::string& name) const {
    const CLI::App* app = &app_;
    for (const std::string& parent : item.parents) {
      app = command_of(*app, parent);
      if (app == nullptr) fail("there is no command '" + printable(parent, 80) + "' for '" + printable(name, 80) + "'");
    }
    const CLI::Option* option = app->get_option_no_throw("--" + item.name);
    if (option == nullptr && item.name.size() == 1) option = app->get_option_no_throw("-" + item.name);
    if (option == nullptr) {
      fail("there is no option '" + printable(item.name, 80) + "'" + did_you_mean(item.name, names_in_file(*app)));
    }
    if (!option->get_configurable())
      fail("'" + item.name + "' may be given on the command line only, not in a configuration file");
    if (option->get_expected_max() != 0) return false;
    constexpr std::array<std::string_view, 8> kFlags{"true", "false", "on", "off", "yes", "no", "1", "0"};
    const std::string value = item.inputs.size() == 1 ? to_lower(item.inputs.front()) : "";
    if (std::ranges::find(kFlags, value) == kFlags.end()) fail("'" + item.name + "' is either true or false");
    return true;
  }

  // A list in brackets may continue on further lines.
  std::vector<std::string> read_values() {
    if (value_.empty() || value_.front() == '#') return {""};
    const bool list = value_.front() == '[';
    if (list) value_.remove_prefix(1);
    std::vector<std::string> values;
    for (;;) {
      value_ = trimmed(value_);
      if (value_.empty() || value_.front() == '#') {
        if (!list) return values;
        if (!next_line()) fail("the list has no closing ']'");
        value_ = line_;
        continue;
      }
      if (value_.front() == ',') {
        value_.remove_prefix(1);
      } else if (list && value_.front() == ']') {
        value_ = trimmed(value_.substr(1));
        if (!value_.empty() && value_.front() != '#') fail("there is text after the list");
        return values;
      } else {
        values.push_back(value_.front() == '"' || value_.front() == '\'' ? read_quoted() : read_word(list));
      }
    }
  }

  // In double quotes \" and \\ stand for the second character.
  std::string read_quoted() {
    const char quote = value_.front();
    std::string text;
    for (std::size_t at = 1; at < value_.size(); ++at) {
      if (value_[at] == quote) {
        value_.remove_prefix(at + 1);
        return text;
      }
      const bool escaped = quote == '"' && value_[at] == '\\' && at + 1 < value_.size() &&
                           (value_[at + 1] == '"' || value_[at + 1] == '\\');
      if (escaped) ++at;
      text += value_[at];
    }
    fail("the text has no closing quotation mark");
  }

  std::string read_word(bool in_list) {
    const std::size_t end = std::min(value_.find_first_of(in_list ? ", \t]" : ", \t"), value_.size());
    std::string word(value_.substr(0, end));
    value_.remove_prefix(end);
    return word;
  }

  const CLI::App& app_;
  FileSettings& settings_;
  std::string_view rest_;
  std::string_view line_;
  std::string_view value_;
  std::size_t number_ = 0;
  std::vector<std::string> section_;
  std::vector<CLI::ConfigItem> items_;
};

class ConfigurationFile final : public CLI::ConfigTOML {
 public:
  ConfigurationFile(CLI::App& app, std::shared_ptr<FileSettings> settings)
      : app_(app), settings_(std::move(settings)) {}

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    settings_->file = printable(app_.get_config_ptr()->as<std::string>(), 200);
    const auto refuse = [this](const std::string& why) { throw CLI::ConfigError(settings_->file + ": " + why); };
    std::string text(kMaxBytes + 1, '\0');
    input.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (input.bad()) refuse("it cannot be read");
    text.resize(static_cast<std::size_t>(input.gcount()));
    if (text.size() > kMaxBytes) refuse("it is larger than 1 MiB, so it is not a configuration file");
    if (text.find('\0') != std::string::npos || !is_valid_utf8(text)) refuse("it is not text in UTF-8");
    return FileReader(app_, *settings_, text).read();
  }

 private:
  CLI::App& app_;
  const std::shared_ptr<FileSettings> settings_;
};

}  // namespace

std::shared_ptr<CLI::Config> make_configuration(CLI::App& app, std::shared_ptr<FileSettings> settings) {
  return std::make_shared<ConfigurationFile>(app, std::move(settings));
}

}  // namespace sse::cli
