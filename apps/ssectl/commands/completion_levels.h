#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "cli/app.h"

/// What the completion scripts of all shells are made of: the commands with their options.
namespace sse::ctl::completion {

struct Word {
  std::string text;
  std::string help;
};

struct Option {
  std::vector<std::string> names;  // with dashes, the long name first
  std::string help;
  bool takes_value = false;
  bool files = false;
  std::vector<std::string> choices;
  const char* live = "";  // a list that the server knows: LiveList::word
};

/// A command or group of commands with what may follow it.
struct Level {
  std::string path;         // " connections list"; empty for the program itself
  std::vector<Word> words;  // subcommands, or the values of a positional argument
  std::vector<Option> options;
  bool files = false;  // a positional argument takes a file
  const char* live = "";
};

/// What the server is asked for the value of an option or argument: the list, and its member.
struct LiveList {
  const char* word;
  const char* command;
  const char* member;  // of its objects; empty: lines of text
};
inline constexpr std::array kLiveLists{
    LiveList{"users", "users list --ids", ""}, LiveList{"channels", "channels list", "name"},
    LiveList{"tenants", "tenants list", "name"}, LiveList{"connections", "connections list", "id"},
    LiveList{"nodes", "nodes list", "id"}};

/// The program first, each command before its own ones.
std::vector<Level> levels_of(const cli::App& root);

/// Names of all options that are followed by a value, each once.
std::vector<std::string> names_with_value(const std::vector<Level>& levels);

/// The program's options that decide which server is asked, and as whom. On a line that is completed they apply to the
/// question for live names, too.
struct ServerOptions {
  std::vector<std::string> values;  // are followed by a value
  std::vector<std::string> flags;
};
ServerOptions server_options(const Level& program);

/// A command line that prints the live names of `list`, one a line; `asked` expands to the options of the line.
std::string live_command(const LiveList& list, const std::string& program, const std::string& asked);

std::string joined(const std::vector<std::string>& words, const char* separator);

/// `text` with each occurrence of a key replaced by its value.
std::string filled(std::string text, const std::vector<std::pair<std::string, std::string>>& values);

std::string sh_script(const std::vector<Level>& levels, const std::string& program, bool zsh);
std::string fish_script(const std::vector<Level>& levels, const std::string& program);

}  // namespace sse::ctl::completion
