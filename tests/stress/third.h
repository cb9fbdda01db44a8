/* A third process beside the survivor and the victim, which does something that will end some day.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_THIRD_H
#define PLAIT_TESTS_THIRD_H

#include "step.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Starts it, and waits until it sleeps in what it does. */
static inline pid_t start_third(void (*fn)(void *state), void *state)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fn(state);
        _exit(0);
    }
    step_await_sleep(pid);
    return pid;
}

/* Its end must come. */
static inline void end_third(pid_t pid)
{
    int status;

    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

#endif
