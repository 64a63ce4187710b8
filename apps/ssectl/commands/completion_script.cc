#include "ssectl/commands/completion_script.h"

#include <algorithm>
#include <array>
#include <set>
#include <vector>

namespace sse::ctl {
namespace {

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
  const char* live = "";  // a list that the server knows: a word for NAME_live
};

// A command or group of commands with what may follow it.
struct Level {
  std::string path;         // " connections list"; empty for the program itself
  std::vector<Word> words;  // subcommands, or the values of a positional argument
  std::vector<Option> options;
  bool files = false;  // a positional argument takes a file
  const char* live = "";
};

// What the server is asked for the value of an option or argument: the list, and its member.
struct LiveList {
  const char* word;
  const char* command;
  const char* member;  // of its objects; empty: lines of text
};
constexpr std::array kLiveLists{
    LiveList{"users", "users list --ids", ""}, LiveList{"channels", "channels list", "name"},
    LiveList{"tenants", "tenants list", "name"}, LiveList{"connections", "connections list", "id"},
    LiveList{"nodes", "nodes list", "id"}};

const char* live_list(const std::string& path, const std::string& type) {
  if (type == "USER") return "users";
  if (type == "CHANNEL") return "channels";
  if (type == "TENANT") return "tenants";
  if (type == "NODE") return "nodes";
  return type == "ID" && path.starts_with(" connections") ? "connections" : "";
}

std::vector<std::string> choices_in(const std::string& type) {
  std::vector<std::string> choices;
  if (type.find('|') == std::string::npos) return choices;
  for (std::size_t at = 0; at <= type.size();) {
    const std::size_t end = std::min(type.find('|', at), type.size());
    choices.push_back(type.substr(at, end - at));
    at = end + 1;
  }
  return choices;
}

// The first line of a help text, reduced to characters that every shell accepts inside single quotes.
std::string short_help(std::string text) {
  text = text.substr(0, text.find('\n'));
  std::erase_if(text, [](char c) { return c == '\'' || c == '\\' || c == '[' || c == ']' || c == '`' || c == '$'; });
  std::ranges::replace(text, ':', ',');
  return text;
}

void collect(const cli::App& app, const std::string& path, std::vector<Level>& levels) {
  Level level;
  level.path = path;
  for (const auto& sub : app.subcommands()) level.words.push_back({sub->name(), short_help(sub->description())});
  for (const cli::Option& option : app.options()) {
    const std::string type = option.type_name();
    if (option.positional()) {
      for (const std::string& choice : choices_in(type)) level.words.push_back({choice, ""});
      level.files = level.files || type == "FILE";
      if (level.live[0] == '\0') level.live = live_list(path, option.argument_name());
      continue;
    }
    Option one;
    for (const std::string& name : option.long_names()) one.names.push_back("--" + name);
    for (const std::string& name : option.short_names()) one.names.push_back("-" + name);
    one.help = short_help(option.help());
    // An option whose value is optional does not consume the next word.
    one.takes_value = option.needs_value();
    one.files = type == "FILE" || type == "DIR";
    one.choices = choices_in(type);
    one.live = live_list(path, type);
    level.options.push_back(std::move(one));
  }
  levels.push_back(std::move(level));
  for (const auto& sub : app.subcommands()) collect(*sub, path + ' ' + sub->name(), levels);
}

std::string joined(const std::vector<std::string>& words, const char* separator) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : separator) + word;
  return out;
}

// Names of all options that are followed by a value, as a case pattern.
std::string with_value(const std::vector<Level>& levels) {
  std::set<std::string> names;
  for (const Level& level : levels) {
    for (const Option& option : level.options) {
      if (option.takes_value) names.insert(option.names.begin(), option.names.end());
    }
  }
  return joined({names.begin(), names.end()}, "|");
}

std::string steps(const std::vector<Level>& levels) {
  std::string out;
  for (const Level& level : levels) {
    if (!level.path.empty()) out += "      '" + level.path + "') at=\"$at $word\" ;;\n";
  }
  return out;
}

