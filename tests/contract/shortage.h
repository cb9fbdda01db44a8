/* Little memory, for tests of what happens when there is none left.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_SHORTAGE_H
#define PLAIT_TESTS_SHORTAGE_H

#include <plait/shared.h>

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "test.h"

/* From now on: before there is a family. */
static inline void limit_memory(void)
{
    const char *slow = getenv("PLAIT_SLOW");
    struct rlimit limit;

    if (slow != NULL && strcmp(slow, "1") != 0)
        test_skip("sanitizers need terabytes of address space");
    CHECK_INT(getrlimit(RLIMIT_AS, &limit), 0);
    CHECK_INT(setrlimit(RLIMIT_AS, &(struct rlimit){ 256 << 20, limit.rlim_max }), 0);
}

/* Takes all that is left of the family's heap, in blocks of that size; the last one of them. */
static inline void *take_all(size_t bytes)
{
    void *last = NULL, *block;

    while ((block = plait_shared_alloc(bytes)) != NULL)
        last = block;
    return last;
}

#endif
