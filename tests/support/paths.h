#pragma once

#include <string>

/// Paths of the source tree and the programs. Only one source file contains them, so that all others compile
/// identically in every clone and a compiler cache can serve them.
namespace sse::testing {

std::string source_folder();   ///< of the source tree
std::string server_program();  ///< sse-serve
std::string ssectl_program();  ///< ssectl

}  // namespace sse::testing
