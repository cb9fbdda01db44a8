/* Tasks of kind process: how they end. How they start is in process_start.c and process_child.c, and
 * in start_forkserver.c and start_spawn.c.
 * SPDX-License-Identifier: MIT
 *
 * The child leaves what its function returned in memory shared with the parent (verdict.h): an exit
 * status has room for 8 bits only. With a guard, this one ends when nothing below it is left, and
 * leaves there how the task had ended.
 */
#include "task/process.h"
#include "family/self.h"
#include "os/fd.h"
#include "os/oom.h"
#include "os/pidfd.h"
#include "os/process.h"
#include "task/ending.h"
#include "task/failure.h"
#include "task/guard.h"
#include "task/order.h"
#include "task/process_start.h"
#include "task/start.h"
#include "task/task.h"
#include "task/verdict.h"
#include "wait/wait.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static int start(plait_task *task, const plait_task_opts *opts)
{
    plait_start_method method = opts->method;
    int rc;

    if (method == PLAIT_START_DEFAULT)
        method = plait_get_start_method();
    if (method == PLAIT_START_SPAWN)
        rc = plait__spawn_start(task, opts);
    else if (method == PLAIT_START_FORKSERVER)
        rc = plait__forkserver_start(task, opts);
    else
        rc = plait__process_start(task, opts);
    if (rc < 0)
        return rc;
    plait__task_enlist(task);
    return 0;
}

/* ---- the end ---- */

/* Did the kernel kill it for want of memory? SIGKILL has no sender that it would tell. */
static bool was_out_of_memory(const plait_task *task, const struct plait__death *death)
{
    return death->known && death->signal == SIGKILL &&
           !__atomic_load_n(&task->was_asked, __ATOMIC_SEQ_CST) &&
           plait__os_oom_kills() > task->oom_kills;
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
                              .peak_kib = death->peak_kib,
                              .out_of_memory = was_out_of_memory(task, death) };

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

static int look(plait_task *task)
{
    struct plait__death death;
    bool has_ended_now = false;
    int rc = 0;

    plait__mutex_lock(&task->reaping);
    if (!plait__task_has_ended(task)) {
        rc = task->is_kept ? plait__forkserver_wait(task, &death)
                           : plait__os_pidfd_wait(task->pidfd, &death);
        if (rc == 0 && __atomic_load_n(&task->verdict->has_died, __ATOMIC_ACQUIRE) != 0)
            death = task->verdict->death;
        if (rc == 0 && death.is_untold && plait__ending_may_be_told(&task->told_until_ns))
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

static int look_at(void *task)
{
    return look(task);
}

static int join(plait_task *task, plait_deadline until)
{
    if (plait__task_has_ended(task))
        return 0;
    if (task->is_kept)
        return plait__forkserver_join(task, until);
    return plait__ending_await(task->pidfd, look_at, task, until);
}

static int send(plait_task *task, int number)
{
    char word = number == SIGTERM ? GUARD_TERMINATE : GUARD_KILL;
    int rc = look(task);

    if (rc == 0)
        return 0;
    __atomic_store_n(&task->was_asked, 1, __ATOMIC_SEQ_CST);
    if (task->guard < 0)
        rc = plait__os_pidfd_signal(task->pidfd, number);
    else /* it has room for many words: one that it has no room for is not the first */
        rc = plait__os_channel_send(task->guard, &word, 1, NULL, 0);
    return rc == -ESRCH || rc == -EPIPE || rc == -ECONNRESET || rc == -EAGAIN ? 0 : rc;
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

/* May what the task writes to be used again? A guard that was killed could not see the end of it. */
static bool is_let_go(const plait_task *task)
{
    return task->guard < 0 || task->verdict->error < 0 ||
           __atomic_load_n(&task->verdict->has_died, __ATOMIC_ACQUIRE) != 0;
}

static void fini(plait_task *task)
{
    bool is_ours = task->owner == plait__self_pid();

    /* in a forked child the verdict is the parent's business */
    if (task->verdict != NULL && plait__task_has_ended(task) && is_ours && is_let_go(task)) {
        if (task->order != NULL)
            plait__order_free(task->order);
        else
            plait__verdict_give(task->verdict);
    }
    if (!is_ours && plait__process_has_closed_others())
        return;
    if (task->pidfd >= 0)
        close(task->pidfd);
    if (task->guard >= 0)
        close(task->guard);
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
