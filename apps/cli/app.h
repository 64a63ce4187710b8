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

/// Options and commands of a program, declared without CLI11's headers: those cost ten seconds of compilation in every
/// source that sees them, and only the sources of this folder do. The words are CLI11's, and so is what happens.
namespace sse::cli {

/// An option or flag that was declared; a handle, valid as long as its App. Setters return it, to go on with.
class Option {
 public:
  Option() = default;

  /// What its value is called in the help: `FILE`, `a|b|c`. Completion follows it.
  Option& type_name(const std::string& name);
  /// The heading it stands under in the help.
  Option& group(const std::string& heading);
  /// Also from this variable of the environment, when neither the command line nor a file has it.
  Option& envname(const std::string& variable);
  /// The help shows what the variable holds now.
  Option& show_default();
  /// The help shows this text.
  Option& default_str(const std::string& text);
  Option& required();
  /// No key of a configuration file: what must be said anew each time.
  Option& not_configurable();
  /// Only together with `other`.
  Option& needs(const Option& other);
  /// Not together with `other`.
  Option& excludes(const Option& other);
  /// Of a list: every occurrence takes one value, so that what follows may be an argument.
  Option& one_value_each();
  /// Of one that may be repeated: a text may hold several values with this between them. Otherwise it means nothing.
  Option& list_separator(char separator);
  /// May stand without a value; its variable is then empty or `true`.
  Option& optional_value();

  /// Only one of these values.
  Option& one_of(const std::vector<std::string>& values);
  /// A number from `least` to `most`.
  Option& range(std::int64_t least, std::int64_t most);
  /// The same, and the help says so behind the type.
  Option& shown_range(std::int64_t least, std::int64_t most);
  /// More than 0; the help says so.
  Option& positive();
  Option& not_empty();

  /// Whether it was given, wherever. REQUIRES: a declared option.
  bool given() const;

  // As declared, for those who describe a program.
  /// Without their dashes.
  std::vector<std::string> long_names() const;
  std::vector<std::string> short_names() const;
  std::string help() const;
  std::string type_name() const;
  /// An argument: it has no dashes.
  bool positional() const;
  /// Not a flag, and no option that may stand alone.
  bool needs_value() const;

 private:
  friend class App;
  explicit Option(CLI::Option* option) : option_(option) {}

  CLI::Option* option_ = nullptr;
};

/// What parsing came to.
struct Outcome {
  enum class Kind {
    kParsed,
    kPrint,           ///< `text` is the help or version that was asked for
    kMisuse,          ///< `text` says what is wrong with the arguments or the environment
    kUnreadableFile,  ///< or with opening the configuration file
    kUnfitFile,       ///< or with what is in it
  };
  Kind kind = Kind::kParsed;
  std::string text;
};

/// A program, or one of its commands. Variables that options are bound to must live until it was parsed. One thread.
class App {
 public:
  /// A program. It has -h,--help already.
  App(const std::string& description, const std::string& name);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // `names`: `-o,--output`, or a word without dashes for an argument. The variable holds the default and gets the
  // value; one that cannot be converted fails the parse.
  Option add_option(const std::string& names, std::string& value, const std::string& help);
  Option add_option(const std::string& names, std::vector<std::string>& values, const std::string& help);
  Option add_option(const std::string& names, std::uint64_t& value, const std::string& help);
  Option add_option(const std::string& names, unsigned& value, const std::string& help);
  Option add_option(const std::string& names, double& value, const std::string& help);
  Option add_option(const std::string& names, std::optional<std::uint64_t>& value, const std::string& help);
  Option add_flag(const std::string& names, bool& value, const std::string& help);
  Option add_flag(const std::string& names, std::function<void()> when_given, const std::string& help);
  /// `take` gets the text; an Error it throws fails the parse with its sentence behind `names`.
  Option add_text(const std::string& names, std::function<void(const std::string&)> take, const std::string& help);
  /// The same for all values of an option that is repeated.
  Option add_texts(const std::string& names, std::function<void(const std::vector<std::string>&)> take,
                   const std::string& help);

  /// Declared from now on: stands under this heading.
  void begin_group(const std::string& heading);

  Option set_help_flag(const std::string& names, const std::string& help);
  Option set_version_flag(const std::string& names, const std::string& version, const std::string& help);
  /// An option that names a TOML or INI file with options of the program and its commands. Unknown keys are errors.
  Option set_config(const std::string& names, const std::string& help);

  /// The command is part of this one and lives as long.
  App& add_subcommand(const std::string& name, const std::string& summary);
  /// One of the commands must be given.
  void require_subcommand();
  /// What a command does not know may be an option of those above it.
  void fallthrough();
  /// Called at the end of a parse that chose this command.
  void on_chosen(std::function<void()> callback);

  void footer(const std::string& text);
  /// Where descriptions begin in the help.
  void help_column(std::size_t column);
  /// Help that fits 80 columns: a type behind each option, the description wrapped, the default at its end. The
  /// variables of the environment are left out.
  void wrap_help();

  /// Without the program's name.
  Outcome parse(std::vector<std::string> arguments);
  Outcome parse(int argc, const char* const* argv);

  std::string name() const;
  std::string description() const;
  /// Null for the program itself.
  const App* parent() const { return parent_; }
  const std::vector<std::unique_ptr<App>>& subcommands() const { return subcommands_; }
  /// The declared option of this name, with its dashes. Throws std::exception when there is none.
  Option option(const std::string& name) const;
  /// In the order of their declaration.
  std::vector<Option> options() const;

  // After a parse, a failed one too.
  /// The command that was given; null when none was.
  const App* chosen() const;
  /// A command is required and none was given.
  bool misses_subcommand() const;
  /// Arguments that nobody knows.
  std::vector<std::string> unknown() const;

 private:
  App(CLI::App* app, const App* parent);

  std::unique_ptr<CLI::App> program_;  // none of a command
  CLI::App* app_;
  const App* parent_ = nullptr;
  std::vector<std::unique_ptr<App>> subcommands_;
};

}  // namespace sse::cli
