/* What the keeper's contract tests share: snippets as commands, and pids seen to be gone.
 * SPDX-License-Identifier: MIT
 *
 * Nothing here sleeps to synchronise: commands say on a pipe where they are, and a process is
 * watched by a pidfd, which is readable once it has ended, whoever its parent is.
 */
#ifndef PLAIT_TESTS_KEEPER_H
#define PLAIT_TESTS_KEEPER_H

#include "os/pidfd.h"
#include "task/keeper.h"
#include <plait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tasks.h"
#include "test.h"

#define MS INT64_C(1000000)

/* A command that stays, and one below it in a session of its own; both say their pid. No test needs
 * their minute. */
#define STAY_WITH_ANOTHER_SESSION "echo $$; setsid sh -c 'echo $$; exec sleep 60' & wait"

static int nothing = -1; /* /dev/null */
static int said[2];      /* what commands, tasks and owners write, by lines */

static inline void prepare(void)
{
    nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(nothing >= 0);
    CHECK_INT(pipe2(said, O_CLOEXEC), 0);
}

/* Hands a snippet of sh to the keeper; its standard input is /dev/null unless the command says
 * otherwise. */
static inline void hand_over(const char *script, struct plait__command command,
                             int (*how)(const struct plait__command *, plait_deadline))
{
    char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char *)(uintptr_t)script, NULL };

    command.file = "sh";
    command.argv = argv;
    command.n_argv = 3;
    command.fds[0] = command.fds[0] != 0 ? command.fds[0] : nothing;
    command.fds[1] = said[1];
    command.fds[2] = STDERR_FILENO;
    CHECK_INT(how(&command, PLAIT_FOREVER), 0);
}

static inline void run(const char *script, struct plait__command command)
{
    hand_over(script, command, plait__keeper_run);
}

/* Behind those that run. */
static inline void line_up(const char *script, struct plait__command command)
{
    hand_over(script, command, plait__keeper_line_up);
}

static inline struct plait__command_end next_end(void)
{
    struct plait__command_end end = { 0 };

    CHECK_INT(plait__keeper_next(&end, PLAIT_FOREVER), 1);
    return end;
}

/* Returns when the keeper has obeyed all that it was sent: it answers in order.
 * pre: no command ends meanwhile. */
static inline void await_obeyed(void)
{
    run("exit 0", (struct plait__command){ .id = 999, .cwd = "/nowhere" });
    struct plait__command_end end = next_end();
    CHECK_INT(end.id, 999);
    CHECK_INT(end.start_error, ENOENT);
}

/* The next line that was said, without its newline. */
static inline const char *next_line(void)
{
    static char line[4096];
    size_t n = 0;

    while (read(said[0], line + n, 1) == 1 && line[n] != '\n')
        CHECK(++n < sizeof line - 1);
    line[n] = '\0';
    return line;
}

static inline int watch(pid_t pid)
{
    int pidfd = plait__os_pidfd_open(pid);

    CHECK(pidfd >= 0);
    return pidfd;
}

/* A pidfd of the process that says its pid next. */
static inline int watch_next(void)
{
    return watch((pid_t)atoi(next_line()));
}

static inline bool is_gone(int pidfd)
{
    return poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, 0) == 1;
}

/* pre: the test's limit is generous. */
static inline void await_gone(int pidfd)
{
    CHECK_INT(poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, -1), 1);
    close(pidfd);
}

#endif
