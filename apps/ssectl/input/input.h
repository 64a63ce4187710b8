#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"

namespace sse::ctl {

/// Reads a whole file; `-` is standard input. Throws Error: kIo, kPermissionDenied, kTooLarge above 64 MiB.
std::string read_file(const std::string& path);

/// Reads data that was piped into the program; nullopt if standard input is a terminal, a device or empty. A file is
/// read to its end. A pipe or socket is too, but its first byte (or its end) must arrive within `timeout`: it may be
/// inherited and have no writer. Then Error(kTimeout) is thrown, because a guess could send the wrong data.
std::optional<std::string> piped_input(std::chrono::milliseconds timeout);

/// The first line of a file, without trailing blanks. Throws like read_file, and Error(kInvalidArgument) if the line is
/// empty.
std::string read_token(const std::string& path);

/// Parses ids from the command line and removes duplicates. Throws Error(kInvalidArgument) that names the first
/// invalid one.
std::vector<std::uint64_t> parse_ids(const std::vector<std::string>& texts);

/// Calls parse_duration; an error names the option.
std::chrono::milliseconds duration_option(const std::string& option, const std::string& text);

/// Asks `question` on the terminal; true for yes. Without a terminal throws Error(kInvalidArgument) that says to give
/// --yes.
bool confirmed(const std::string& question);

}  // namespace sse::ctl
