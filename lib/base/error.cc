#include "base/error.h"

#include <array>
#include <cerrno>
#include <system_error>

namespace sse {
namespace {

struct Row {
  ErrorCode code;
  std::string_view name;
  int http_status;
  int exit_code;
};

constexpr std::array kRows{
    Row{ErrorCode::kInvalidArgument, "invalid_argument", 400, 2},
    Row{ErrorCode::kUnauthenticated, "unauthenticated", 401, 5},
    Row{ErrorCode::kPermissionDenied, "permission_denied", 403, 5},
    Row{ErrorCode::kNotFound, "not_found", 404, 3},
    Row{ErrorCode::kConflict, "conflict", 409, 1},
    Row{ErrorCode::kTooLarge, "too_large", 413, 1},
    Row{ErrorCode::kLimitExceeded, "limit_exceeded", 429, 1},
    Row{ErrorCode::kUnavailable, "unavailable", 503, 4},
    Row{ErrorCode::kTimeout, "timeout", 504, 1},
    Row{ErrorCode::kIo, "io", 500, 1},
    Row{ErrorCode::kInternal, "internal", 500, 1},
};

const Row& row(ErrorCode code) {
  for (const Row& r : kRows) {
    if (r.code == code) return r;
  }
  return kRows.back();
}

}  // namespace

std::string_view error_name(ErrorCode code) {
  return row(code).name;
}

ErrorCode error_from_name(std::string_view name) {
  for (const Row& r : kRows) {
    if (r.name == name) return r.code;
  }
  return ErrorCode::kInternal;
}

int http_status(ErrorCode code) {
  return row(code).http_status;
}

int exit_code(ErrorCode code) {
  return row(code).exit_code;
}

Error system_error(int errno_value, const std::string& what) {
  ErrorCode code = ErrorCode::kIo;
  if (errno_value == EADDRINUSE || errno_value == EEXIST) code = ErrorCode::kConflict;
  if (errno_value == EACCES || errno_value == EPERM) code = ErrorCode::kPermissionDenied;
  return {code, what + ": " + std::generic_category().message(errno_value)};
}

}  // namespace sse
