# One library of all modules, for programs that embed the server: static, and shared with hidden visibility. What `cmake
# --install` puts down for them: lib/sse-server/*.h, both libraries, a CMake package (sse::server) and a file for
# pkg-config (sse-server).
include(CMakePackageConfigHelpers)

set(sse_objects)
foreach(module ${sse_modules})
  list(APPEND sse_objects $<TARGET_OBJECTS:sse_${module}>)
endforeach()
foreach(kind static shared)
  string(TOUPPER ${kind} type)
  add_library(sse_server_${kind} ${type} ${sse_objects})
  set_target_properties(sse_server_${kind} PROPERTIES
    OUTPUT_NAME sse-server EXPORT_NAME server_${kind} LINKER_LANGUAGE CXX
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  target_include_directories(sse_server_${kind} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(sse_server_${kind} INTERFACE cxx_std_20)
  target_link_libraries(sse_server_${kind} PRIVATE
    Threads::Threads OpenSSL::SSL OpenSSL::Crypto ZLIB::ZLIB spdlog::spdlog SQLiteCpp PkgConfig::SQLITE3
    PkgConfig::HTTPLIB PkgConfig::BROTLIENC PkgConfig::HIREDIS)
  install(TARGETS sse_server_${kind} EXPORT sse-server-${kind}-targets ARCHIVE COMPONENT dev
          LIBRARY COMPONENT library NAMELINK_COMPONENT dev)
  install(EXPORT sse-server-${kind}-targets NAMESPACE sse:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/sse-server
          COMPONENT dev)
endforeach()
# Hidden visibility leaves the templates of the standard library visible, which the linker's list takes away.
target_link_options(sse_server_shared PRIVATE -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/exported.map)
set_target_properties(sse_server_shared PROPERTIES LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/exported.map)

install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/sse-server/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sse-server
        COMPONENT dev FILES_MATCHING PATTERN *.h)
set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/sse-server)
configure_package_config_file(${CMAKE_CURRENT_SOURCE_DIR}/sse-server-config.cmake.in
  ${PROJECT_BINARY_DIR}/sse-server-config.cmake INSTALL_DESTINATION ${folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/sse-server-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/sse-server-config.cmake ${PROJECT_BINARY_DIR}/sse-server-config-version.cmake
  DESTINATION ${folder} COMPONENT dev)

# Relative to the file, so that the installed tree can be moved, and `cmake --install --prefix` works.
file(RELATIVE_PATH sse_pc_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" sse_pc_prefix ${sse_pc_prefix})
configure_file(${CMAKE_CURRENT_SOURCE_DIR}/sse-server.pc.in ${PROJECT_BINARY_DIR}/sse-server.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/sse-server.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
