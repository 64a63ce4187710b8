#pragma once

#include <string>
#include <string_view>

#include "sse-server/error.h"

namespace sse {

/// Inverse of error_name; kInternal for an unknown name.
ErrorCode error_from_name(std::string_view name);
/// Exit code of both programs (CLI manual): 1 failed, 2 usage, 3 not found, 4 unreachable, 5 not allowed.
int exit_code(ErrorCode code);

/// An Error(kIo) that reads "<what>: <strerror(errno_value)>"; EADDRINUSE and EEXIST become kConflict, EACCES and EPERM
/// kPermissionDenied.
Error system_error(int errno_value, const std::string& what);

}  // namespace sse
