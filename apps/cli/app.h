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

struct FileSettings;

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
  /// Its name; empty for an option.
  std::string argument_name() const;
  /// Neither a flag nor an option with an optional value.
  bool needs_value() const;
  /// Whether it may be given several times, or with several values.
  bool repeatable() const;
  bool configurable() const;
  /// The default as the help shows it; empty if it shows none.
  std::string default_text() const;
  /// The name of its environment variable; empty without one.
  std::string environment() const;

  /// After a parse: the given values as text; empty if none was given.
  std::vector<std::string> values() const;

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
    kUnreadableFile,  ///< `text` names the configuration file and why it could not be read
    kInvalidFile,     ///< `text` names the configuration file, the line and the error there
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
  /// Declares an option that names a file with options of the program and its commands, see make_configuration().
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
  enum class Environment : unsigned char { kOmitted, kShown };
  /// Prints help that fits 80 columns: the type after each option, the description wrapped, at its end the default and
  /// the environment variable. REQUIRES: no command was added yet.
  void wrap_help(Environment environment);

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
  /// Where the value of an option of this App comes from: "command line", "FILE:LINE", its environment variable, or
  /// "default".
  std::string source_of(const Option& option) const;
  /// The names in the environment that begin with `prefix` and that no option of this App reads, a sentence each.
  /// Names that Kubernetes sets for a service (`…_SERVICE_HOST`, `…_PORT_80_TCP`) are not reported.
  std::vector<std::string> unknown_environment(const std::string& prefix) const;

 private:
  App(CLI::App* app, const App* parent);
  std::string describe(const CLI::App& app, const std::string& kind, const std::string& text) const;

  std::unique_ptr<CLI::App> program_;  // null for a command
  CLI::App* app_;
  const App* parent_ = nullptr;
  std::shared_ptr<FileSettings> file_;  // shared with the commands
  std::vector<std::unique_ptr<App>> subcommands_;
};

}  // namespace sse::cli
