#include "cli/configuration.h"

#include <CLI/Config.hpp>

namespace sse::cli {

std::shared_ptr<CLI::Config> make_configuration() {
  return std::make_shared<CLI::ConfigTOML>();
}

}  // namespace sse::cli
