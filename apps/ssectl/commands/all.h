#pragma once

#include <span>
#include <string_view>

#include "cli/app.h"
#include "ssectl/commands/command.h"

namespace sse::ctl {

/// A command of ssectl.
struct Command {
  std::string_view group;  ///< "" for a command without a group
  const char* name;
  const char* summary;
  const char* examples;
  /// Adds the command's options to its app; the returned function owns their values.
  Run (*declare)(cli::App& app);
};

/// A group of commands; "messages dead" is the group "dead" inside the group "messages".
struct Group {
  std::string_view name;
  const char* summary;
  const char* example;
};

/// All commands and their groups, in the order in which --help lists them.
std::span<const Command> all_commands();
std::span<const Group> all_groups();

}  // namespace sse::ctl
