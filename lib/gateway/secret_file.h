#pragma once

#include <string>

namespace sse::gateway {

/// The first line of a file that holds a secret; warns in the log when others can read it. Throws
/// Error(kInvalidArgument) that names `option` when there is none.
std::string read_secret_file(const std::string& path, const std::string& option);

/// The whole file, at most 1 MiB. Same errors and warning.
std::string read_whole_secret_file(const std::string& path, const std::string& option);

}  // namespace sse::gateway
