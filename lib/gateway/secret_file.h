#pragma once

#include <string>

namespace sse::gateway {

/// The first line of a file that holds a token, password or secret, without blanks and line break around; warns in the
/// log when others can read it. Throws Error(kInvalidArgument) that names `option` when there is none, and when the
/// file is recognisably something else, such as a web page or a key: everybody may know that.
std::string read_secret_file(const std::string& path, const std::string& option);

/// The whole file, at most 1 MiB. Throws Error(kInvalidArgument) that names `option` when it cannot be read or is
/// empty.
std::string read_whole_file(const std::string& path, const std::string& option);

/// Warns in the log when others can read a file with a secret.
void warn_if_readable_by_others(const std::string& path, const std::string& option);

}  // namespace sse::gateway
