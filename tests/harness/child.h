/* Forked children for tests: one that CHECKs by itself ends with 0.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_CHILD_H
#define PLAIT_TESTS_CHILD_H

#include <sys/types.h>
#include <unistd.h>

#include "test.h"

static inline pid_t fork_checked(void)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    return pid;
}

static inline void join_child(pid_t pid)
{
    int status;

    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

/* Runs fn in a child of a plain fork. */
static inline void in_forked_child(void (*fn)(void))
{
    pid_t pid = fork_checked();

    if (pid == 0) {
        fn();
        _exit(0);
    }
    join_child(pid);
}

#endif
