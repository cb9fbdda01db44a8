/* Tasks of kind process.
 * SPDX-License-Identifier: MIT
 *
 * The child is forked directly and stops at a pipe ("the gate") before it enters its function. The
 * parent hands a pidfd of it to the keeper, then writes to the gate. If the parent dies in between,
 * the child reads the end of the pipe and ends; if it dies later, the keeper, which reads all
 * requests before it acts on its owner's death, kills it. There is no moment at which the function
 * runs unguarded.
 *
 * The child leaves what its function returned in memory shared with the parent (verdict.h): an exit
 * status has room for 8 bits only.
 *
 * After a fork each page that one of the two writes is copied, and each that the child reads is
 * mapped anew: twenty such faults cost half as much as the fork. Therefore the way from here to the
 * function and back touches no memory that it need not, nor calls what would.
 */
#include "task/process.h"
#include "base/time.h"
#include "family/self.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/pidfd.h"
#include "os/process.h"
#include "os/thread.h"
#include "task/coroutine.h"
#include "task/failure.h"
#include "task/keeper.h"
#include "task/local.h"
#include "task/task.h"
#include "task/verdict.h"
#include "wait/wait.h"

#include <plait/error.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

enum {
    /* Between the end of a process that the host does not wait for and its release the kernel does
     * not say yet how it ended: so long we ask again, then take it for unknown. */
    TELL_NS = 100 * 1000 * 1000,
    PAUSE_NS = 200 * 1000, /* between two looks at what cannot be polled, at first … */
    PAUSE_MAX_NS = 10 * 1000 * 1000,
};

/* A return value as an exit status: what does not fit is 255. */
static int to_status(int code)
{
    return code >= 0 && code <= 255 ? code : 255;
}

/* ---- start ---- */

static void live(plait_task *task, const int gate[2])
{
    char go;
    ssize_t n;
    pid_t self = plait__self_pid();

    close(gate[1]);
    plait__task_enter_process(task);
    do
        n = read(gate[0], &go, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        _exit(1); /* the parent died before it could register us */
    close(gate[0]);
    plait__locals_enter_process(task);
    int code = task->fn(task->arg);
    /* a fork of the function's that returns does not speak for the task */
    if (plait__self_pid() == self) {
        task->verdict->code = code;
        __atomic_store_n(&task->verdict->has_returned, 1, __ATOMIC_RELEASE);
    }
    plait__coroutines_end(false);
    plait__locals_leave_thread();
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
    /* the child reads: this can neither block nor raise SIGPIPE, unless it was killed */
    do
        n = write(gate, "g", 1);
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
    rc = pid < 0 ? pid : let_go(task, pid, gate[1]);
    close(gate[0]); /* only now: where the child was killed, let_go's write would raise SIGPIPE */
    close(gate[1]);
    if (pid < 0)
        return pid;
    if (rc < 0) {
        plait__os_reap(pid); /* it has read the end of the gate */
        return rc;
    }
    /* relaxed: nobody else has the handle yet */
    __atomic_store_n(&task->id, (uint32_t)pid, __ATOMIC_RELAXED);
    return 0;
}

static int start(plait_task *task, const plait_task_opts *opts)
{
    int rc = plait__os_thread_count();

    (void)opts;
    if (rc > 1)
        return PLAIT_ETHREADS;
    /* -ENOENT: without /proc nobody tells */
    rc = rc < 0 && rc != -ENOENT ? rc : plait__keeper_start();
    if (rc == 0)
        rc = plait__verdict_take(&task->verdict);
    if (rc < 0)
        return rc;
    rc = fork_child(task);
    if (rc < 0) {
        plait__verdict_give(task->verdict);
        task->verdict = NULL;
        return rc;
    }
    plait__task_enlist(task);
    return 0;
}

/* ---- the end ---- */

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
        outcome.kind = PLAIT_RETURNED; /* also when the host has reaped it */
        outcome.code = task->verdict->code;
    } else if (!death->known) {
        outcome.kind = PLAIT_UNKNOWN;
    }
    return outcome;
}

