# sse_precompile(NAME HEADERS…): the headers of the standard library that most sources use, and HEADERS, compiled once;
# a target takes them with target_precompile_headers(TARGET REUSE_FROM NAME). Every source still includes what it uses:
# the clang preset builds lib and apps without.
function(sse_precompile name)
  set(source ${PROJECT_BINARY_DIR}/generated/${name}.cc)
  file(CONFIGURE OUTPUT ${source} CONTENT "// Compiles nothing but its precompiled header.\n")
  add_library(${name} OBJECT ${source})
  target_link_libraries(${name} PRIVATE sse_options)
  target_precompile_headers(${name} PRIVATE
    <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <cstdint> <deque> <functional> <map> <memory>
    <mutex> <optional> <set> <span> <string> <string_view> <thread> <unordered_map> <unordered_set> <utility> <variant>
    <vector> ${ARGN})
endfunction()
