/* What the parts of the fault injector's shared program have in common.
 * SPDX-License-Identifier: MIT
 */
#include "shared_support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MOST_FDS = 64,
    LINK_BYTES = 64
};

int n_errors;
char large[LARGE];

const int of_nothing[] = { 0 };
const int of_family[] = { ENOMEM, EUSERS, 0 };
const int of_threads[] = { EAGAIN, ENOMEM, EMFILE, 0 };
/* what the program itself asks of the system */
const int of_system[] = { EAGAIN, ENOMEM, EMFILE, ENFILE, EACCES, EIO,
                          EINTR,  EINVAL, ENOSPC, EPIPE,  0 };

plait_deadline soon(void)
{
    return plait_after_ms(15000);
}

/* ---- verdicts ---- */

void must(const char *what, bool holds)
{
    if (holds)
        return;
    fprintf(stderr, "not so: %s\n", what);
    abort();
}

static bool is_among(int error, const int *documented)
{
    if (error == ENFILE)
        error = EMFILE; /* as plait/error.h says */
    for (; *documented != 0; documented++)
        if (*documented == error)
            return true;
    return false;
}

bool worked(const char *what, ssize_t rc, const int *documented)
{
    if (rc >= 0)
        return true;
    if (!is_among((int)-rc, documented)) {
        fprintf(stderr, "%s: %s, which is not documented\n", what, plait_errname((int)rc));
        abort();
    }
    fprintf(stderr, "%s: %s\n", what, plait_errname((int)rc));
    __atomic_add_fetch(&n_errors, 1, __ATOMIC_RELAXED); /* threads run along */
    return false;
}

/* ---- the same in a thread and in a process ---- */

static void in_thread(plait_task_fn *use, void *arg)
{
    plait_task *task = NULL;
    plait_outcome end;
    bool ran;

    if (!worked("start", plait_task_start(&task, PLAIT_THREAD, use, arg, NULL), of_threads))
        return;
    ran = worked("join", plait_task_join(task, soon()), of_family) &&
          worked("outcome", plait_task_outcome(task, &end), of_nothing);
    if (ran)
        must("a thread's function has run", end.kind == PLAIT_RETURNED && end.code == 0);
    plait_task_destroy(task);
}

pid_t begin_process(plait_task_fn *use, void *arg)
{
    pid_t pid = fork();

    if (pid == 0) {
        int before = n_errors;
        use(arg);
        _exit(n_errors > before);
    }
    worked("fork", pid < 0 ? -errno : 0, of_system);
    return pid;
}

bool end_process(pid_t pid)
{
    int status = 0;
    pid_t rc = -1;

    if (pid < 0)
        return false;
    do
        rc = waitpid(pid, &status, 0);
    while (rc < 0 && errno == EINTR);
    must("a child was reaped", rc == pid);
    must("a child ended by itself", WIFEXITED(status) && WEXITSTATUS(status) <= 1);
    return worked("in the child", WEXITSTATUS(status) == 0 ? 0 : -ECHILD,
                  (const int[]){ ECHILD, 0 });
}

void in_all(plait_task_fn *use, void *arg)
{
    use(arg);
    in_thread(use, arg);
    end_process(begin_process(use, arg));
}

/* ---- what is left ---- */

static bool open_before[MOST_FDS];

/* By syscall(2) itself, where nothing is made to fail. */
static bool is_open(int fd)
{
    return syscall(SYS_fcntl, fd, F_GETFD) >= 0;
}

void remember_fds(void)
{
    for (int fd = 0; fd < MOST_FDS; fd++)
        open_before[fd] = is_open(fd);
}

static bool is_family(int fd)
{
    char path[40], link[LINK_BYTES] = "";

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return syscall(SYS_readlinkat, AT_FDCWD, path, link, sizeof link - 1) > 0 &&
           strncmp(link, "/memfd:plait-family", 19) == 0;
}

/* What a loop keeps for the next thread that is one. */
static bool is_loop(int fd)
{
    static int n_kept; /* two loops, two each */
    char path[40], link[LINK_BYTES] = "";

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (syscall(SYS_readlinkat, AT_FDCWD, path, link, sizeof link - 1) <= 0)
        return false;
    return (strcmp(link, "anon_inode:[eventpoll]") == 0 ||
            strcmp(link, "anon_inode:[eventfd]") == 0) &&
           ++n_kept <= 4;
}

void check_fds(void)
{
    for (int fd = 0; fd < MOST_FDS; fd++) {
        if (is_open(fd) && !open_before[fd] && !is_family(fd) && !is_loop(fd)) {
            fprintf(stderr, "descriptor %d was left open\n", fd);
            abort();
        }
    }
}

void check_heap(void)
{
    plait_shared_usage usage;

    if (worked("stats", plait_shared_stats(&usage), of_family))
        must("the heap is empty again", usage.blocks == 0 && usage.used_bytes == 0);
}
