/* Runs a shell (or any program) and gives back what it wrote, for tests of what shells really do.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_SHELL_H
#define PLAIT_TESTS_SHELL_H

#include "base/buf.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

/* The wait status of argv; its standard output is added to `out`, its standard error is dropped. */
static inline int run_program(char *const *argv, struct plait__buf *out)
{
    char *const environment[] = { (char[]){ "PATH=/usr/bin:/bin" }, (char[]){ "LC_ALL=C" }, NULL };
    posix_spawn_file_actions_t actions;
    char bytes[4096];
    int fds[2], status;
    ssize_t n;
    pid_t pid;

    CHECK_INT(pipe(fds), 0);
    CHECK_INT(posix_spawn_file_actions_init(&actions), 0);
    CHECK_INT(posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO), 0);
    CHECK_INT(posix_spawn_file_actions_addclose(&actions, fds[0]), 0);
    CHECK_INT(posix_spawn_file_actions_addclose(&actions, fds[1]), 0);
    CHECK_INT(posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0),
              0);
    CHECK_INT(posix_spawnp(&pid, argv[0], &actions, NULL, argv, environment), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    while ((n = read(fds[0], bytes, sizeof bytes)) > 0)
        CHECK_INT(plait__buf_add(out, bytes, (size_t)n), 0);
    close(fds[0]);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    return status;
}

#endif
