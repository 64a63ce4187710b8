#include "support/paths.h"

namespace sse::testing {

std::string source_folder() {
  return SSE_SOURCE_DIR;
}

std::string server_program() {
  return SSE_SERVE;
}

std::string ssectl_program() {
  return SSECTL;
}

}  // namespace sse::testing
