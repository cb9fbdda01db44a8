/* Places in the program's code.
 * SPDX-License-Identifier: MIT
 */
#include "os/place.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void plait__os_place_write(const void *address, char *ret, size_t cap)
{
    /* one before: a return address can be behind the end of a function that does not return, and
     * the line that is meant is the call's */
    uintptr_t at = (uintptr_t)address - 1;
    const char *file;
    Dl_info info;

    if (dladdr((const void *)at, &info) == 0 || info.dli_fname == NULL) {
        snprintf(ret, cap, "%p", address);
        return;
    }
    file = strrchr(info.dli_fname, '/');
    file = file != NULL ? file + 1 : info.dli_fname;
    if (info.dli_sname != NULL)
        snprintf(ret, cap, "%s+%#zx (%s+%#zx)", info.dli_sname, at - (uintptr_t)info.dli_saddr,
                 file, at - (uintptr_t)info.dli_fbase);
    else
        snprintf(ret, cap, "%s+%#zx", file, at - (uintptr_t)info.dli_fbase);
}
