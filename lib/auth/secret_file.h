#pragma once

#include <string>

namespace sse::auth {

/// The first line of a file that holds a token, password or secret, without surrounding blanks and line break. Logs a
/// warning when other users can read the file. Throws Error(kInvalidArgument) that names `option` when the line is
/// empty, or when the file is recognizably something else, such as a web page or a key, which may be public.
std::string read_secret_file(const std::string& path, const std::string& option);

/// The whole file, at most 1 MiB. Throws Error(kInvalidArgument) that names `option` when it cannot be read or is
/// empty.
std::string read_whole_file(const std::string& path, const std::string& option);

/// Logs a warning when other users can read a file with a secret.
void warn_if_readable_by_others(const std::string& path, const std::string& option);

}  // namespace sse::auth
