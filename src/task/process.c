/* Tasks of kind process.
 * SPDX-License-Identifier: MIT
 *
 * The child is forked directly and stops at a pipe ("the gate") before it enters its function. The
 * parent hands a pidfd of it to the keeper, then writes to the gate. If the parent dies in between,
 * the child reads the end of the pipe and ends; if it dies later, the keeper, which reads all
 * requests before it acts on its owner's death, kills it. There is no moment at which the function
 * runs unguarded.
 *
 * The child leaves what its function returned in a page shared with the parent: an exit status has
 * room for 8 bits only.
 */
#include "os/process.h"
#include "base/time.h"
#include "os/fd.h"
#include "os/pidfd.h"
#include "os/thread.h"
#include "task/keeper.h"
#include "task/task.h"

#include <plait/error.h>

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

/* In a page of its own, shared between parent and child. */
struct plait__verdict {
    uint32_t
        has_returned; /* atomic: the child releases `code` by it; read after the child has ended */
    int code;
};

/* A return value as an exit status: what does not fit is 255. */
static int to_status(int code)
{
    return code >= 0 && code <= 255 ? code : 255;
}

static void live(plait_task *task, const int gate[2])
{
    char go;
    ssize_t n;

    close(gate[1]);
    plait__task_enter_process(task);
    do
        n = read(gate[0], &go, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        _exit(1); /* the parent died before it could register us */
    close(gate[0]);
    int code = task->fn(task->arg);
    task->verdict->code = code;
    __atomic_store_n(&task->verdict->has_returned, 1, __ATOMIC_RELEASE);
    plait__tasks_end();
    plait__os_flush_streams();
    _exit(to_status(code));
}

/* Tasks that an earlier keeper guarded. If the new one dies at once the next start tries again. */
static void guard_again(plait_task *task)
{
    if (task->keeper != plait__keeper_generation() &&
        plait__keeper_guard((pid_t)task->id, task->pidfd) == 0)
        task->keeper = plait__keeper_generation();
}

/* Registers the child with the keeper and opens the gate. */
static int let_go(plait_task *task, pid_t pid, int gate)
{
    int rc = plait__os_pidfd_open(pid);
    ssize_t n;

    if (rc < 0)
        return rc;
    task->pidfd = rc;
    rc = plait__keeper_guard(pid, task->pidfd);
    if (rc < 0)
        return rc;
    task->keeper = plait__keeper_generation();
    if (task->keeper > 1)
        plait__task_each_process(guard_again);
    do
        n = write(
            gate, "g",
            1); /* the child reads: it can neither block nor raise SIGPIPE, unless it was killed */
    while (n < 0 && errno == EINTR);
    return 0;
}

static int fork_child(plait_task *task)
{
    int gate[2];
    int rc = plait__os_pipe(gate);
    pid_t pid;

    if (rc < 0)
        return rc;
    plait__os_flush_streams();
    pid = plait__os_fork();
    if (pid == 0)
        live(task, gate);
    close(gate[0]);
    if (pid < 0) {
        close(gate[1]);
        return pid;
    }
    rc = let_go(task, pid, gate[1]);
    close(gate[1]);
    if (rc < 0) {
        plait__os_reap(pid); /* it has read the end of the gate */
        return rc;
    }
    __atomic_store_n(&task->id, (uint32_t)pid,
                     __ATOMIC_RELAXED); /* nobody else has the handle yet */
    return 0;
}

int plait__process_start(plait_task *task)
{
    int rc = plait__os_thread_count() > 1 ? PLAIT_ETHREADS : plait__keeper_start();

    if (rc < 0)
        return rc;
    task->verdict = mmap(NULL, sizeof *task->verdict, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (task->verdict == MAP_FAILED) {
        task->verdict = NULL;
        return -ENOMEM;
    }
    rc = fork_child(task);
    if (rc == 0)
        plait__task_enlist(task);
    return rc;
}

static plait_outcome to_outcome(const plait_task *task, const struct plait__death *death)
{
    plait_outcome outcome = { .kind = PLAIT_EXITED,
                              .code = death->status,
                              .signal = death->signal,
                              .core = death->core,
                              .has_usage = death->has_usage,
                              .user_ns = death->user_ns,
                              .system_ns = death->system_ns,
                              .peak_kib = death->peak_kib };

    if (death->known && death->signal != 0) {
        outcome.kind = PLAIT_SIGNALLED;
        outcome.code = 0;
    } else if (__atomic_load_n(&task->verdict->has_returned, __ATOMIC_ACQUIRE) != 0) {
        outcome.kind =
            PLAIT_RETURNED; /* the host may have reaped it: the page says so all the same */
        outcome.code = task->verdict->code;
    } else if (!death->known) {
        outcome.kind = PLAIT_UNKNOWN;
    }
    return outcome;
}

int plait__process_try_reap(plait_task *task)
{
    struct plait__death death;
    int rc = 0;

    plait__mutex_lock(&task->reaping);
    if (!plait__task_has_ended(task)) {
        rc = plait__os_fd_is_readable(task->pidfd) == 0 ? -EAGAIN
                                                        : plait__os_pidfd_wait(task->pidfd, &death);
        if (rc == 0) {
            plait_outcome outcome = to_outcome(task, &death);
            plait__task_delist(task);
            plait__task_set_ended(task, &outcome);
        }
    }
    plait__mutex_unlock(&task->reaping);
    return rc;
}

int plait__process_join(plait_task *task, plait_deadline until)
{
    for (;;) {
        struct plait__fd end = { .fd = task->pidfd, .wanted = PLAIT__FD_READ };
        int rc = plait__process_try_reap(task);
        if (rc != -EAGAIN)
            return rc;
        rc = plait__wait_fds(&end, 1, until);
        if (rc < 0 && rc != -EINTR)
            return rc;
        if (rc > 0 &&
            plait__process_try_reap(task) == -EAGAIN) /* ended, but a debugger holds it back */
            plait_sleep(plait__deadline_earlier(until, plait_after_ms(10)));
    }
}

int plait__process_signal(plait_task *task, int number)
{
    int rc = plait__os_pidfd_signal(task->pidfd, number);

    return rc == -ESRCH ? 0 : rc;
}

void plait__process_fini(plait_task *task)
{
    if (task->verdict != NULL)
        munmap(task->verdict, sizeof *task->verdict);
    if (task->pidfd >= 0)
        close(task->pidfd);
}