// A function that prints what the server lists, one a line. Names are chosen by users: those with characters that mean
// something to a shell are left out, so that completing a word never executes one.
std::string live_function(const std::string& program, bool fish) {
  std::string out =
      fish ? "function __" + program + "_live\n  switch $argv[1]\n" : "_" + program + "_live() {\n  case $1 in\n";
  for (const LiveList& list : kLiveLists) {
    const std::string member = list.member;
    const std::string name = "([A-Za-z0-9._@:+-]{1,80})";
    // Of a nested object with the same member the outer one comes last: members are in the order of their names.
    const std::string pattern = member.empty() ? "^" + name + "$" : "^.*[{,]\"" + member + "\":\"" + name + "\",.*$";
    const std::string command = "command " + program + " --timeout 1s " + (member.empty() ? "" : "-o ndjson ") +
                                list.command + " 2>/dev/null | sed -nE 's/" + pattern + "/\\1/p'";
    out += fish ? "    case " + std::string(list.word) + "\n      " + command + "\n"
                : "    " + std::string(list.word) + ") " + command + " ;;\n";
  }
  return out + (fish ? "  end\nend\n" : "  esac\n}\n");
}

// For bash and zsh. They differ in how a script reads the words and offers the candidates.
std::string sh_script(const std::vector<Level>& levels, const std::string& program, bool zsh) {
  const std::string offer = zsh ? "compadd --" : "_" + program + "_offer";
  std::string values;
  std::string words;
  for (const Level& level : levels) {
    std::vector<std::string> options;
    // The program's own options are accepted by every command.
    for (const Level* from : {&level, &levels.front()}) {
      for (const Option& option : from->options) {
        for (const std::string& name : option.names) {
          if (std::ranges::find(options, name) == options.end()) options.push_back(name);
        }
      }
      if (&level == &levels.front()) break;
    }
    std::vector<std::string> texts;
    for (const Word& word : level.words) texts.push_back(word.text);
    words += "    '" + level.path + "') words_here='" + joined(texts, " ") + "'; options_here='" +
             joined(options, " ") + "'; files_here=" + (level.files ? "yes" : "no") + "; live_here=" + level.live +
             " ;;\n";
    for (const Option& option : level.options) {
      if (!option.takes_value) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : option.names)
        patterns.push_back("'" + level.path + " " + name + "'" + (level.path.empty() ? "|*' " + name + "'" : ""));
      const std::string act = option.live[0] != '\0'    ? "_" + program + "_offer_live " + option.live
                              : option.files            ? "_" + program + "_files"
                              : !option.choices.empty() ? offer + " " + joined(option.choices, " ")
                                                        : ":";
      values += "    " + joined(patterns, "|") + ") " + act + "; return ;;\n";
    }
  }
  // The program's own patterns end in a wildcard, so they must come last.
  std::string own;
  std::string rest;
  for (std::size_t at = 0; at < values.size();) {
    const std::size_t end = values.find('\n', at) + 1;
    const std::string line = values.substr(at, end - at);
    (line.find("|*'") == std::string::npos ? rest : own) += line;
    at = end;
  }

  std::string out = zsh ? "#compdef " + program + "\n" : "";
  out += "# Completion of " + program + " for " + (zsh ? "zsh" : "bash") + "; made by '" + program + " completion'.\n";
  if (zsh) {
    out += "_" + program + "_files() { _files; }\n";
  } else {
    out += "_" + program + "_offer() { COMPREPLY=($(compgen -W \"$*\" -- \"$cur\")); }\n";
    out += "_" + program + "_files() { COMPREPLY=($(compgen -f -- \"$cur\")); compopt -o filenames 2>/dev/null; }\n";
  }
  out += live_function(program, false);
  out += zsh ? "_" + program + "_offer_live() { local -a live; live=(${(f)\"$(_" + program +
                   "_live $1)\"}); compadd -a live; }\n"
             : "_" + program +
                   "_offer_live() {\n  local value\n  while IFS= read -r value; do [[ $value == \"$cur\"* ]] && "
                   "COMPREPLY+=(\"$value\"); done < <(_" +
                   program + "_live \"$1\")\n}\n";
  out += "_" + program + "() {\n";
  out += "  local at='' word='' skip=no words_here='' options_here='' files_here=no live_here=''\n";
  if (zsh) {
    out += "  local cur=${words[CURRENT]} prev=${words[CURRENT-1]}\n";
    out += "  for word in \"${(@)words[2,CURRENT-1]}\"; do\n";
  } else {
    out += "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n";
    out += "  COMPREPLY=()\n";
    // Readline splits --option=value into three words.
    out += "  if [[ $cur == '=' ]]; then cur=''; elif [[ $prev == '=' ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n";
    out += "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n";
  }
  out += "    if [[ $skip == yes ]]; then skip=no; continue; fi\n";
  out +=
      "    case $word in\n      " + with_value(levels) + ") skip=yes; continue ;;\n      -*|=) continue ;;\n    esac\n";
  out += "    case \"$at $word\" in\n" + steps(levels) + "    esac\n  done\n";
  out += "  case \"$at $prev\" in\n" + rest + own + "  esac\n";
  out += "  case $at in\n" + words + "  esac\n";
  out += "  if [[ -n $live_here && $cur != -* ]]; then _" + program + "_offer_live $live_here; return; fi\n";
  if (zsh) {
    out += "  if [[ $cur == -* ]]; then compadd -- ${=options_here}; return; fi\n";
    out += "  [[ -n $words_here ]] && compadd -- ${=words_here}\n";
    out += "  [[ $files_here == yes ]] && _files\n  return 0\n}\n";
    out += "if [[ ${funcstack[1]-} == _" + program + " ]]; then _" + program + " \"$@\"; else compdef _" + program +
           " " + program + "; fi\n";
  } else {
    out += "  if [[ $cur == -* ]]; then " + offer + " $options_here; return; fi\n";
    out += "  if [[ $files_here == yes ]]; then _" + program + "_files; else " + offer + " $words_here; fi\n}\n";
    out += "complete -F _" + program + " " + program + "\n";
  }
  return out;
}

