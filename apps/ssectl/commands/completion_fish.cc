#include "ssectl/commands/completion_levels.h"

namespace sse::ctl::completion {
namespace {

constexpr const char* kFunctions =
    R"sh(# Prints what fish would pass on for a word; fails if it would run a command for that.
function __PROGRAM_plain
  set -l rest $argv[1]
  set -l out ''
  string match -q '*(*' -- $rest; and return 1
  if test "$rest" = '~'; or string match -q '~/*' -- $rest
    set out $HOME
    set rest (string sub -s 2 -- $rest)
  end
  while string match -q '*$*' -- $rest
    set -l parts (string match -r '^([^$]*)\$(\w+)(.*)$' -- $rest); or return 1
    set -l name $parts[3]
    set out $out$parts[2]"$$name"
    set rest $parts[4]
  end
  echo -- $out$rest
end
# Prints the options of the line that decide which server is asked; fails if one cannot be read.
function __PROGRAM_asked
  set -l skip no
  set -l option ''
  for word in (commandline -opc)[2..-1]
    if test $skip = yes
      set skip no
      if test -n "$option"
        echo -- $option
        __PROGRAM_plain $word; or return 1
      end
      continue
    end
    switch $word
      case ASKING
        set skip yes
        set option $word
      case WITH_VALUE
        set skip yes
        set option ''
      case ASKED_TOGETHER
        __PROGRAM_plain $word; or return 1
    end
  end
end
)sh";

std::string at_function(const std::vector<Level>& levels) {
  std::string out =
      "function __PROGRAM_at\n  set -l at ''\n  set -l skip no\n  for word in (commandline -opc)[2..-1]\n"
      "    if test $skip = yes\n      set skip no\n      continue\n    end\n"
      "    switch $word\n      case WITH_VALUE\n        set skip yes\n      case '-*'\n      case '*'\n"
      "        switch \"$at $word\"\n          case";
  for (const Level& level : levels) {
    if (!level.path.empty()) out += " '" + level.path + "'";
  }
  out += "\n            set at \"$at $word\"\n        end\n    end\n  end\n";
  return out + "  test \"$at\" = \"$argv[1]\"\nend\n";
}

std::string live_function(const std::string& program) {
  std::string out = "function __PROGRAM_live\n  set -l asked (__PROGRAM_asked); or return 0\n  switch $argv[1]\n";
  for (const LiveList& list : kLiveLists)
    out += "    case " + std::string(list.word) + "\n      " + live_command(list, program, "$asked") + "\n";
  return out + "  end\nend\n";
}

// Patterns of words that hold an option and its value, or are a flag.
std::string asked_together(const ServerOptions& options) {
  std::string patterns = joined(options.flags, " ");
  for (const std::string& name : options.values) patterns += " '" + name + (name.starts_with("--") ? "=*'" : "?*'");
  return patterns;
}

}  // namespace

std::string fish_script(const std::vector<Level>& levels, const std::string& program) {
  const ServerOptions server = server_options(levels.front());
  std::string out = "# Completion of PROGRAM for fish; made by 'PROGRAM completion'.\n";
  out += at_function(levels);
  out += kFunctions;
  out += live_function(program);
  out += "complete -c PROGRAM -f\n";
  for (const Level& level : levels) {
    const std::string here = " -n '__PROGRAM_at \"" + level.path + "\"'";
    for (const Word& word : level.words) {
      out += "complete -c PROGRAM" + here + " -a '" + word.text + "'";
      if (!word.help.empty()) out += " -d '" + word.help + "'";
      out += '\n';
    }
    if (level.files) out += "complete -c PROGRAM" + here + " -F\n";
    if (level.live[0] != '\0') out += "complete -c PROGRAM" + here + " -a '(__PROGRAM_live " + level.live + ")'\n";
    for (const Option& option : level.options) {
      // The program's own options are accepted by every command.
      out += "complete -c PROGRAM" + (level.path.empty() ? "" : here);
      for (const std::string& name : option.names) {
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (option.takes_value) out += option.files ? " -r -F" : " -x";
      if (!option.choices.empty()) out += " -a '" + joined(option.choices, " ") + "'";
      if (option.live[0] != '\0') out += " -a '(__PROGRAM_live " + std::string(option.live) + ")'";
      out += " -d '" + option.help + "'\n";
    }
  }
  return filled(out, {{"ASKING", joined(server.values, " ")},
                      {"ASKED_TOGETHER", asked_together(server)},
                      {"WITH_VALUE", joined(names_with_value(levels), " ")},
                      {"PROGRAM", program}});
}

}  // namespace sse::ctl::completion
