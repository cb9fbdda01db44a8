/* The line that the kernel has on each process and thread.
 * SPDX-License-Identifier: MIT
 */
#include "os/stat_line.h"

#include <stdlib.h>
#include <string.h>

unsigned long long plait__os_stat_number(const char *line, enum plait__stat_word word)
{
    const char *at = strrchr(line, ')'); /* the name before it may hold anything */

    if (at == NULL)
        return 0;
    at += strspn(at, ") ");
    for (unsigned i = 0; i < (unsigned)word; i++) {
        at += strcspn(at, " ");
        at += strspn(at, " ");
    }
    return strtoull(at, NULL, 10);
}
