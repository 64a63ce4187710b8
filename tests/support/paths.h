#pragma once

#include <string>

/// Where the source tree and the programs are. One source knows, so that all others compile the same in every clone and
/// a compiler cache serves them.
namespace sse::testing {

std::string source_folder();   ///< of the source tree
std::string server_program();  ///< sse-serve
std::string ssectl_program();  ///< ssectl

}  // namespace sse::testing
