# libplait: one object library, from which the static and the shared library are made. Every object is
# position-independent, so that a file is compiled once.

add_library(plait-objects OBJECT ${PLAIT_LIBRARY_SOURCES})
target_include_directories(plait-objects PRIVATE include src)
target_compile_definitions(plait-objects PRIVATE PLAIT__VERSION="${PROJECT_VERSION}")
if(PLAIT_HAS_VALGRIND)
    set_source_files_properties(src/os/context.c src/os/stack.c PROPERTIES COMPILE_DEFINITIONS PLAIT__HAS_VALGRIND)
endif()
target_link_libraries(plait-objects PRIVATE plait-flags plait-small-frames Threads::Threads)
set_target_properties(plait-objects PROPERTIES POSITION_INDEPENDENT_CODE ON)

add_library(plait-static STATIC $<TARGET_OBJECTS:plait-objects>)
add_library(plait-shared SHARED $<TARGET_OBJECTS:plait-objects>)
foreach(library plait-static plait-shared)
    target_include_directories(${library} PUBLIC
        $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_libraries(${library} PUBLIC Threads::Threads PRIVATE $<BUILD_INTERFACE:plait-flags>)
    if(PLAIT_HAS_URING)
        target_link_libraries(${library} PRIVATE uring)
    endif()
    set_target_properties(${library} PROPERTIES OUTPUT_NAME plait LINKER_LANGUAGE C)
endforeach()
set_target_properties(plait-shared PROPERTIES
    EXPORT_NAME plait
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR} # the ABI's number: raised when a program built against the old one would break
    LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/plait.map)
# -z now: else each forked child resolves the symbols anew that it calls first, a tenth of the cost of a process task
target_link_options(plait-shared PRIVATE -Wl,-z,now -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/src/plait.map)
if(NOT PLAIT_SANITIZE)
    target_link_options(plait-shared PRIVATE -Wl,-z,defs) # a forgotten source fails here, not in a user's program
endif()
add_library(plait::plait ALIAS plait-shared)
add_library(plait::plait-static ALIAS plait-static)
