/* Threads for tests, by the call that is tested itself.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_THREADS_H
#define PLAIT_TESTS_THREADS_H

#include "os/thread.h"

static inline void no_exit(void *arg)
{
    (void)arg;
}

/* A thread that nobody joins; what plait__os_thread_start says. */
static inline int start_detached(void (*fn)(void *arg), void *arg, size_t stack_bytes)
{
    struct plait__thread_entry entry = { .fn = fn, .on_exit = no_exit, .arg = arg };
    uintptr_t thread;
    int rc = plait__os_thread_start(&thread, &entry, stack_bytes);

    if (rc == 0)
        plait__os_thread_detach(thread);
    return rc;
}

#endif
