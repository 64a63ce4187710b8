#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

/// The command-line parser of the programs: declares options and commands and parses arguments, environment and
/// configuration file. It wraps CLI11, whose headers add ten seconds of compilation to every source that includes them;
/// only the sources of this folder do. Terms and behaviour are those of CLI11.
namespace sse::cli {

/// A handle to a declared option or flag, valid as long as its App. Setters return the option, for chaining.
class Option {
 public:
  Option() = default;

  /// The name of its value in the help: `FILE`, `a|b|c`. Shell completion uses it, too.
  Option& type_name(const std::string& name);
  /// The heading under which the help lists it.
  Option& group(const std::string& heading);
  /// Reads the value from this environment variable if neither the command line nor a file sets it.
  Option& envname(const std::string& variable);
  /// Shows the current value of the bound variable as the default in the help.
  Option& show_default();
  /// Shows this text as the default in the help.
  Option& default_str(const std::string& text);
  Option& required();
  /// Not accepted in a configuration file, for options that must be given anew each time.
  Option& not_configurable();
  /// May be given only together with `other`.
  Option& needs(const Option& other);
  /// May not be given together with `other`.
  Option& excludes(const Option& other);
  /// For a list: each occurrence takes one value, so that the next word may be a positional argument.
  Option& one_value_each();
  /// For a repeatable option: one text may contain several values separated by this character. No effect otherwise.
  Option& list_separator(char separator);
  /// The value may be omitted; the variable is then empty or `true`.
  Option& optional_value();

  /// Accepts only these values.
  Option& one_of(const std::vector<std::string>& values);
  /// Accepts only numbers from `least` to `most`.
  Option& range(std::int64_t min, std::int64_t max);
  /// Like range(), and the help shows the range after the type.
  Option& shown_range(std::int64_t min, std::int64_t max);
  /// Accepts only numbers above 0; the help says so.
  Option& positive();
  Option& not_empty();

  /// Whether it was set, on the command line, in the environment or in a file. REQUIRES: a declared option.
  bool given() const;

  // The declaration, for generating completion scripts and documentation.
  /// Names without dashes.
  std::vector<std::string> long_names() const;
  std::vector<std::string> short_names() const;
  std::string help() const;
  std::string type_name() const;
  /// A positional argument, whose name has no dashes.
  bool positional() const;
  /// Neither a flag nor an option with an optional value.
  bool needs_value() const;

 private:
  friend class App;
  explicit Option(CLI::Option* option) : option_(option) {}

  CLI::Option* option_ = nullptr;
};

/// The result of parsing.
struct Outcome {
  enum class Kind {
    kParsed,
    kPrint,           ///< `text` is the requested help or version
    kMisuse,          ///< `text` describes an error in the arguments or the environment
    kUnreadableFile,  ///< `text` describes why the configuration file could not be read
    kInvalidFile,     ///< `text` describes an error in the contents of the configuration file
  };
  Kind kind = Kind::kParsed;
  std::string text;
};

/// A program, or one of its commands. The variables bound to options must outlive the parse. Not thread-safe.
class App {
 public:
  /// Creates a program. -h,--help is declared already.
  App(const std::string& description, const std::string& name);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // `names`: `-o,--output`, or a word without dashes for a positional argument. The variable holds the default and
  // receives the value. A value that cannot be converted fails the parse.
  Option add_option(const std::string& names, std::string& value, const std::string& help);
  Option add_option(const std::string& names, std::vector<std::string>& values, const std::string& help);
  Option add_option(const std::string& names, std::uint64_t& value, const std::string& help);
  Option add_option(const std::string& names, unsigned& value, const std::string& help);
  Option add_option(const std::string& names, double& value, const std::string& help);
  Option add_option(const std::string& names, std::optional<std::uint64_t>& value, const std::string& help);
  Option add_flag(const std::string& names, bool& value, const std::string& help);
  Option add_flag(const std::string& names, std::function<void()> when_given, const std::string& help);
  /// Calls `take` with the text. If it throws an Error, the parse fails with `names` and the text of the error.
  Option add_text(const std::string& names, std::function<void(const std::string&)> take, const std::string& help);
  /// Like add_text(), for a repeatable option: `take` receives all values.
  Option add_texts(const std::string& names, std::function<void(const std::vector<std::string>&)> take,
                   const std::string& help);

  /// Options declared from now on are listed under this heading.
  void begin_group(const std::string& heading);

  Option set_help_flag(const std::string& names, const std::string& help);
  Option set_version_flag(const std::string& names, const std::string& version, const std::string& help);
  /// Declares an option that names a TOML or INI file with options of the program and its commands. Unknown keys are
  /// errors.
  Option set_config(const std::string& names, const std::string& help);

  /// Adds a command, which this App owns.
  App& add_subcommand(const std::string& name, const std::string& summary);
  /// Requires one of the commands to be given.
  void require_subcommand();
  /// An option unknown to a command may belong to one of its parents.
  void fallthrough();
  /// Called at the end of a parse that selected this command.
  void on_chosen(std::function<void()> callback);

  void footer(const std::string& text);
  /// The column where descriptions begin in the help.
  void help_column(std::size_t column);
  /// Prints help that fits 80 columns: the type after each option, the description wrapped, the default at its end.
  /// Environment variables are omitted.
  void wrap_help();

  /// Parses arguments without the program's name.
  Outcome parse(std::vector<std::string> arguments);
  Outcome parse(int argc, const char* const* argv);

  std::string name() const;
  std::string description() const;
  /// Null for the program itself.
  const App* parent() const { return parent_; }
  const std::vector<std::unique_ptr<App>>& subcommands() const { return subcommands_; }
  /// The declared option of this name, given with dashes. Throws std::exception if there is none.
  Option option(const std::string& name) const;
  /// All options in the order of their declaration.
  std::vector<Option> options() const;

  // After a parse, including a failed one.
  /// The command that was given; null if none was.
  const App* chosen() const;
  /// Whether a command is required and none was given.
  bool is_subcommand_missing() const;
  /// Arguments that no command or option accepts.
  std::vector<std::string> unknown() const;

 private:
  App(CLI::App* app, const App* parent);

  std::unique_ptr<CLI::App> program_;  // null for a command
  CLI::App* app_;
  const App* parent_ = nullptr;
  std::vector<std::unique_ptr<App>> subcommands_;
};

}  // namespace sse::cli
