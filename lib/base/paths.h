#pragma once

#include <string>

namespace sse {

/// The default admin address of both programs: `unix:$XDG_RUNTIME_DIR/sse-serve/admin.sock`, or
/// `unix:/tmp/sse-serve-<uid>/admin.sock` without a runtime directory. The caller creates the folder and restricts
/// access to it.
std::string default_admin_address();

/// The default database: `$XDG_STATE_HOME/sse-serve/pending.db`, or below `~/.local/state` (XDG base directory
/// specification; `~` is $HOME, otherwise the home of the password database). The caller creates the folder. Throws
/// Error(kNotFound) without any home.
std::string default_database_path();

}  // namespace sse
