# Optional libraries. Each is chosen by AUTO (use it when it is there), ON (fail without it) or OFF, and each is one file
# with a stand-in beside it.

set(PLAIT_HAS_JANSSON OFF)
if(NOT PLAIT_JANSSON STREQUAL OFF)
    find_package(PkgConfig)
    if(PkgConfig_FOUND)
        pkg_check_modules(JANSSON IMPORTED_TARGET jansson>=2.13)
    endif()
    if(JANSSON_FOUND)
        set(PLAIT_HAS_JANSSON ON)
    elseif(PLAIT_JANSSON STREQUAL ON)
        message(FATAL_ERROR "jansson is not installed (Debian: apt install libjansson-dev); -DPLAIT_JANSSON=OFF goes without")
    endif()
endif()
message(STATUS "JSON by jansson: ${PLAIT_HAS_JANSSON}")

set(PLAIT_HAS_URING OFF)
if(NOT PLAIT_URING STREQUAL OFF)
    find_package(PkgConfig)
    if(PkgConfig_FOUND)
        pkg_check_modules(URING liburing>=2.3)
    endif()
    if(URING_FOUND)
        set(PLAIT_HAS_URING ON)
    elseif(PLAIT_URING STREQUAL ON)
        message(FATAL_ERROR "liburing is not installed (Debian: apt install liburing-dev); -DPLAIT_URING=OFF goes without")
    endif()
endif()
message(STATUS "Loops on io_uring by liburing: ${PLAIT_HAS_URING}")

# valgrind is told where coroutines' stacks are: a few instructions for each coroutine, nothing where it does not run.
include(CheckIncludeFile)
check_include_file(valgrind/memcheck.h PLAIT_HAS_VALGRIND)
