/* Starting a program without copying the caller's memory map.
 * SPDX-License-Identifier: MIT
 *
 * The child shares our memory until it has exec'd (CLONE_VM) while we sleep (CLONE_VFORK), on a
 * stack of its own, so that the cost does not grow with the caller and a failed exec leaves its
 * errno where we read it. All signals are blocked over the call: a handler of ours must not run in
 * the child while it can still write our memory.
 *
 * An orphan is made by a child of ours in between, which shares our memory too and ends when the
 * program has been executed. That one executes nothing, so that its end sends no signal; what does
 * sends SIGCHLD in the end, but to whom it falls to. Somebody may kill the one in between while the
 * orphan still has our memory: the kernel clears a word of it when it has let go.
 */
#include "os/call_numbers.h"
#include "os/futex.h"
#include "os/process.h"
#include "os/sanitize.h"
#include "os/signal.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef PLAIT__TSAN
/* What it puts around clone sets the caller up as the child of a fork, as both are in one memory: from
 * then on it would ignore how this thread synchronizes. And what the child does with descriptors, which
 * are its own, it would take for the caller's doing. */
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
#    define clone __clone
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);

static void look_away(bool away)
{
    if (away)
        AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    else
        AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
}
#else
static void look_away(bool away)
{
    (void)away;
}
#endif

enum {
    SPAWN_STACK_BYTES = 64 * 1024,
    SPAWN_GUARD_BYTES = 64 * 1024, /* below it: whatever the size of a page, an overflow faults */
    SIGNAL_SET_BYTES = 8,          /* of the kernel's own set */
};

/* What the child is told, and where it leaves word of a failure. */
struct child {
    const struct plait__spawn *spawn;
    pid_t parent;
    const char *path; /* where to look the file up; NULL: the file is a path itself */
    char *candidate;  /* room for each path that is tried */
    char **script;    /* room for the words of a script without #! */
    int error;        /* written by the child, read after it is gone or has exec'd */
    const char *step;
    int pidfd;
    pid_t orphan;    /* written by the kernel, before it runs; 0: none was made */
    uint32_t shares; /* atomic, a futex word: the kernel clears it when the orphan has let go */
};

/* By a raw call: the address sanitizer would look for the stack that _exit leaves, the thread sanitizer
 * for what its caller has not ended yet, and both complain. */
static int fail_at(struct child *child, const char *step)
{
    child->error = errno != 0 ? errno : EINVAL;
    child->step = step;
    syscall(SYS_exit_group, 127);
    return 127;
}

/* By a raw call: a sanitizer's sigaction notes what it does in its caller's memory. However the kernel's
 * struct is laid out, the handler comes first, and the rest is zero for these two. */
static void set_action(int number, void (*action)(int))
{
    uintptr_t words[8] = { (uintptr_t)action };

    syscall(SYS_rt_sigaction, number, words, NULL, SIGNAL_SET_BYTES);
}

/* Only what differs: sixty more system calls would be a fiftieth of the whole start. */
static void set_dispositions(const struct plait__spawn *spawn)
{
    for (uint64_t left = spawn->ignored | spawn->defaulted; left != 0; left &= left - 1) {
        int number = __builtin_ctzll(left) + 1;
        set_action(number, spawn->ignored & plait__signal_bit(number) ? SIG_IGN : SIG_DFL);
    }
}

static bool has_handler(int number)
{
    uintptr_t words[8] = { 0 };

    syscall(SYS_rt_sigaction, number, NULL, words, SIGNAL_SET_BYTES);
    return words[0] != (uintptr_t)SIG_DFL && words[0] != (uintptr_t)SIG_IGN;
}

/* A handler may not run here, in its owner's memory. */
static void reset_handlers(void)
{
    for (int number = 1; number < NSIG; number++)
        if (has_handler(number))
            set_action(number, SIG_DFL);
}

/* As execvp: a file that the kernel takes for no program is a script for the shell. */
static void exec_path(const struct child *child, char *path)
{
    static char shell[] = "/bin/sh";
    char *const *argv = child->spawn->argv;

    execve(path, argv, child->spawn->envp);
    if (errno != ENOEXEC)
        return;
    child->script[0] = shell;
    child->script[1] = path;
    execve(shell, child->script, child->spawn->envp);
}