/* The kernel will say in a moment how it ended: is that still worth waiting for? */
static bool may_be_told(plait_task *task)
{
    int64_t now = plait__os_now_ns();

    if (task->told_until_ns == 0)
        task->told_until_ns = now + TELL_NS;
    return now < task->told_until_ns;
}

static int look(plait_task *task)
{
    struct plait__death death;
    bool has_ended_now = false;
    int rc = 0;

    plait__mutex_lock(&task->reaping);
    if (!plait__task_has_ended(task)) {
        rc = plait__os_pidfd_wait(task->pidfd, &death);
        if (rc == 0 && death.is_untold && may_be_told(task))
            rc = -EAGAIN;
        if (rc == 0) {
            plait_outcome outcome = to_outcome(task, &death);
            plait__task_delist(task);
            plait__task_set_ended(task, &outcome);
            has_ended_now = true;
        }
    }
    plait__mutex_unlock(&task->reaping);
    if (has_ended_now && !__atomic_load_n(&task->was_asked, __ATOMIC_SEQ_CST))
        plait__failure_tell(task, &task->outcome);
    return rc;
}

/* It has ended, but is not to be had yet: a debugger holds it back, or the kernel is not done. */
static int look_until(plait_task *task, plait_deadline until)
{
    int64_t pause_ns = PAUSE_NS;
    int rc;

    while ((rc = look(task)) == -EAGAIN) {
        if (plait_left_ns(until) == 0)
            return -ETIMEDOUT;
        plait_deadline again = plait__deadline_after(plait__os_now_ns(), pause_ns);
        rc = plait_sleep(plait__deadline_earlier(until, again));
        if (rc < 0)
            return rc;
        pause_ns = pause_ns * 2 < PAUSE_MAX_NS ? pause_ns * 2 : PAUSE_MAX_NS;
    }
    return rc;
}

static int join(plait_task *task, plait_deadline until)
{
    struct plait__fd end = { .fd = task->pidfd, .wanted = PLAIT__FD_READ };
    int rc = -EINTR;

    if (plait__task_has_ended(task))
        return 0;
    while (rc == -EINTR)
        rc = plait__wait_fds(&end, 1, until);
    return rc < 0 ? rc : look_until(task, until);
}

static int send(plait_task *task, int number)
{
    int rc = look(task);

    if (rc == 0)
        return 0;
    __atomic_store_n(&task->was_asked, 1, __ATOMIC_SEQ_CST);
    rc = plait__os_pidfd_signal(task->pidfd, number);

    return rc == -ESRCH ? 0 : rc;
}

static int terminate(plait_task *task)
{
    return send(task, SIGTERM);
}

static int kill_process(plait_task *task)
{
    return send(task, SIGKILL);
}

static void give_up(plait_task *task)
{
    struct plait__sleeper *self = plait__sleeper_current();

    if (look(task) == 0)
        return;
    kill_process(task);
    plait__sleeper_set_current(NULL); /* also a cancelled task waits for the kernel here */
    while (join(task, PLAIT_FOREVER) < 0 && look(task) == -EAGAIN) /* no memory to wait with */
        plait_sleep(plait_after_ms(10));
    plait__sleeper_set_current(self);
}

static void fini(plait_task *task)
{
    /* in a forked child the verdict is the parent's business */
    if (task->verdict != NULL && plait__task_has_ended(task) && task->owner == plait__self_pid())
        plait__verdict_give(task->verdict);
    if (task->pidfd >= 0)
        close(task->pidfd);
}

const struct plait__task_ops plait__process_ops = {
    .start = start,
    .join = join,
    .look = look,
    .terminate = terminate,
    .kill = kill_process,
    .give_up = give_up,
    .fini = fini,
};