std::string fish_script(const std::vector<Level>& levels, const std::string& program) {
  std::string out = "# Completion of " + program + " for fish; made by '" + program + " completion'.\n";
  out += "function __" + program + "_at\n  set -l at ''\n  set -l skip no\n";
  out +=
      "  for word in (commandline -opc)[2..-1]\n    if test $skip = yes\n      set skip no\n      continue\n    end\n";
  std::string names = with_value(levels);
  std::ranges::replace(names, '|', ' ');
  out += "    switch $word\n      case " + names + "\n        set skip yes\n      case '-*'\n      case '*'\n";
  out += "        switch \"$at $word\"\n          case";
  for (const Level& level : levels) {
    if (!level.path.empty()) out += " '" + level.path + "'";
  }
  out += "\n            set at \"$at $word\"\n        end\n    end\n  end\n";
  out += "  test \"$at\" = \"$argv[1]\"\nend\n";
  out += live_function(program, true);
  out += "complete -c " + program + " -f\n";
  for (const Level& level : levels) {
    const std::string here = " -n '__" + program + "_at \"" + level.path + "\"'";
    for (const Word& word : level.words) {
      out += "complete -c " + program + here + " -a '" + word.text + "'";
      if (!word.help.empty()) out += " -d '" + word.help + "'";
      out += '\n';
    }
    if (level.files) out += "complete -c " + program + here + " -F\n";
    if (level.live[0] != '\0')
      out += "complete -c " + program + here + " -a '(__" + program + "_live " + level.live + ")'\n";
    for (const Option& option : level.options) {
      // The program's own options are accepted by every command.
      out += "complete -c " + program + (level.path.empty() ? "" : here);
      for (const std::string& name : option.names) {
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (option.takes_value) out += option.files ? " -r -F" : " -x";
      if (!option.choices.empty()) out += " -a '" + joined(option.choices, " ") + "'";
      if (option.live[0] != '\0') out += " -a '(__" + program + "_live " + option.live + ")'";
      out += " -d '" + option.help + "'\n";
    }
  }
  return out;
}

}  // namespace

std::string completion_script(const cli::App& root, const std::string& shell) {
  std::vector<Level> levels;
  collect(root, "", levels);
  if (shell == "fish") return fish_script(levels, root.name());
  return sh_script(levels, root.name(), shell == "zsh");
}

}  // namespace sse::ctl
