#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace sse::testing {

/// The Error that `act` throws. Fails the test when it throws none.
template <class Act>
Error error_of(Act&& act) {
  try {
    act();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {ErrorCode::kInternal, ""};
}

/// The sentence of the Error that `act` throws, which must have this code; empty when it throws none.
template <class Act>
std::string refusal_of(Act&& act, ErrorCode code = ErrorCode::kInvalidArgument) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "";
}

}  // namespace sse::testing
