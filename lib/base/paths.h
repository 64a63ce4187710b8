#pragma once

#include <string>

namespace sse {

/// Where both programs meet when nobody says otherwise: `unix:$XDG_RUNTIME_DIR/sse-serve/admin.sock`, or
/// `unix:/tmp/sse-serve-<uid>/admin.sock` without a runtime directory. The caller creates and guards the folder.
std::string default_admin_address();

/// `$XDG_STATE_HOME/sse-serve/pending.db`, or below `~/.local/state` (XDG base directory specification; `~` is $HOME,
/// else the home of the password database). The caller creates the folder. Throws Error(kNotFound) without any home.
std::string default_database_path();

}  // namespace sse
