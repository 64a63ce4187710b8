#pragma once

#include <memory>

namespace CLI {
class Config;
}  // namespace CLI

namespace sse::cli {

/// Creates the parser of TOML and INI files that every App uses. It is CLI11's default for an App, created here so that
/// only one source compiles it.
std::shared_ptr<CLI::Config> make_configuration();

}  // namespace sse::cli
