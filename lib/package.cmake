# What find_package(sse-server) needs in an installed tree: the modules as sse-server::NAME, and sse-server::sse-server for a
# program that embeds the server (lib/server/server.h).
include(CMakePackageConfigHelpers)

if(TARGET sse_server)
  add_library(sse_embedded INTERFACE)
  set_target_properties(sse_embedded PROPERTIES EXPORT_NAME sse-server)
  target_link_libraries(sse_embedded INTERFACE sse::server)
  install(TARGETS sse_embedded EXPORT sse-server-targets)
endif()

install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/sse-server/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sse-server FILES_MATCHING PATTERN *.h)
set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/sse-server)
install(FILES ${PROJECT_BINARY_DIR}/generated/base/version.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sse-server/base)
install(EXPORT sse-server-targets NAMESPACE sse-server:: DESTINATION ${folder})
configure_package_config_file(${CMAKE_CURRENT_SOURCE_DIR}/sse-server-config.cmake.in
  ${PROJECT_BINARY_DIR}/sse-server-config.cmake INSTALL_DESTINATION ${folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/sse-server-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/sse-server-config.cmake ${PROJECT_BINARY_DIR}/sse-server-config-version.cmake
  DESTINATION ${folder})
