#include <sys/stat.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <utility>

#include "base/text.h"
#include "cli/app.h"
#include "cli/configuration.h"
#include "cli/suggestion.h"

namespace sse::cli {
namespace {

using Filter = bool (*)(const CLI::App*);
constexpr Filter kAll = [](const CLI::App*) { return true; };

bool on_command_line(const CLI::App& app, const CLI::Option* option) {
  for (const CLI::App* one = &app; one != nullptr; one = one->get_parent()) {
    if (std::ranges::find(one->parse_order(), option) != one->parse_order().end()) return true;
  }
  return false;
}

// The name of an option in the file: `command.name`.
std::string name_in_file(const CLI::App& app, const std::string& name) {
  return app.get_parent() == nullptr ? name : name_in_file(*app.get_parent(), app.get_name()) + "." + name;
}

std::string source(const CLI::App& app, const CLI::Option* option, const FileSettings& file) {
  if (option->count() == 0) return "default";
  if (on_command_line(app, option)) return "command line";
  std::vector<std::string> names = option->get_lnames();
  names.insert(names.end(), option->get_snames().begin(), option->get_snames().end());
  for (const std::string& name : names) {
    const auto found = file.lines.find(name_in_file(app, name));
    if (found != file.lines.end()) return file.file + ":" + std::to_string(found->second);
  }
  return option->get_envname();
}

// The option with that name which was given, in the program or in a command.
std::pair<const CLI::App*, const CLI::Option*> find_given(const CLI::App& app, const std::string& name) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() > 0 && option->get_name(option->get_positional()) == name) return {&app, option};
  }
  for (const CLI::App* sub : app.get_subcommands(kAll)) {
    if (const auto found = find_given(*sub, name); found.second != nullptr) return found;
  }
  return {nullptr, nullptr};
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* one = &app; one != nullptr; one = one->get_parent()) {
    for (const CLI::Option* option : one->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

std::string between(const std::string& text, std::string_view from, std::string_view to) {
  const std::size_t begin = from.empty() ? 0 : text.find(from);
  if (begin == std::string::npos) return "";
  const std::size_t end = to.empty() ? text.size() : text.find(to, begin + from.size());
  return end == std::string::npos ? "" : text.substr(begin + from.size(), end - begin - from.size());
}

std::string unexpected(const CLI::App& app, const std::string& word) {
  if (!word.starts_with('-')) return "the argument '" + printable(word, 80) + "' is not expected here";
  const std::string name = word.substr(0, word.find('='));
  return "there is no option '" + printable(name, 80) + "'" + did_you_mean(name, option_names(app));
}

std::string why_unreadable(const std::string& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return "it is a folder";
  return ::access(file.c_str(), R_OK) != 0 ? std::strerror(errno) : "it cannot be opened";
}

}  // namespace

// The texts of CLI11 name its own terms; `kind` is the name of its exception.
std::string App::describe(const CLI::App& app, const std::string& kind, const std::string& text) const {
  std::string name = text.substr(0, text.find(": "));
  std::string sentence = text;
  if (kind == "ExtrasError") {
    const std::vector<std::string> words = app_->remaining(true);
    return words.empty() ? text : unexpected(app, words.front());
  }
  if (kind == "ArgumentMismatch") {
    if (const std::string type = between(text, "required ", " missing"); !type.empty()) {
      return name + " needs a value" + (type == "TEXT" ? "" : ": " + type);
    }
    if (text.ends_with("disallowed flag override")) return text.substr(0, text.find(' ')) + " takes no value";
    if (const std::string given = between(text, "arguments to ", ", got"); !given.empty()) name = given;
    sentence = text.ends_with("got 0") || text.ends_with("received 0") ? name + " needs a value"
                                                                       : name + " was given twice; it takes one value";
  } else if (kind == "ConversionError") {
    if (const std::string given = between(text, "Could not convert: ", " ="); !given.empty()) {
      name = given;
      const CLI::Option* option = find_given(*app_, name).second;
      const bool flag = option != nullptr && option->get_expected_max() == 0;
      sentence = flag ? name + " is either true or false"
                      : name + ": '" + between(text, " = ", "") + "' is not a whole number";
    } else if (text.find("Should be true/false") != std::string::npos ||
               text.find("too many inputs for a flag") != std::string::npos) {
      sentence = name + " is either true or false";
    }
  } else if (kind == "RequiredError" && text == "A subcommand is required") {
    return "a command is missing";
  } else if (kind == "RequiredError" && text.ends_with(" is required")) {
    return text.substr(0, text.size() - std::strlen(" is required")) + " is missing";
  } else if (kind == "RequiresError") {
    const std::size_t at = text.find(" requires ");
    return text.substr(0, at) + " needs " + text.substr(at + std::strlen(" requires ")) + ", too";
  } else if (kind == "ExcludesError") {
    const std::size_t at = text.find(" excludes ");
    return text.substr(0, at) + " and " + text.substr(at + std::strlen(" excludes ")) + " cannot be given together";
  }
  // add_text() names an option as it was declared: `-l,--listen`.
  const std::string last = name.substr(name.rfind(',') + 1);
  const auto [owner, option] = find_given(*app_, last);
  if (option == nullptr) return sentence;
  const std::string from = cli::source(*owner, option, *file_);
  return from == "command line" ? sentence : from + ": " + sentence;
}

Outcome App::parse(std::vector<std::string> arguments) {
  // CLI11 expects the arguments in reverse order.
  std::ranges::reverse(arguments);
  const auto misuse = [this](const CLI::ParseError& e) {
    const CLI::App* deepest = app_;
    while (!deepest->get_subcommands().empty()) deepest = deepest->get_subcommands().front();
    // The name of this one is that of the program.
    const bool extra = dynamic_cast<const CLI::ExtrasError*>(&e) != nullptr;
    return Outcome{Outcome::Kind::kMisuse, describe(*deepest, extra ? "ExtrasError" : e.get_name(), e.what())};
  };
  try {
    app_->parse(std::move(arguments));
    return {};
  } catch (const CLI::Success& wanted) {
    std::ostringstream text;
    app_->exit(wanted, text, text);
    return {Outcome::Kind::kPrint, text.str()};
  } catch (const CLI::FileError&) {
    const std::string file = app_->get_config_ptr()->as<std::string>();
    return {Outcome::Kind::kUnreadableFile, "'" + printable(file, 200) + "': " + why_unreadable(file)};
  } catch (const CLI::ConfigError& e) {
    return {Outcome::Kind::kInvalidFile, e.what()};
  } catch (const CLI::ParseError& e) {
    return misuse(e);
  }
}

Outcome App::parse(int argc, const char* const* argv) {
  return parse(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
}

const App* App::chosen() const {
  const std::vector<CLI::App*> given = app_->get_subcommands();
  if (given.empty()) return nullptr;
  const auto found = std::ranges::find(subcommands_, given.front(), [](const auto& one) { return one->app_; });
  return found == subcommands_.end() ? nullptr : found->get();
}

bool App::is_subcommand_missing() const {
  return app_->get_require_subcommand_min() > 0 && app_->get_subcommands().empty();
}

std::vector<std::string> App::unknown() const {
  return app_->remaining(true);
}

std::string App::source_of(const Option& option) const {
  return cli::source(*app_, option.option_, *file_);
}

std::vector<std::string> App::unknown_environment(const std::string& prefix) const {
  std::vector<std::string> known;
  for (const CLI::Option* option : app_->get_options()) known.push_back(option->get_envname());
  std::vector<std::string> sentences;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string name(text.substr(0, text.find('=')));
    if (!name.starts_with(prefix) || std::ranges::find(known, name) != known.end()) continue;
    const bool kubernetes = name == prefix + "PORT" || name.starts_with(prefix + "PORT_") ||
                            name == prefix + "SERVICE_HOST" || name.starts_with(prefix + "SERVICE_PORT");
    if (!kubernetes)
      sentences.push_back("no option reads the variable " + printable(name, 80) + did_you_mean(name, known));
  }
  return sentences;
}

}  // namespace sse::cli
