#pragma once

#include <cstdio>
#include <string>

namespace sse::testing {

/// Runs `ssectl <arguments>` in a shell. Returns its output, standard error included, with "exit <status>" appended.
std::string ssectl(const std::string& arguments);

/// The same in two steps, for a program that runs while the test goes on. finish_ssectl() waits for its end.
FILE* start_ssectl(const std::string& arguments);
std::string finish_ssectl(FILE* program);

}  // namespace sse::testing
