#pragma once

#include <string>

namespace sse {

/// The default admin address of both programs: `unix:$XDG_RUNTIME_DIR/sse-serve/admin.sock`, or
/// `unix:/tmp/sse-serve-<uid>/admin.sock` without a runtime directory. The caller creates the folder and restricts
/// access to it.
std::string default_admin_address();

/// Where a client of the admin API finds a server: default_admin_address() when there is a socket, otherwise that of
/// the system's service, `unix:FOLDER/admin.sock`, when there is one; otherwise the former.
std::string find_admin_address(const std::string& system_folder = "/run/sse-serve");

/// The default database: `$XDG_STATE_HOME/sse-serve/pending.db`, or below `~/.local/state` (XDG base directory
/// specification; `~` is $HOME, otherwise the home of the password database). The caller creates the folder. Throws
/// Error(kNotFound) without any home.
std::string default_database_path();

}  // namespace sse
