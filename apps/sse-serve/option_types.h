#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/units.h"
#include "cli/app.h"

// Options of the types that sse-serve has. Each text is checked while it is parsed; an invalid one is an Error that
// names the option. The values must outlive the parse.

namespace sse::serve {

/// Declares an option; `take` converts its text to a value and throws sse::Error if that is invalid. `type` and
/// `fallback`, the default, are for --help.
void add(cli::App& app, const std::string& name, const std::string& help, const std::string& type,
         const std::string& fallback, std::function<void(const std::string&)> take);

/// A duration with its unit, such as 5s.
void add_duration(cli::App& app, const std::string& name, std::chrono::milliseconds& value, const std::string& help);

/// A size with its unit, such as 64KiB.
void add_bytes(cli::App& app, const std::string& name, ByteCount& value, const std::string& help);

/// A whole number from `min` to `max`.
void add_count(cli::App& app, const std::string& name, std::size_t& value, std::size_t min, std::size_t max,
               const std::string& help, bool show_default = true);

/// One of `choices`.
void add_choice(cli::App& app, const std::string& name, const std::string& help,
                const std::vector<std::string>& choices, const std::string& fallback,
                std::function<void(const std::string&)> take);

}  // namespace sse::serve
