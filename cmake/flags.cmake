# The compiler's flags, each with its reason. plait-flags carries them to everything that is built here, and to nothing
# that a user builds against plait.

add_library(plait-flags INTERFACE)

set(warnings
    -Wall                   # what every C programmer expects to be told
    -Wextra                 # … and what a careful one does
    -Wshadow                # a local that hides another makes a reader look at the wrong one
    -Wundef                 # a misspelt macro in #if is silently 0
    -Wvla                   # a stack whose size is data overflows; coroutine stacks are small
    -Walloca                # the same by another name
    -Wcast-qual             # a cast that drops const lies to the caller
    -Wwrite-strings         # a string literal is const
    -Wpointer-arith         # arithmetic on void * hides the unit
    -Wstrict-prototypes     # f() takes anything; f(void) takes nothing
    -Wmissing-prototypes    # a function without a prototype is static or forgot its header
    -Wmissing-declarations  # the same for objects
    -Wold-style-definition  # K&R definitions check no argument
    -Wformat=2              # a format that is data is a hole
    -Wimplicit-fallthrough  # a missing break is the commonest slip in a switch
    -Wsign-compare          # -1 is larger than any size_t
    -Wredundant-decls       # a second declaration drifts from the first
    -Wnested-externs        # a declaration inside a function escapes the header's check
    -Wdate-time             # __DATE__ makes every build different
)
set(warnings_GNU
    -Wlogical-op            # (a || a), (x & 1 == 0): an operand that was meant to be another
    -Wduplicated-cond       # an else-if that can never be true
    -Wduplicated-branches   # if and else that do the same
)
set(warnings_Clang
    -Wconditional-uninitialized # set on some paths only
    -Wcomma                     # a comma where a semicolon was meant
)
list(APPEND warnings ${warnings_${CMAKE_C_COMPILER_ID}})
if(PLAIT_WERROR)
    list(APPEND warnings -Werror) # in the checks only: a newer compiler must not break a user's build
endif()

target_compile_definitions(plait-flags INTERFACE _GNU_SOURCE) # gnu17 hides the calls of Linux without it
target_compile_options(plait-flags INTERFACE
    -std=gnu17                # what gcc 8 and clang 6 have, and Linux headers expect
    ${warnings}
    -fno-common               # two definitions of one object are an error at link time, not one object
    -fvisibility=hidden       # only what PLAIT_API marks leaves the library
    -fstack-protector-strong  # an overrun ends the program at its return, not later and elsewhere
)

if(PLAIT_SANITIZE)
    set(sanitize
        -fsanitize=${PLAIT_SANITIZE}
        -fno-sanitize-recover=all # a finding fails the test
        -fno-omit-frame-pointer   # whole back traces
    )
    target_compile_options(plait-flags INTERFACE ${sanitize})
    target_link_options(plait-flags INTERFACE ${sanitize})
endif()
if(PLAIT_COVERAGE)
    target_compile_options(plait-flags INTERFACE --coverage)
    target_link_options(plait-flags INTERFACE --coverage)
endif()

# For library and tool, not for tests: frames are small, because coroutine stacks will be. Sanitizers pad frames, so not
# with them.
add_library(plait-small-frames INTERFACE)
if(NOT PLAIT_SANITIZE)
    target_compile_options(plait-small-frames INTERFACE -Wframe-larger-than=2048)
endif()
