# The tests. `ctest -L unit` runs the tests beside the sources; the other labels are the folders of tests/.
# A test that exits with 77 is a skip; tools/check counts it and fails when tests/skips.txt does not list it.

include(CheckSymbolExists)

set(slow 1)
if(PLAIT_SANITIZE OR CMAKE_CROSSCOMPILING)
    set(slow 5) # the harness multiplies its time limits by it
endif()

add_library(plait-harness OBJECT tests/harness/test.c)
target_include_directories(plait-harness PUBLIC tests/harness include src)
target_link_libraries(plait-harness PRIVATE plait-flags)

# What kills a process at each of its instructions: where there is no way to do that, its tests are skipped with words.
set(tracer none)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND CMAKE_SIZEOF_VOID_P EQUAL 8 AND NOT PLAIT_SANITIZE)
    set(tracer x86_64)
endif()
add_library(plait-step OBJECT tests/harness/step.c tests/harness/step_points.c tests/harness/step_stage.c
    tests/harness/trace_${tracer}.c)
target_include_directories(plait-step PUBLIC tests/harness include src)
target_link_libraries(plait-step PRIVATE plait-flags)

# Registers one ctest entry, and with FALLBACKS a second one in which every probe of os/ is switched off: a 5.10 kernel's
# profile. With LOOPS another one in which loops stand on io_uring.
function(plait_register name label)
    cmake_parse_arguments(arg "FALLBACKS;LOOPS" "TIMEOUT" "COMMAND" ${ARGN})
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 60)
    endif()
    math(EXPR limit "${arg_TIMEOUT} * ${slow}")
    set(environment "PLAIT=$<TARGET_FILE:plait-tool>;PLAIT_SLOW=${slow};PLAIT_SOURCE=${CMAKE_CURRENT_SOURCE_DIR}"
        "PLAIT_BUILD=${CMAKE_CURRENT_BINARY_DIR};CC=${CMAKE_C_COMPILER};PYTHONDONTWRITEBYTECODE=1")
    set(common SKIP_RETURN_CODE 77 TIMEOUT ${limit})
    add_test(NAME ${name} COMMAND ${arg_COMMAND})
    set_tests_properties(${name} PROPERTIES LABELS "${label}" ENVIRONMENT "${environment}" ${common})
    if(arg_FALLBACKS)
        add_test(NAME ${name}-fallbacks COMMAND ${arg_COMMAND})
        set_tests_properties(${name}-fallbacks PROPERTIES
            LABELS "${label};fallbacks" ENVIRONMENT "${environment};PLAIT_DISABLE=all" ${common})
    endif()
    if(arg_LOOPS)
        add_test(NAME ${name}-uring COMMAND ${arg_COMMAND})
        set_tests_properties(${name}-uring PROPERTIES
            LABELS "${label};loops" ENVIRONMENT "${environment};PLAIT_LOOP=uring" ${common})
    endif()
endfunction()

# One program a test file. Named after its place: src/cmd/map/quote_test.c is cmd-map-quote.
function(plait_test_program file label)
    cmake_path(RELATIVE_PATH file BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} OUTPUT_VARIABLE name)
    string(REGEX REPLACE "^(src|tests)/|_test\\.c$" "" name ${name})
    string(REPLACE "/" "-" name ${name})
    add_executable(${name}-test ${file})
    target_link_libraries(${name}-test PRIVATE plait-harness plait-flags)
    if(name MATCHES "^cmd-")
        target_link_libraries(${name}-test PRIVATE plait-tool-objects)
    endif()
    target_link_libraries(${name}-test PRIVATE plait-static)
    set_target_properties(${name}-test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/tests)
    set(fallbacks "")
    if(name MATCHES "^(os|family|wait|sync|chan|loop|task|contract)-") # what stands on a probe
        set(fallbacks FALLBACKS)
    endif()
    if(name MATCHES "^loop-|coroutine|-loop") # what stands on a loop's back-end
        list(APPEND fallbacks LOOPS)
    endif()
    plait_register(${name} ${label} COMMAND ${name}-test ${fallbacks})
endfunction()

