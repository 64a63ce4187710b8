#include <algorithm>

#include "ssectl/commands/completion_levels.h"

namespace sse::ctl::completion {
namespace {

// What bash and zsh share; they differ in how a script reads the words and offers the candidates.

// The words as they will be when the line is run; a word that would run a command, or match files, is not one.
constexpr const char* kPlainFunction =
    R"sh(# Sets plain to what the shell would pass on for a word; fails if it would run a command or match files for that.
_PROGRAM_plain() {
  local rest=$1 quote='' c='' name=''
  plain=''
  if [[ $rest == '~' || $rest == '~/'* ]]; then plain=$HOME; rest=${rest:1}; fi
  while [[ -n $rest ]]; do
    c=${rest:0:1}; rest=${rest:1}
    if [[ $c == "$quote" ]]; then
      quote=''
    elif [[ $quote == "'" ]]; then
      plain+=$c
    elif [[ $c == '$' ]]; then
      name=${rest#'{'}; name=${name%%[!A-Za-z0-9_]*}
      [[ $name == [A-Za-z_]* ]] || return 1
      if [[ $rest == "{$name}"* ]]; then
        rest=${rest:$((${#name} + 2))}
      elif [[ $rest == "$name"* ]]; then
        rest=${rest:${#name}}
      else
        return 1
      fi
      plain+=INDIRECT
    elif [[ $c == '\' ]]; then
      plain+=${rest:0:1}; rest=${rest:1}
    elif [[ $c == '`' ]]; then
      return 1
    elif [[ -z $quote && ( $c == "'" || $c == '"' ) ]]; then
      quote=$c
    elif [[ -z $quote && '*?[]{}()<>;&|' == *"$c"* ]]; then
      return 1
    else
      plain+=$c
    fi
  done
  [[ -z $quote ]]
}
# An option of the line that decides which server is asked; one that cannot be read leaves no server to ask.
_PROGRAM_asked() {
  local plain=''
  if _PROGRAM_plain "$1"; then asked+=("$plain"); else readable=no; fi
}
)sh";

constexpr const char* kBashFunctions = R"sh(_PROGRAM_offer() { COMPREPLY=($(compgen -W "$*" -- "$cur")); }
_PROGRAM_files() { mapfile -t COMPREPLY < <(compgen -f -- "$cur"); compopt -o filenames 2>/dev/null; }
_PROGRAM_offer_live() {
  local value=''
  while IFS= read -r value; do [[ $value == "$cur"* ]] && COMPREPLY+=("$value"); done < <(_PROGRAM_live "$1")
}
# Sets words to the words before the cursor, the last of which may be empty, and piece to what readline will replace of
# that: it splits words at : = and @, too, and the last of these begins what is replaced.
_PROGRAM_words() {
  local line=${COMP_LINE:0:COMP_POINT} rest='' word='' last='' glued=''
  words=()
  for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
    rest=${line#"${line%%[![:space:]]*}"}
    [[ $rest == "$word"* ]] || word=$rest
    if [[ ${#words[@]} -gt 0 && $rest == "$line" ]]; then
      words[${#words[@]}-1]+=$word; glued=$last
    else
      words+=("$word"); glued=''
    fi
    line=${rest:${#word}}; last=$word
  done
  case $word in
    *[!:=@]*) piece=$word; [[ $glued != *@ ]] || piece=@$word ;;
    *@) piece=@ ;;
    *) piece='' ;;
  esac
}
_PROGRAM() {
  local -a words=()
  local piece='' i=0
  COMPREPLY=()
  _PROGRAM_words
  local CURRENT=$((${#words[@]} - 1))
  local cur=${words[CURRENT]} prev=${words[CURRENT-1]}
  if [[ $cur == --*=* ]]; then prev=${cur%%=*}; cur=${cur#*=}; fi
  _PROGRAM_complete
  for i in "${!COMPREPLY[@]}"; do
    if [[ $cur == *"$piece" ]]; then
      COMPREPLY[i]=${COMPREPLY[i]#"${cur%"$piece"}"}
    else
      COMPREPLY[i]=${piece%"$cur"}${COMPREPLY[i]}
    fi
  done
}
)sh";

constexpr const char* kZshFunctions = R"sh(_PROGRAM_files() { _files; }
_PROGRAM_offer_live() { local -a live; live=(${(f)"$(_PROGRAM_live $1)"}); compadd -a live; }
_PROGRAM() {
  local cur=${words[CURRENT]} prev=${words[CURRENT-1]}
  if [[ $cur == --*=* ]]; then prev=${cur%%=*}; cur=${cur#*=}; compset -P 1 '*='; fi
  _PROGRAM_complete
}
)sh";

constexpr const char* kBeginning = R"sh(_PROGRAM_complete() {
  local at='' word='' option='' readable=yes skip=no words_here='' options_here='' files_here=no live_here=''
  local -a asked=()
  for word in WORDS_BEFORE; do
    if [[ $skip == yes ]]; then
      skip=no
      if [[ -n $option ]]; then asked+=("$option"); _PROGRAM_asked "$word"; fi
      continue
    fi
    case $word in
      ASKING) option=$word; skip=yes; continue ;;
      WITH_VALUE) option=''; skip=yes; continue ;;
      ASKED_TOGETHER) _PROGRAM_asked "$word"; continue ;;
      -*) continue ;;
    esac
)sh";

std::string live_function(const std::string& program) {
  std::string out = "_" + program + "_live() {\n  [[ $readable == yes ]] || return 0\n  case $1 in\n";
  for (const LiveList& list : kLiveLists)
    out += "    " + std::string(list.word) + ") " + live_command(list, program, "\"${asked[@]}\"") + " ;;\n";
  return out + "  esac\n}\n";
}

// Patterns of words that hold an option and its value, or are a flag.
std::vector<std::string> asked_together(const ServerOptions& options) {
  std::vector<std::string> patterns = options.flags;
  for (const std::string& name : options.values) patterns.push_back(name + (name.starts_with("--") ? "=*" : "?*"));
  return patterns;
}

// A case of `"$at $prev"` for each option with a value: what it offers.
std::string value_cases(const std::vector<Level>& levels, const std::string& program, const std::string& offer) {
  std::string of_commands;
  std::string of_program;
  for (const Level& level : levels) {
    const bool own = level.path.empty();
    for (const Option& option : level.options) {
      if (!option.takes_value) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : option.names)
        patterns.push_back("'" + level.path + " " + name + "'" + (own ? "|*' " + name + "'" : ""));
      const std::string act = option.live[0] != '\0'    ? "_" + program + "_offer_live " + option.live
                              : option.files            ? "_" + program + "_files"
                              : !option.choices.empty() ? offer + " " + joined(option.choices, " ")
                                                        : ":";
      (own ? of_program : of_commands) += "    " + joined(patterns, "|") + ") " + act + "; return ;;\n";
    }
  }
  // The program's own patterns begin with a wildcard, so they must come last.
  return of_commands + of_program;
}

// A case of `$at` for each command: which words and options may follow it.
std::string word_cases(const std::vector<Level>& levels) {
  std::string out;
  for (const Level& level : levels) {
    std::vector<std::string> options;
    // The program's own options are accepted by every command.
    for (const Level* from : {&level, &levels.front()}) {
      for (const Option& option : from->options) {
        for (const std::string& name : option.names) {
          if (std::ranges::find(options, name) == options.end()) options.push_back(name);
        }
      }
    }
    std::vector<std::string> texts;
    for (const Word& word : level.words) texts.push_back(word.text);
    out += "    '" + level.path + "') words_here='" + joined(texts, " ") + "'; options_here='" + joined(options, " ") +
           "'; files_here=" + (level.files ? "yes" : "no") + "; live_here=" + level.live + " ;;\n";
  }
  return out;
}

std::string path_cases(const std::vector<Level>& levels) {
  std::string out;
  for (const Level& level : levels) {
    if (!level.path.empty()) out += "      '" + level.path + "') at=\"$at $word\" ;;\n";
  }
  return out;
}

}  // namespace

std::string sh_script(const std::vector<Level>& levels, const std::string& program, bool zsh) {
  const ServerOptions server = server_options(levels.front());
  const std::string offer = zsh ? "compadd --" : "_" + program + "_offer";
  std::string out = zsh ? "#compdef PROGRAM\n" : "";
  out += "# Completion of PROGRAM for " + std::string(zsh ? "zsh" : "bash") + "; made by 'PROGRAM completion'.\n";
  out += kPlainFunction;
  out += live_function(program);
  out += zsh ? kZshFunctions : kBashFunctions;
  out += kBeginning;
  out += "    case \"$at $word\" in\n" + path_cases(levels) + "    esac\n  done\n";
  out += "  case \"$at $prev\" in\n" + value_cases(levels, program, offer) + "  esac\n";
  out += "  case $at in\n" + word_cases(levels) + "  esac\n";
  out += "  if [[ -n $live_here && $cur != -* ]]; then _PROGRAM_offer_live $live_here; return; fi\n";
  if (zsh) {
    out += "  if [[ $cur == -* ]]; then compadd -- ${=options_here}; return; fi\n";
    out += "  [[ -n $words_here ]] && compadd -- ${=words_here}\n";
    out += "  [[ $files_here == yes ]] && _files\n  return 0\n}\n";
    out += "if [[ ${funcstack[1]-} == _PROGRAM ]]; then _PROGRAM \"$@\"; else compdef _PROGRAM PROGRAM; fi\n";
  } else {
    out += "  if [[ $cur == -* ]]; then _PROGRAM_offer $options_here; return; fi\n";
    out += "  if [[ $files_here == yes ]]; then _PROGRAM_files; else _PROGRAM_offer $words_here; fi\n}\n";
    out += "complete -F _PROGRAM PROGRAM\n";
  }
  return filled(out, {{"INDIRECT", zsh ? "${(P)name}" : "${!name-}"},
                      {"WORDS_BEFORE", zsh ? "\"${(@)words[2,CURRENT-1]}\"" : "\"${words[@]:1:CURRENT-1}\""},
                      {"ASKING", joined(server.values, "|")},
                      {"ASKED_TOGETHER", joined(asked_together(server), "|")},
                      {"WITH_VALUE", joined(names_with_value(levels), "|")},
                      {"PROGRAM", program}});
}

}  // namespace sse::ctl::completion
