# Toolchain file: musl on Debian (package musl-tools). musl-gcc looks for no header of the kernel's, and /usr/include as
# a whole would bring glibc's; so the three folders of kernel headers are linked into one of our own.

set(CMAKE_C_COMPILER musl-gcc)
set(kernel_headers ${CMAKE_BINARY_DIR}/kernel-headers)
if(NOT EXISTS ${kernel_headers}/asm)
    execute_process(COMMAND gcc -print-multiarch OUTPUT_VARIABLE multiarch OUTPUT_STRIP_TRAILING_WHITESPACE)
    file(MAKE_DIRECTORY ${kernel_headers})
    file(CREATE_LINK /usr/include/linux ${kernel_headers}/linux SYMBOLIC)
    file(CREATE_LINK /usr/include/asm-generic ${kernel_headers}/asm-generic SYMBOLIC)
    file(CREATE_LINK /usr/include/${multiarch}/asm ${kernel_headers}/asm SYMBOLIC)
endif()
set(CMAKE_C_FLAGS_INIT "-idirafter ${kernel_headers}")
