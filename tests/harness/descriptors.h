/* How many descriptors are open, for tests that none stays.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_DESCRIPTORS_H
#define PLAIT_TESTS_DESCRIPTORS_H

#include <dirent.h>

#include "test.h"

/* To be compared with another count: it counts some that are always there. */
static inline unsigned count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    CHECK(dir != NULL);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

#endif
