/* The thread/local scenarios: a variable of which each task has its own, found and raised.
 * SPDX-License-Identifier: MIT
 *
 *     #include "locals.h"
 *     static int locals_make(void) { … }      // LOCALS_MANY variables; 0 or a negative errno
 *     static long *locals_first(void) { … }   // where this thread's first one is
 *     static long *locals_last(void) { … }    // and the last one
 *
 *     int main(int argc, char **argv) { return locals_main(argc, argv); }
 */
#ifndef PLAIT_BENCH_LOCALS_H
#define PLAIT_BENCH_LOCALS_H

#include "bench.h"

enum {
    LOCALS_MANY = 16
};

static long locals_values[LOCALS_MANY]; /* where the variable is a pointer, what it points to */

static int locals_make(void);
static long *locals_first(void);
static long *locals_last(void);

static inline double locals_time(long *(*find)(void), long count)
{
    double begin = bench_now();

    for (long i = 0; i < count; i++) {
        *find() += i;
        __asm__ volatile("" ::: "memory"); /* each time anew */
    }
    return bench_now() - begin;
}

static inline int locals_main(int argc, char **argv)
{
    long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    int rc = locals_make();

    if (count <= 0) {
        fprintf(stderr, "usage: %s thread/local|thread/local-16th COUNT\n", argv[0]);
        return 2;
    }
    if (rc < 0)
        return bench_say(argv[0], rc, 0);
    return bench_say(argv[0], 0,
                     strcmp(argv[1], "thread/local") == 0 ? locals_time(locals_first, count)
                                                          : locals_time(locals_last, count));
}

#endif