file(GLOB_RECURSE unit_tests CONFIGURE_DEPENDS src/*_test.c)
check_symbol_exists(swapcontext ucontext.h PLAIT_HAS_UCONTEXT)
if(NOT PLAIT_HAS_UCONTEXT) # musl: the test's own coroutines stand on it
    list(FILTER unit_tests EXCLUDE REGEX "/park_test\\.c$")
endif()
foreach(file ${unit_tests})
    plait_test_program(${file} unit)
endforeach()
foreach(label contract fault)
    file(GLOB files CONFIGURE_DEPENDS tests/${label}/*_test.c)
    foreach(file ${files})
        plait_test_program(${file} ${label})
    endforeach()
endforeach()

# Stepped tests: bound at the start, so that no step is the dynamic linker's. One has an _exit of its own, which no static
# program can have, as those for another architecture are; they could not be stepped there anyway.
file(GLOB files CONFIGURE_DEPENDS tests/stress/*_test.c)
if(CMAKE_CROSSCOMPILING)
    set(files "")
endif()
foreach(file ${files})
    plait_test_program(${file} stress)
    cmake_path(GET file STEM name)
    string(REGEX REPLACE "_test$" "" name ${name})
    target_link_libraries(stress-${name}-test PRIVATE plait-step)
    target_link_options(stress-${name}-test PRIVATE -Wl,-z,now)
    set_tests_properties(stress-${name} PROPERTIES TIMEOUT 300)
    set_property(TEST stress-${name} APPEND PROPERTY ENVIRONMENT PLAIT_STEP_MS=700)
endforeach()

# The storm: one program, a file for each kind of what is shared.
file(GLOB files CONFIGURE_DEPENDS tests/stress/storm*.c)
add_executable(stress-storm-test ${files})
target_link_libraries(stress-storm-test PRIVATE plait-harness plait-flags plait-static)
set_target_properties(stress-storm-test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/tests)
plait_register(stress-storm stress TIMEOUT 300 COMMAND stress-storm-test)

# The storm over a pool, with an oracle that knows what may come of each job.
file(GLOB files CONFIGURE_DEPENDS tests/stress/pool_storm*.c)
add_executable(stress-pool_storm-test ${files})
target_link_libraries(stress-pool_storm-test PRIVATE plait-harness plait-flags plait-static)
set_target_properties(stress-pool_storm-test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/tests)
plait_register(stress-pool_storm stress TIMEOUT 300 COMMAND stress-pool_storm-test)

# The storm over programs with several loops; the soak, and a crowd of coroutines that wait: long and large when asked to be.
foreach(name keeper_storm loops_storm soak parked starts tree_storm)
    file(GLOB files CONFIGURE_DEPENDS tests/stress/${name}*.c)
    add_executable(stress-${name}-test ${files})
    target_link_libraries(stress-${name}-test PRIVATE plait-harness plait-flags plait-static)
    set_target_properties(stress-${name}-test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/tests)
    plait_register(stress-${name} stress TIMEOUT 120 COMMAND stress-${name}-test)
endforeach()

# What the contract of pools loads when its workers are long there.
add_library(pool-late MODULE tests/contract/pool_late.c)
target_link_libraries(pool-late PRIVATE plait-flags)
set_target_properties(pool-late PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/tests)

# What waits, with a signal every tenth of a millisecond. (tools/check --full does it with what takes longer.)
foreach(name barrier condition event held_semaphore lock lock_death once rlock rwlock semaphore shared
        coroutine_threads mixed pipe_coroutine queue_coroutine
        pipe_process pipe_thread pool_map_thread pool_thread queue_death queue_process queue_storm queue_thread
        lazy_coroutine lazy_process lazy_thread local process_life process_opts start_forkserver start_spawn subprocess_thread timer)
    plait_register(stress-signals-${name} stress TIMEOUT 120 COMMAND ${CMAKE_COMMAND} -E env PLAIT_EINTR_STORM=1
        PLAIT_START_KILLS=5 $<TARGET_FILE:contract-${name}-test>)
endforeach()

# What processes share, with those that are not forked.
foreach(name barrier condition event held_semaphore lock lock_death once rlock rwlock select_crowd semaphore shared_number
        pipe_process priority_queue_process queue_process)
    plait_register(methods-${name} methods COMMAND ${CMAKE_COMMAND} -E env PLAIT_CASES=methods
        $<TARGET_FILE:contract-${name}-test>)
endforeach()

# What the test of tools/gdb looks into.
add_executable(scripts-gdb-program tests/scripts/gdb_program.c)
target_link_libraries(scripts-gdb-program PRIVATE plait-flags plait-static)
set_target_properties(scripts-gdb-program PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/tests)

# Tests in Python (standard library only): they find the tool in $PLAIT, the tree in $PLAIT_SOURCE.
if(Python3_FOUND)
    foreach(label tool scripts install fault)
        file(GLOB files CONFIGURE_DEPENDS tests/${label}/*_test.py tests/${label}/test_*.py)
        foreach(file ${files})
            cmake_path(GET file STEM name)
            string(REGEX REPLACE "^test_|_test$" "" name ${name})
            plait_register(${label}-${name} ${label} TIMEOUT 240 COMMAND ${Python3_EXECUTABLE} ${file})
        endforeach()
    endforeach()
endif()

# Parsers of foreign bytes, fuzzed for seconds on top of their corpus; what is found new stays in the build directory.
if(PLAIT_FUZZ)
    add_custom_target(fuzzers)
    set(PLAIT_FUZZ_SECONDS 2 CACHE STRING "How long each fuzzer runs in a test")
    math(EXPR fuzz_limit "${PLAIT_FUZZ_SECONDS} + 30")
    file(GLOB_RECURSE fuzzers CONFIGURE_DEPENDS src/*_fuzz.c)
    foreach(file ${fuzzers})
        cmake_path(GET file STEM target)
        string(REGEX REPLACE "_fuzz$" "" name ${target})
        set(found ${CMAKE_CURRENT_BINARY_DIR}/corpus/${name})
        file(MAKE_DIRECTORY ${found})
        set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/tests/corpus/${name})
        if(NOT IS_DIRECTORY ${corpus})
            set(corpus "")
        endif()
        add_executable(${target} ${file})
        target_link_libraries(${target} PRIVATE plait-tool-objects plait-static plait-flags)
        target_link_options(${target} PRIVATE -fsanitize=fuzzer)
        add_dependencies(fuzzers ${target})
        plait_register(fuzz-${name} fuzz TIMEOUT ${fuzz_limit} COMMAND ${target} -max_total_time=${PLAIT_FUZZ_SECONDS} -timeout=5 ${found} ${corpus})
    endforeach()
endif()

# The fault injector goes in by LD_PRELOAD, which needs glibc's allocator and no sanitizer's.
check_symbol_exists(__GLIBC__ features.h PLAIT_HAS_GLIBC)
if(PLAIT_HAS_GLIBC AND NOT PLAIT_SANITIZE)
    add_library(plait-inject MODULE tests/fault/inject.c tests/fault/inject_points.c)
    target_link_libraries(plait-inject PRIVATE plait-flags ${CMAKE_DL_LIBS})
    add_library(fault-plugin MODULE tests/tool/so_plugin.c)
    target_include_directories(fault-plugin PRIVATE include)
    target_link_libraries(fault-plugin PRIVATE plait-flags)
    add_executable(fault-task-program tests/fault/task_program.c)
    target_include_directories(fault-task-program PRIVATE include src)
    target_link_libraries(fault-task-program PRIVATE plait-flags plait-static)
    add_library(fault-late-task MODULE tests/fault/late_task.c)
    target_link_libraries(fault-late-task PRIVATE plait-flags)
    add_executable(fault-process-program tests/fault/process_program.c)
    target_link_libraries(fault-process-program PRIVATE plait-flags plait-static)
    add_executable(fault-shared-program tests/fault/shared_program.c tests/fault/shared_chan.c tests/fault/shared_coroutines.c
        tests/fault/shared_pool.c tests/fault/shared_segment.c tests/fault/shared_subprocess.c tests/fault/shared_support.c
        tests/fault/shared_sync.c)
    target_link_libraries(fault-shared-program PRIVATE plait-flags plait-static)
    set_target_properties(plait-inject fault-plugin fault-late-task fault-task-program fault-process-program fault-shared-program PROPERTIES
        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/tests RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/tests)
endif()
