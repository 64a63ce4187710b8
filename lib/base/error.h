#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace sse {

/// Why an operation was refused or failed. The one place that maps these to HTTP statuses and exit codes is error.cc.
enum class ErrorCode {
  kInvalidArgument,   ///< the caller's input makes no sense; repeating it will not help
  kUnauthenticated,   ///< who the caller is could not be established
  kPermissionDenied,  ///< known caller, not allowed
  kNotFound,          ///< what was named does not exist
  kConflict,          ///< something else holds it: a port in use, a locked file, an id already taken
  kTooLarge,          ///< over a size limit
  kLimitExceeded,     ///< a count limit is reached; later it may work
  kUnavailable,       ///< cannot be reached or is shutting down
  kTimeout,           ///< no answer in the time allowed
  kIo,                ///< disk, file or socket failure
  kInternal,          ///< anything else; a defect
};

/// The one exception type of this library: a code for programs, one sentence for people that says what was tried, what
/// went wrong and what to do. Destructors and loop threads never throw it.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& sentence) : std::runtime_error(sentence), code_(code) {}

  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

/// Stable snake_case name used in JSON (`"code":"not_found"`).
std::string_view error_name(ErrorCode code);
/// Inverse of error_name; kInternal for a name this version does not know.
ErrorCode error_from_name(std::string_view name);
/// HTTP status of the code (RFC 9110 §15).
int http_status(ErrorCode code);
/// Exit code of both programs (CLI manual): 1 failed, 2 usage, 3 not found, 4 unreachable, 5 not allowed.
int exit_code(ErrorCode code);

/// An Error(kIo) that reads "<what>: <strerror(errno_value)>"; EADDRINUSE and friends become kConflict, EACCES and
/// EPERM kPermissionDenied.
Error system_error(int errno_value, const std::string& what);

}  // namespace sse
