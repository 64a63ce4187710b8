#pragma once

#include <string>

#include "cli/app.h"

namespace sse::ctl {

/// Generates a completion script for `bash`, `zsh` or `fish` with every command and option of `root`, whose name is
/// the name of the program. An option value completes by its type name: `a|b|c` to these words, `FILE` and `DIR` to
/// files, any other to nothing. REQUIRES: `shell` is one of the three.
std::string completion_script(const cli::App& root, const std::string& shell);

}  // namespace sse::ctl
