# What `make install` puts where: headers, both libraries, the tool, pkg-config and CMake packages, man pages and
# completions. tests/install builds consumers against the outcome.

include(CMakePackageConfigHelpers)

set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/plait)
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS plait-static plait-shared EXPORT plait-targets)
install(TARGETS plait-tool)
install(EXPORT plait-targets NAMESPACE plait:: DESTINATION ${cmake_dir})
configure_package_config_file(cmake/plait-config.cmake.in plait-config.cmake INSTALL_DESTINATION ${cmake_dir})
write_basic_package_version_file(plait-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/plait-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/plait-config-version.cmake
    DESTINATION ${cmake_dir})

# The .pc file names its folders by its own place, so that an installed tree may be moved or staged.
file(RELATIVE_PATH pc_to_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
set(pc_uring "")
if(PLAIT_HAS_URING)
    set(pc_uring " -luring")
endif()
configure_file(cmake/plait.pc.in plait.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/plait.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The tool prints its man pages and completions from its table of options.
set(pages ${CMAKE_CURRENT_BINARY_DIR}/pages)
set(page_files)
function(plait_page file)
    add_custom_command(OUTPUT ${pages}/${file}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${pages}
        COMMAND plait-tool ${ARGN} > ${pages}/${file}
        DEPENDS plait-tool VERBATIM)
    set(page_files ${page_files} ${pages}/${file} PARENT_SCOPE)
endfunction()
if(NOT CMAKE_CROSSCOMPILING)
    plait_page(plait.1 help --man)
    plait_page(plait-map.1 help --man map)
    plait_page(plait completion bash)
    plait_page(_plait completion zsh)
    plait_page(plait.fish completion fish)
    add_custom_target(plait-pages ALL DEPENDS ${page_files})
    install(FILES ${pages}/plait.1 ${pages}/plait-map.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
    install(FILES ${pages}/plait DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
    install(FILES ${pages}/_plait DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
    install(FILES ${pages}/plait.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()

# The library's pages come from its headers.
if(Python3_FOUND)
    set(library_pages ${CMAKE_CURRENT_BINARY_DIR}/docs)
    file(GLOB public_headers CONFIGURE_DEPENDS include/plait/*.h)
    add_custom_command(OUTPUT ${library_pages}/reference.md
        COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/tools/docs.py --out ${library_pages}
        DEPENDS tools/docs.py tools/headers.py src/cmd/version.h ${public_headers} VERBATIM)
    add_custom_target(plait-docs ALL DEPENDS ${library_pages}/reference.md)
    install(DIRECTORY ${library_pages}/man3 DESTINATION ${CMAKE_INSTALL_MANDIR})
endif()