/* Is it only this folder of PATH, so that another one may have the file? */
static bool is_the_folders(int error)
{
    return error == ENOENT || error == ENOTDIR || error == EACCES || error == ELOOP ||
           error == ENAMETOOLONG || error == ESTALE;
}

/* As execvp: tries each folder of PATH; what is wrong with one counts only if no other has the file. */
static void exec_file(const struct child *child)
{
    const char *path = child->path;
    int error = ENOENT;

    if (path == NULL) {
        exec_path(child, child->candidate);
        return;
    }
    for (;;) {
        size_t n = strcspn(path, ":");
        char *end = child->candidate;
        memcpy(end, path, n);
        end += n;
        if (n > 0)
            *end++ = '/';
        memcpy(end, child->spawn->file, strlen(child->spawn->file) + 1);
        exec_path(child, child->candidate);
        if (!is_the_folders(errno))
            return;
        if (error == ENOENT && errno != ENOTDIR)
            error = errno;
        if (path[n] == '\0')
            break;
        path += n + 1;
    }
    errno = error;
}

static int run_child(void *arg)
{
    struct child *child = arg;
    sigset_t none;
    const struct plait__spawn *spawn = child->spawn;

    sigemptyset(&none);
    child->step = "keeper";
    int rc = spawn->first != NULL ? spawn->first(spawn->first_arg) : 0;
    if (rc == 0)
        rc = plait__os_child_set_up(&spawn->child, &child->step);
    if (rc < 0) {
        errno = -rc;
        return fail_at(child, child->step);
    }
    if (spawn->dies_with_parent && plait__os_die_with_parent(child->parent, SIGKILL) < 0) {
        errno = ESRCH;
        return fail_at(child, "parent");
    }
    if (spawn->has_handlers)
        reset_handlers();
    set_dispositions(spawn);
    sigprocmask(SIG_SETMASK, &none, NULL); /* last: from here a signal may end us */
    exec_file(child);
    return fail_at(child, "exec");
}

void *plait__os_spawn_stack(void)
{
    char *stack = mmap(NULL, SPAWN_GUARD_BYTES + SPAWN_STACK_BYTES, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);

    if (stack == MAP_FAILED)
        return NULL;
    if (mprotect(stack + SPAWN_GUARD_BYTES, SPAWN_STACK_BYTES, PROT_READ | PROT_WRITE) == 0)
        return stack;
    plait__os_spawn_stack_free(stack);
    return NULL;
}

void plait__os_spawn_stack_free(void *stack)
{
    if (stack != NULL)
        munmap(stack, SPAWN_GUARD_BYTES + SPAWN_STACK_BYTES);
}

/* What exec will need and the child must not allocate. 0 or -ENOMEM. */
static int prepare_exec(const struct plait__spawn *spawn, struct child *child)
{
    size_t n = 0, length = strlen(spawn->file) + 1;

    while (spawn->argv[n] != NULL)
        n++;
    if (spawn->file[0] != '\0' && strchr(spawn->file, '/') == NULL) { /* no name is found nowhere */
        child->path = spawn->path != NULL ? spawn->path : getenv("PATH");
        if (child->path == NULL)
            child->path = "/bin:/usr/bin";
        length += strlen(child->path) + 1;
    }
    child->candidate = malloc(length);
    child->script = calloc(n + 2, sizeof *child->script);
    if (child->candidate == NULL || child->script == NULL)
        return -ENOMEM;
    memcpy(child->candidate, spawn->file, strlen(spawn->file) + 1);
    for (size_t i = 1; i < n; i++) /* "/bin/sh", the file, then the words behind the first */
        child->script[i + 1] = spawn->argv[i];
    return 0;
}

/* A child that changes its user or group in our memory has the kernel protect that from the new user,
 * and so ours, for ever: its owner's files in /proc are root's, it dumps no core. We take it back, but not
 * while another such child is at it. */
static pid_t protected; /* atomic: the process in which a thread starts one, and its forks are not; 0 */

static bool changes_user(const struct child *child)
{
    return child->spawn->child.has_uid || child->spawn->child.has_gid;
}

