#pragma once

#include <string>

#include "cli/app.h"

namespace sse::ctl {

/// A completion script for `bash`, `zsh` or `fish` that knows every command and option of `root`, whose name is the
/// program's. Values: an option with the type name `a|b|c` completes to these, one with `FILE` or `DIR` to files, any
/// other to nothing. REQUIRES: one of the three shells.
std::string completion_script(const cli::App& root, const std::string& shell);

}  // namespace sse::ctl
