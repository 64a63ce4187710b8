# sse_precompile(NAME HEADERS…): the headers of the standard library that most sources use, and HEADERS, compiled once;
# a target takes them with target_precompile_headers(TARGET REUSE_FROM NAME). Every source still includes what it uses:
# the dist preset and scripts/check-tidy compile without.
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

# sse_share_precompiled(NAME): what the targets of this folder have precompiled, NAME of the same folder, is the same in
# every clone, and so is all that is compiled with it: ccache serves it to others. For clang, to which CMake passes the
# path of the build tree where ccache does not make it relative; and without the time of the header's source.
macro(sse_share_precompiled name)
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang AND CMAKE_GENERATOR MATCHES Ninja)
    set(header ${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${name}.dir/cmake_pch.hxx)
    file(RELATIVE_PATH header ${CMAKE_BINARY_DIR} ${header})
    set(CMAKE_CXX_COMPILE_OPTIONS_CREATE_PCH -Xclang -emit-pch -Xclang -include -Xclang ${header} -x c++-header)
    set(CMAKE_CXX_COMPILE_OPTIONS_USE_PCH -Xclang -include-pch -Xclang ${header}.pch -Xclang -include -Xclang ${header})
  endif()
endmacro()
