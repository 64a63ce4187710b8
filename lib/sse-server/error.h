#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "sse-server/export.h"

namespace sse {

/// Why an operation was refused or failed. The one place that maps these to HTTP statuses and exit codes is
/// lib/base/error.cc.
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
class SSE_API Error : public std::runtime_error {
 public:
  /// An error with a code, and the sentence that what() returns.
  Error(ErrorCode code, const std::string& sentence) : std::runtime_error(sentence), code_(code) {}

  /// Why the operation failed.
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

/// An error as a value: that of one of several requests, which leaves the others unaffected.
struct ErrorInfo {
  ErrorCode code = ErrorCode::kInternal;  ///< why it failed
  std::string sentence{};                 ///< what Error::what() would return
};

/// Refuses the request of a page with a status of the program's choice, instead of the status of an error code.
class SSE_API Refusal : public Error {
 public:
  /// `status`: 400 to 599. The page gets the sentence, too.
  Refusal(int status, const std::string& sentence) : Error(ErrorCode::kPermissionDenied, sentence), status_(status) {}

  /// The HTTP status of the answer.
  int status() const { return status_; }

 private:
  int status_;
};

/// Stable snake_case name used in JSON (`"code":"not_found"`).
SSE_API std::string_view error_name(ErrorCode code);
/// HTTP status of the code (RFC 9110 §15).
SSE_API int http_status(ErrorCode code);

}  // namespace sse
