/* Threads for tests, by the call that is tested itself.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_THREADS_H
#define PLAIT_TESTS_THREADS_H

#include "os/thread.h"

#include <errno.h>
#include <stdlib.h>

struct detached {
    void (*fn)(void *arg);
    void *arg;
};

static inline void no_exit(void *arg)
{
    (void)arg;
}

static inline void run_detached(void *arg)
{
    struct detached detached = *(struct detached *)arg;

    plait__os_thread_detach_self();
    free(arg);
    detached.fn(detached.arg);
}

/* A thread that nobody joins; what plait__os_thread_start says. */
static inline int start_detached(void (*fn)(void *arg), void *arg, size_t stack_bytes)
{
    struct detached *detached = malloc(sizeof *detached);
    struct plait__thread_entry entry = { .fn = run_detached, .on_exit = no_exit, .arg = detached };
    uintptr_t thread;
    int rc;

    if (detached == NULL)
        return -ENOMEM;
    *detached = (struct detached){ fn, arg };
    rc = plait__os_thread_start(&thread, &entry, stack_bytes);
    if (rc < 0)
        free(detached);
    return rc;
}

#endif
