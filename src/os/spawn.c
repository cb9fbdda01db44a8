/* Starting a program without copying the caller's memory map.
 * SPDX-License-Identifier: MIT
 *
 * The child shares our memory until it has exec'd (CLONE_VM) while we sleep (CLONE_VFORK), on a
 * stack of its own, so that the cost does not grow with the caller and a failed exec leaves its
 * errno where we read it. All signals are blocked over the call: a handler of ours must not run in
 * the child while it can still write our memory.
 */
#include "os/process.h"
#include "os/signal.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Execvp builds an argument list for scripts without #! on it. */
enum {
    SPAWN_STACK_BYTES = 256 * 1024
};

/* What the child is told, and where it leaves word of a failure. */
struct child {
    const struct plait__spawn *spawn;
    pid_t parent;
    int error; /* written by the child, read after it is gone or has exec'd */
    const char *step;
};

static int fail_at(struct child *child, const char *step)
{
    child->error = errno != 0 ? errno : EINVAL;
    child->step = step;
    _exit(127);
}

/* Only what differs: sixty more system calls would be a fiftieth of the whole start. */
static void set_dispositions(const struct plait__spawn *spawn)
{
    for (uint64_t left = spawn->ignored | spawn->defaulted; left != 0; left &= left - 1) {
        int number = __builtin_ctzll(left) + 1;
        bool ignore = (spawn->ignored & plait__signal_bit(number)) != 0;
        sigaction(number, &(struct sigaction){ .sa_handler = ignore ? SIG_IGN : SIG_DFL }, NULL);
    }
}

static int run_child(void *arg)
{
    struct child *child = arg;
    sigset_t none;
    const struct plait__spawn *spawn = child->spawn;

    sigemptyset(&none);
    if (spawn->new_group && setpgid(0, 0) < 0)
        return fail_at(child, "setpgid");
    if (spawn->dies_with_parent) {
        prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0, 0, 0);
        if (getppid() != child->parent) /* it died before prctl: nobody would tell us */
            return fail_at(child, "parent");
    }
    for (int fd = 0; fd < 3; fd++)
        if (dup2(spawn->fds[fd], fd) < 0)
            return fail_at(child, "dup2");
    if (spawn->cwd != NULL && chdir(spawn->cwd) < 0)
        return fail_at(child, "chdir");
    errno = 0;
    if (spawn->nice != 0 && nice(spawn->nice) == -1 && errno != 0)
        return fail_at(child, "nice");
    set_dispositions(spawn);
    sigprocmask(SIG_SETMASK, &none, NULL); /* last: from here a signal may end us */
    execvpe(spawn->file, spawn->argv, spawn->envp);
    return fail_at(child, "exec");
}

void *plait__os_spawn_stack(void)
{
    void *stack = mmap(NULL, SPAWN_STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);

    return stack == MAP_FAILED ? NULL : stack;
}

void plait__os_spawn_stack_free(void *stack)
{
    if (stack != NULL)
        munmap(stack, SPAWN_STACK_BYTES);
}

pid_t plait__os_spawn(const struct plait__spawn *spawn, const char **ret_step)
{
    sigset_t all, old;
    struct child child = { .spawn = spawn, .parent = getpid(), .step = "fork" };
    int error;
    pid_t pid;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    pid = clone(run_child, (char *)spawn->stack + SPAWN_STACK_BYTES,
                CLONE_VM | CLONE_VFORK | SIGCHLD, &child);
    error = pid < 0 ? errno : child.error;
    if (pid > 0 && error != 0)
        plait__os_reap(pid);
    sigprocmask(SIG_SETMASK, &old, NULL);
    if (error != 0) {
        *ret_step = child.step;
        return -error;
    }
    return pid;
}
