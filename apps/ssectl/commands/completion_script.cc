#include "ssectl/commands/completion_script.h"

#include <vector>

#include "ssectl/commands/completion_levels.h"

namespace sse::ctl {

std::string completion_script(const cli::App& root, const std::string& shell) {
  const std::vector<completion::Level> levels = completion::levels_of(root);
  if (shell == "fish") return completion::fish_script(levels, root.name());
  return completion::sh_script(levels, root.name(), shell == "zsh");
}

}  // namespace sse::ctl
