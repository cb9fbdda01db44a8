/* What the tests of subprocesses share: a claim is tried in a task of each kind.
 * SPDX-License-Identifier: MIT
 *
 * The includer defines KIND before. Nothing here sleeps to synchronise: programs say on their pipes
 * where they are, and that a process has ended is seen by a pidfd, whoever its parent is.
 */
#ifndef PLAIT_TESTS_SUBPROCESS_SUPPORT_H
#define PLAIT_TESTS_SUBPROCESS_SUPPORT_H

#include <plait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "descriptors.h"
#include "os/pidfd.h"
#include "test.h"

static inline int call_claim(void *arg)
{
    void (*claim)(void);

    memcpy(&claim, arg, sizeof claim);
    claim();
    return 0;
}

/* A failed CHECK in a process ends that process: its status says so. */
static inline void try_in_task(void (*claim)(void))
{
    plait_task *task = NULL;
    plait_outcome end;

    if (KIND == PLAIT_THREAD) /* as plait_init does: after the first thread it would be too late */
        CHECK_INT(plait_keeper_start(), 0);
    CHECK_INT(plait_task_start(&task, KIND, call_claim, &claim, NULL), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.kind, PLAIT_RETURNED);
    CHECK_INT(end.code, 0);
    plait_task_destroy(task);
}

#define CLAIM(claim)                   \
    static void claim##_in_task(void); \
    TEST(claim)                        \
    {                                  \
        try_in_task(claim##_in_task);  \
    }                                  \
    static void claim##_in_task(void)

/* A line of sh, with these options. */
static inline plait_subprocess *start_line(const char *line, plait_subprocess_opts opts)
{
    const char *argv[] = { line, NULL };
    plait_subprocess *p = NULL;

    opts.shell = true;
    CHECK_INT(plait_subprocess_start(&p, argv, &opts), 0);
    return p;
}

/* The same, with in and out as pipes. */
static inline plait_subprocess *start_piped(const char *line, plait_subprocess_opts opts)
{
    plait_process_opts pipes = { .in = PLAIT_FD_PIPE, .out = PLAIT_FD_PIPE };

    opts.process = &pipes;
    return start_line(line, opts);
}

/* Waits for it and gives its outcome; it is gone after that. */
static inline plait_outcome finish(plait_subprocess *p)
{
    plait_outcome end = { 0 };

    CHECK_INT(plait_subprocess_wait(p, PLAIT_FOREVER), 0);
    CHECK_INT(plait_subprocess_outcome(p, &end), 0);
    plait_subprocess_destroy(p);
    return end;
}

/* A line that the program says, without its newline, byte by byte so that nothing is taken too much. */
static inline void read_said(int fd, char *line, size_t room)
{
    size_t n = 0;
    char c;

    while (n < room - 1 && test_read(fd, &c, 1) == 1 && c != '\n')
        line[n++] = c;
    line[n] = '\0';
}

/* A descriptor of the process whose number it says. */
static inline int read_pid(int fd)
{
    char line[32];
    int pidfd;

    read_said(fd, line, sizeof line);
    pidfd = plait__os_pidfd_open(atoi(line));
    CHECK(pidfd >= 0);
    return pidfd;
}

/* The process behind it ends; a test that waits for nothing is ended by its limit. */
static inline void check_ends(int pidfd)
{
    struct pollfd end = { .fd = pidfd, .events = POLLIN };

    while (poll(&end, 1, -1) < 0 && errno == EINTR)
        ;
    CHECK(end.revents & POLLIN);
    close(pidfd);
}

static inline bool lives(int pidfd)
{
    struct pollfd end = { .fd = pidfd, .events = POLLIN };

    return poll(&end, 1, 0) == 0;
}

/* The same of a process that may be gone already. */
static inline void check_is_ended(pid_t pid)
{
    int pidfd = plait__os_pidfd_open(pid);

    if (pidfd >= 0)
        check_ends(pidfd);
}

#endif
