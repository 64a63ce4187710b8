#pragma once

#include <string>

#include "cli/app.h"
#include "options.h"

namespace sse::serve {

/// The effective value of every option and where it comes from, as the text of a configuration file. Options without a
/// value are comments; passwords in addresses are masked. REQUIRES: `options` parsed by `app` and completed.
std::string print_config(const cli::App& app, const Options& options);

}  // namespace sse::serve
