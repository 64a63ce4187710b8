#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"

namespace sse::ctl {

/// The file's bytes; `-` is standard input, to its end. Throws Error: kIo, kPermissionDenied, kTooLarge past 64 MiB.
std::string read_file(const std::string& path);

/// What was piped into the program: nullopt when standard input is a terminal, a device or empty. A file is read to its
/// end. So is a pipe or socket, but the first byte (or its end) must come within `patience`: it may be one that was
/// inherited and nobody writes into; then Error(kTimeout) is thrown, since to guess would send the wrong thing.
std::optional<std::string> piped_input(std::chrono::milliseconds patience);

/// The first line without surrounding blanks. Throws as read_file, and Error(kInvalidArgument) when nothing is in it.
std::string read_token(const std::string& path);

/// Reads ids off the command line, doubled ones once. Throws Error(kInvalidArgument) that names the first that is none.
std::vector<std::uint64_t> parse_ids(const std::vector<std::string>& texts);

/// parse_duration whose error names the option.
std::chrono::milliseconds duration_option(const std::string& option, const std::string& text);

/// Asks `question` on the terminal; true for yes. Off the terminal nobody can answer: throws Error(kInvalidArgument)
/// that says to give --yes.
bool confirmed(const std::string& question);

}  // namespace sse::ctl
