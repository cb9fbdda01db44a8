# The tool `plait`: linked with the static library, so that the one file may be copied to another machine.

add_library(plait-tool-objects OBJECT ${PLAIT_TOOL_SOURCES})
target_include_directories(plait-tool-objects PUBLIC include src)
target_compile_definitions(plait-tool-objects PUBLIC PLAIT_VERSION_STRING="${PROJECT_VERSION}")
target_link_libraries(plait-tool-objects PUBLIC plait-static PRIVATE plait-flags plait-small-frames)
if(PLAIT_HAS_JANSSON)
    target_link_libraries(plait-tool-objects PUBLIC PkgConfig::JANSSON)
endif()

add_executable(plait-tool src/cmd/main.c)
target_link_libraries(plait-tool PRIVATE plait-tool-objects plait-flags)
set_target_properties(plait-tool PROPERTIES OUTPUT_NAME plait)
