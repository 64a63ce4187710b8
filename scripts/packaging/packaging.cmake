# What the packages hold beside what `cmake --install` puts down anyway, and CPack's settings. Used with -DSSE_PACKAGING=ON,
# as the preset dist does; scripts/package runs it.
#
# Three Debian packages: sse-server (both programs, manuals, completions, the systemd units, the client module),
# libsse-server0.2 (the shared library) and libsse-server-dev; their symbols are in packages of their own.
set(folder ${CMAKE_CURRENT_LIST_DIR})
set(made ${PROJECT_BINARY_DIR}/packaging)
set(library_package libsse-server${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})

# Debian wants manuals and changelogs compressed, without a time in them.
set(made_files)
function(sse_compress source target)
  add_custom_command(OUTPUT ${made}/${target} DEPENDS ${source} VERBATIM
    COMMAND ${CMAKE_COMMAND} -E make_directory ${made} COMMAND sh -c "gzip -9nc \"$1\" >\"$2\"" gzip ${source} ${made}/${target})
  set(made_files ${made_files} ${made}/${target} PARENT_SCOPE)
endfunction()
file(GLOB manuals CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/man/*.[1-8])
foreach(manual ${manuals})
  get_filename_component(name ${manual} NAME)
  string(REGEX REPLACE ".*\\." "" section ${name})
  sse_compress(${manual} ${name}.gz)
  install(FILES ${made}/${name}.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section} COMPONENT server)
endforeach()
# SOURCE_DATE_EPOCH sets the date, so that the same source gives the same package.
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
set(maintainer "The sse-server developers <sse-server@users.noreply.github.com>")
file(CONFIGURE OUTPUT ${made}/changelog CONTENT "sse-server (${PROJECT_VERSION}) unstable; urgency=medium

  * What is new is in CHANGELOG.md of the source.

 -- ${maintainer}  ${date}
")
sse_compress(${made}/changelog changelog.gz)
foreach(package sse-server ${library_package} libsse-server-dev)
  set(component server)
  if(package STREQUAL libsse-server-dev)
    set(component dev)
  elseif(package STREQUAL ${library_package})
    set(component library)
  endif()
  install(FILES ${made}/changelog.gz ${folder}/debian/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package}
          COMPONENT ${component})
endforeach()

# The completions of ssectl are its own; those of sse-serve are made from its --help.
add_custom_command(OUTPUT ${made}/completions VERBATIM
  DEPENDS sse-serve ssectl ${folder}/completions
  COMMAND ${folder}/completions $<TARGET_FILE:sse-serve> $<TARGET_FILE:ssectl> ${made}/completions)
add_custom_target(packaging ALL DEPENDS ${made_files} ${made}/completions)
foreach(program sse-serve ssectl)
  install(FILES ${made}/completions/bash/${program} DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
          COMPONENT server)
  install(FILES ${made}/completions/zsh/_${program} DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions
          COMPONENT server)
  install(FILES ${made}/completions/fish/${program}.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
          COMPONENT server)
endforeach()

install(FILES ${folder}/sse-serve.service ${folder}/sse-serve.socket DESTINATION lib/systemd/system COMPONENT server)
install(FILES ${folder}/sysusers.conf DESTINATION lib/sysusers.d RENAME sse-server.conf COMPONENT server)
install(FILES ${folder}/sse-serve.conf DESTINATION /etc/sse-serve COMPONENT server)
install(DIRECTORY DESTINATION /etc/sse-serve/secrets COMPONENT server
        DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
install(FILES ${PROJECT_SOURCE_DIR}/lib/web/sse.js ${PROJECT_SOURCE_DIR}/lib/web/sse-channels.js
        ${PROJECT_SOURCE_DIR}/lib/web/sse-fetch.js ${PROJECT_SOURCE_DIR}/lib/web/sse-presence.js
        ${PROJECT_SOURCE_DIR}/lib/web/sse-share.js ${PROJECT_SOURCE_DIR}/lib/web/sse.d.ts
        ${PROJECT_SOURCE_DIR}/lib/admin/openapi.json DESTINATION ${CMAKE_INSTALL_DATADIR}/sse-server COMPONENT server)
install(DIRECTORY ${folder}/monitoring ${folder}/java DESTINATION ${CMAKE_INSTALL_DATADIR}/sse-server COMPONENT server)
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR}
        COMPONENT server)

set(CPACK_PACKAGE_NAME sse-server)
set(CPACK_PACKAGE_VENDOR "sse-server")
set(CPACK_PACKAGE_CONTACT "${maintainer}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "push server for Server-Sent Events")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_OUTPUT_FILE_PREFIX ${PROJECT_BINARY_DIR}/packages)
set(CPACK_COMPONENTS_ALL server library dev)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_GENERATOR DEB)
# CPack itself strips them, into the packages of the symbols.
set(CPACK_STRIP_FILES OFF)
set(CPACK_DEB_COMPONENT_INSTALL ON)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_DEBUGINFO_PACKAGE ON)
set(CPACK_DEBIAN_SERVER_PACKAGE_NAME sse-server)
set(CPACK_DEBIAN_SERVER_PACKAGE_SECTION net)
set(CPACK_DEBIAN_SERVER_PACKAGE_DEPENDS "adduser")
set(CPACK_DEBIAN_SERVER_PACKAGE_SUGGESTS "redis-server, bash-completion")
set(CPACK_DEBIAN_SERVER_PACKAGE_CONTROL_EXTRA ${folder}/debian/postinst ${folder}/debian/prerm ${folder}/debian/postrm
    ${folder}/debian/conffiles)
set(CPACK_COMPONENT_SERVER_DESCRIPTION "sse-serve keeps the event streams of a site's users open and delivers
events to users, tenants, channels or all of them, in a cluster, too.
Messages that must arrive are stored until their recipients have
confirmed them. ssectl sends, shows and administers.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME ${library_package})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${folder}/debian/triggers)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "The shared library of programs that embed the server of sse-serve.")
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libsse-server-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_DEBUGINFO_PACKAGE OFF)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "${library_package} (= ${PROJECT_VERSION}), libcpp-httplib-dev, libssl-dev, \
libspdlog-dev, libsqlitecpp-dev, libsqlite3-dev, libbrotli-dev, libhiredis-dev, zlib1g-dev")
set(CPACK_COMPONENT_DEV_DESCRIPTION "Headers, the static library, and files for CMake and pkg-config, for C++
programs that embed the server of sse-serve.")
include(CPack)