/* Was our memory open before? */
static bool begin_change(void)
{
    static const struct timespec moment = { .tv_nsec = 100 * 1000 };
    pid_t self = getpid(), holder = 0;

    while (!__atomic_compare_exchange_n(&protected, &holder, self, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
        if (holder == self) { /* else the parent's thread, which is not here: take it over */
            nanosleep(&moment, NULL);
            holder = 0;
        }
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;
}

static void end_change(bool was_open)
{
    if (was_open)
        prctl(PR_SET_DUMPABLE, 1UL, 0, 0, 0);
    __atomic_store_n(&protected, 0, __ATOMIC_RELEASE);
}

static char *top_of_stack(const struct child *child)
{
    return (char *)child->spawn->stack + SPAWN_GUARD_BYTES + SPAWN_STACK_BYTES;
}

/* The child's pid, or -1. No signal at its end: one that executes something sends SIGCHLD whatever is
 * said here, and of one that does not nobody else needs to know. */
static pid_t clone_one(struct child *child)
{
    int flags = CLONE_VM | CLONE_VFORK | (child->spawn->ret_pidfd != NULL ? CLONE_PIDFD : 0);
    pid_t pid = clone(run_child, top_of_stack(child), flags, child, &child->pidfd);

    if (pid < 0)
        child->error = errno;
    if (pid > 0 && child->error != 0) {
        plait__os_reap(pid);
        if (child->pidfd >= 0)
            close(child->pidfd);
    }
    return pid;
}

/* In between; its descriptors are ours. An orphan whose pidfd there is no room for is ended. */
static int run_between(void *arg)
{
    struct child *child = arg;
    int flags = CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    pid_t pid = clone(run_child, top_of_stack(child) - SPAWN_STACK_BYTES / 2, flags, child,
                      &child->orphan, NULL, &child->shares);

    /* it has let go, or we would sleep still: what the kernel says too, and where it does not */
    __atomic_store_n(&child->shares, 0, __ATOMIC_RELEASE);
    if (pid < 0)
        child->error = errno;
    else if (child->error == 0) {
        int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        child->error = pidfd < 0 ? errno : 0;
        child->pidfd = pidfd;
    }
    if (pid > 0 && child->error != 0) {
        syscall(SYS_kill, pid, SIGKILL);
        syscall(SYS_wait4, pid, NULL, __WALL, NULL);
    }
    syscall(SYS_exit_group, 0);
    return 0;
}

static pid_t clone_orphan(struct child *child)
{
    pid_t between =
        clone(run_between, top_of_stack(child), CLONE_VM | CLONE_VFORK | CLONE_FILES, child);
    uint32_t shares;

    if (between < 0) {
        child->error = errno;
        return between;
    }
    plait__os_reap(between);
    while (child->orphan != 0 && (shares = __atomic_load_n(&child->shares, __ATOMIC_ACQUIRE)) != 0)
        plait__os_futex_wait(&child->shares, shares, INT64_MAX);
    if (child->error == 0 && child->pidfd < 0)
        child->error = ESRCH;
    return child->orphan;
}

/* The child's pid, or -errno. */
static pid_t clone_child(struct child *child)
{
    sigset_t all, old;
    bool changes = changes_user(child), was_open;
    pid_t pid;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    was_open = changes && begin_change();
    look_away(true);
    pid = child->spawn->is_orphan ? clone_orphan(child) : clone_one(child);
    look_away(false);
    if (changes)
        end_change(was_open);
    sigprocmask(SIG_SETMASK, &old, NULL);
    if (child->error != 0)
        return -child->error;
    if (child->spawn->ret_pidfd != NULL)
        *child->spawn->ret_pidfd = child->pidfd;
    return pid;
}

pid_t plait__os_spawn(const struct plait__spawn *spawn, const char **ret_step)
{
    struct child child = {
        .spawn = spawn, .parent = getpid(), .step = "fork", .pidfd = -1, .shares = 1
    };
    pid_t pid = prepare_exec(spawn, &child);

    if (pid == 0)
        pid = clone_child(&child);
    if (pid < 0)
        *ret_step = child.step;
    free(child.candidate);
    free(child.script);
    return pid;
}
