#pragma once

#include <memory>

namespace CLI {
class Config;
}  // namespace CLI

namespace sse::cli {

/// Reads TOML and INI files. Every App gets it: CLI11's own default for App is the same, but would have to be compiled
/// where an App is made.
std::shared_ptr<CLI::Config> make_configuration();

}  // namespace sse::cli
