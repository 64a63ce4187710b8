#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/app.h"

namespace sse::ctl {

/// Declares -H,--header for requests to a public address.
void declare_headers(cli::App& app, std::vector<std::string>& given);

/// The headers of --header: `NAME: VALUE`, or `@FILE` with such lines, as of curl, so that a secret need not stand in
/// the command line, where every user of the machine can read it. Throws Error(kInvalidArgument), or that of
/// read_file().
std::vector<std::pair<std::string, std::string>> read_headers(const std::vector<std::string>& given);

}  // namespace sse::ctl
