/* coroutine/switch without a scheduler: two stacks, and who leaves one for the other.
 * SPDX-License-Identifier: MIT
 *
 *     #include "switches.h"
 *     static int switches_make(void *low, size_t bytes) { … }  // switches_there, on that stack
 *     static void switches_go(void) { … }                      // from the thread to it
 *     static void switches_back(void) { … }                    // from it to the thread
 *
 *     int main(int argc, char **argv) { return switches_main(argc, argv); }
 *
 * switches_there never returns. Also for C++.
 */
#ifndef PLAIT_BENCH_SWITCHES_H
#define PLAIT_BENCH_SWITCHES_H

#include "bench.h"

#include <errno.h>

enum {
    SWITCHES_STACK = 64 * 1024
};

static int switches_make(void *low, size_t bytes);
static void switches_go(void);
static void switches_back(void);

static volatile long switches_count;

static inline void switches_there(void)
{
    for (;;) {
        switches_count = switches_count + 1;
        switches_back();
    }
}

static inline int switches_main(int argc, char **argv)
{
    static char stack[SWITCHES_STACK] __attribute__((aligned(64)));
    long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    double begin;
    int rc;

    if (count <= 0 || strcmp(argv[1], "coroutine/switch") != 0) {
        fprintf(stderr, "usage: %s coroutine/switch COUNT\n", argv[0]);
        return 2;
    }
    count = (count + 1) / 2; /* there and back */
    rc = switches_make(stack, sizeof stack);
    begin = bench_now();
    for (long i = 0; rc == 0 && i < count; i++)
        switches_go();
    if (rc == 0 && switches_count != count)
        rc = -EBADMSG;
    return bench_say(argv[0], rc, bench_now() - begin);
}

#endif
