#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace sse {

/// Why an operation was refused or failed. The one place that maps these to HTTP statuses and exit codes is error.cc.
enum class ErrorCode {
  kInvalidArgument,   ///< the input is invalid; repeating it does not help
  kUnauthenticated,   ///< the caller is not identified
  kPermissionDenied,  ///< the caller is known, but not allowed
  kNotFound,          ///< a named object does not exist
  kConflict,          ///< the resource is in use: a port, a locked file, an id
  kTooLarge,          ///< a size limit is exceeded
  kLimitExceeded,     ///< a count limit is reached; a later try may succeed
  kUnavailable,       ///< not reachable, or shutting down
  kTimeout,           ///< no response within the time limit
  kIo,                ///< disk, file or socket failure
  kInternal,          ///< anything else; a defect
};

/// The one exception type of this library: a code for programs and one sentence for people that says what was tried,
/// what failed and what to do. Never thrown by destructors or loop threads.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& sentence) : std::runtime_error(sentence), code_(code) {}

  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

/// Stable snake_case name used in JSON (`"code":"not_found"`).
std::string_view error_name(ErrorCode code);
/// Inverse of error_name; kInternal for an unknown name.
ErrorCode error_from_name(std::string_view name);
/// HTTP status of the code (RFC 9110 §15).
int http_status(ErrorCode code);
/// Exit code of both programs (CLI manual): 1 failed, 2 usage, 3 not found, 4 unreachable, 5 not allowed.
int exit_code(ErrorCode code);

/// An Error(kIo) that reads "<what>: <strerror(errno_value)>"; EADDRINUSE and EEXIST become kConflict, EACCES and EPERM
/// kPermissionDenied.
Error system_error(int errno_value, const std::string& what);

}  // namespace sse
