#pragma once

#include <chrono>
#include <optional>
#include <string>

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

}  // namespace sse::ctl
