#include "base/error.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <set>

namespace sse {
namespace {

constexpr std::array kAll{ErrorCode::kInvalidArgument,  ErrorCode::kUnauthenticated,
                          ErrorCode::kPermissionDenied, ErrorCode::kNotFound,
                          ErrorCode::kConflict,         ErrorCode::kTooLarge,
                          ErrorCode::kLimitExceeded,    ErrorCode::kUnavailable,
                          ErrorCode::kTimeout,          ErrorCode::kIo,
                          ErrorCode::kInternal};

TEST(Error, EveryCodeHasItsOwnNameThatReadsBack) {
  std::set<std::string_view> names;
  for (const ErrorCode code : kAll) {
    EXPECT_TRUE(names.insert(error_name(code)).second) << error_name(code);
    EXPECT_EQ(error_from_name(error_name(code)), code);
  }
}

TEST(Error, ANameOfALaterVersionIsInternal) {
  EXPECT_EQ(error_from_name("teapot"), ErrorCode::kInternal);
  EXPECT_EQ(error_from_name(""), ErrorCode::kInternal);
}

TEST(Error, StatusesAndExitCodesAreThoseOfTheManual) {
  struct Row {
    ErrorCode code;
    int status;
    int exit;
  };
  constexpr std::array kRows{Row{ErrorCode::kInvalidArgument, 400, 2},  Row{ErrorCode::kUnauthenticated, 401, 5},
                             Row{ErrorCode::kPermissionDenied, 403, 5}, Row{ErrorCode::kNotFound, 404, 3},
                             Row{ErrorCode::kConflict, 409, 1},         Row{ErrorCode::kTooLarge, 413, 1},
                             Row{ErrorCode::kLimitExceeded, 429, 1},    Row{ErrorCode::kUnavailable, 503, 4},
                             Row{ErrorCode::kTimeout, 504, 1},          Row{ErrorCode::kIo, 500, 1},
                             Row{ErrorCode::kInternal, 500, 1}};
  static_assert(kRows.size() == kAll.size());
  for (const Row& row : kRows) {
    EXPECT_EQ(http_status(row.code), row.status) << error_name(row.code);
    EXPECT_EQ(exit_code(row.code), row.exit) << error_name(row.code);
  }
}

TEST(Error, SystemErrorsSayWhatWasTriedAndWhy) {
  const Error error = system_error(ENOSPC, "cannot write /x");
  EXPECT_EQ(error.code(), ErrorCode::kIo);
  EXPECT_STREQ(error.what(), "cannot write /x: No space left on device");
  EXPECT_EQ(system_error(EADDRINUSE, "").code(), ErrorCode::kConflict);
  EXPECT_EQ(system_error(EEXIST, "").code(), ErrorCode::kConflict);
  EXPECT_EQ(system_error(EACCES, "").code(), ErrorCode::kPermissionDenied);
  EXPECT_EQ(system_error(EPERM, "").code(), ErrorCode::kPermissionDenied);
}

}  // namespace
}  // namespace sse
