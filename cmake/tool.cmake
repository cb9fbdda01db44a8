# The tool `plait`: linked with the static library, so that the one file may be copied to another machine.

add_library(plait-tool-objects OBJECT ${PLAIT_TOOL_SOURCES})
target_include_directories(plait-tool-objects PUBLIC include src)
target_compile_definitions(plait-tool-objects PUBLIC PLAIT_VERSION_STRING="${PROJECT_VERSION}")
target_link_libraries(plait-tool-objects PUBLIC plait-static ${CMAKE_DL_LIBS} PRIVATE plait-flags plait-small-frames)
if(PLAIT_HAS_JANSSON)
    target_link_libraries(plait-tool-objects PUBLIC PkgConfig::JANSSON)
endif()

# The functions of `plait map --so` call libplait, and there must be one: so all of the library is in the tool, which
# exports it, and is called as libplait.so is, so that the dynamic linker does not look for that one.
add_executable(plait-tool src/cmd/main.c $<TARGET_OBJECTS:plait-objects>)
target_link_libraries(plait-tool PRIVATE plait-tool-objects plait-flags)
target_link_options(plait-tool PRIVATE -Wl,-soname,libplait.so.${PROJECT_VERSION_MAJOR})
set_target_properties(plait-tool PROPERTIES OUTPUT_NAME plait ENABLE_EXPORTS ON)

# What `make demo` runs beside the tool.
add_executable(plait-demo examples/demo/parse.c)
target_link_libraries(plait-demo PRIVATE plait-static plait-flags)
