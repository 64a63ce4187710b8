#include "ssectl/commands/completion_levels.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string_view>
#include <utility>

namespace sse::ctl::completion {
namespace {

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

}  // namespace

std::vector<Level> levels_of(const cli::App& root) {
  std::vector<Level> levels;
  collect(root, "", levels);
  return levels;
}

std::vector<std::string> names_with_value(const std::vector<Level>& levels) {
  std::set<std::string> names;
  for (const Level& level : levels) {
    for (const Option& option : level.options) {
      if (option.takes_value) names.insert(option.names.begin(), option.names.end());
    }
  }
  return {names.begin(), names.end()};
}

ServerOptions server_options(const Level& program) {
  ServerOptions out;
  for (const Option& option : program.options) {
    const auto is = [&](std::string_view name) { return std::ranges::find(option.names, name) != option.names.end(); };
    if (option.takes_value ? is("--output") || is("--timeout") : !is("--local")) continue;
    std::vector<std::string>& names = option.takes_value ? out.values : out.flags;
    names.insert(names.end(), option.names.begin(), option.names.end());
  }
  return out;
}

std::string live_command(const LiveList& list, const std::string& program, const std::string& asked) {
  const std::string member = list.member;
  // Names are chosen by users: those with characters that mean something to a shell are left out, so that completing a
  // word never executes one.
  const std::string name = "([A-Za-z0-9._@:+-]{1,80})";
  // Of a nested object with the same member the outer one comes last: members are in the order of their names.
  const std::string pattern = member.empty() ? "^" + name + "$" : "^.*[{,]\"" + member + "\":\"" + name + "\",.*$";
  return "command " + program + " --timeout 1s " + asked + (member.empty() ? " -o table " : " -o ndjson ") +
         list.command + " 2>/dev/null | sed -nE 's/" + pattern + "/\\1/p'";
}

std::string joined(const std::vector<std::string>& words, const char* separator) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : separator) + word;
  return out;
}

std::string filled(std::string text, const std::vector<std::pair<std::string, std::string>>& values) {
  for (const auto& [key, value] : values) {
    for (std::size_t at = 0; (at = text.find(key, at)) != std::string::npos; at += value.size())
      text.replace(at, key.size(), value);
  }
  return text;
}

}  // namespace sse::ctl::completion
