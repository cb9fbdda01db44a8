/* What the programs that run other programs share: what is fed through cat, and how it is judged.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_FEED_H
#define PLAIT_FEED_H

#include "bench.h"
#include <errno.h>

enum {
    FEED_BYTES = 64 << 20
};

/* 64 MiB that have been written to, the same at each call; NULL: no memory. */
static inline char *feed_make(void)
{
    static char *input;

    if (input == NULL && (input = malloc(FEED_BYTES)) != NULL)
        for (size_t i = 0; i < FEED_BYTES; i++)
            input[i] = (char)(i >> 8 ^ i);
    return input;
}

/* 0, or -EIO. */
static inline int feed_check(const char *output, size_t n)
{
    const char *input = feed_make();

    return n == FEED_BYTES && output[0] == input[0] && output[n - 1] == input[n - 1] ? 0 : -EIO;
}

#endif
