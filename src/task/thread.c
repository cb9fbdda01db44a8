/* Tasks of kind thread.
 * SPDX-License-Identifier: MIT
 *
 * The thread says that its task has ended when its function has; the kernel thread is gone a moment
 * later. Whoever sees the end first joins that, so that a program which has joined all its tasks
 * has no thread left, and may fork. Who joins for ever and cannot be cancelled has nothing to see
 * before the thread is gone: it joins that at once, and is woken once instead of twice.
 */
#include "task/thread.h"
#include "os/thread.h"
#include "sync/debug.h"
#include "task/coroutine.h"
#include "task/failure.h"
#include "task/local.h"
#include "task/task.h"
#include "wait/wait.h"

#include <errno.h>

/* task->joinable: whose part is it to see to what is left of the kernel's thread? */
enum {
    NOBODYS,  /* not there yet, or somebody has taken it on */
    ANYBODYS, /* whoever takes it */
    ITS_OWN   /* it was let go of before it had ended */
};

static bool take_if(plait_task *task, uint32_t expected, uint32_t next)
{
    return __atomic_compare_exchange_n(&task->joinable, &expected, next, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

/* Is joining it the caller's part? Once. */
static bool take_thread(plait_task *task)
{
    return take_if(task, ANYBODYS, NOBODYS);
}

/* The last act of the thread: it holds a reference until here. */
static void end(plait_task *task, const plait_outcome *outcome)
{
    plait__coroutines_end(plait__is_cancelled(&task->sleeper));
    plait__locals_leave_thread();
    plait__coroutines_end(true); /* a local's destructor may have started some */
    if (plait__debug_locks())
        plait__debug_ends(false);
    plait__task_delist(task);
    plait__task_set_ended(task, outcome);
    /* writes nothing, and so that who lets go after it sees the end; who did before it is seen */
    if (__atomic_fetch_add(&task->joinable, 0, __ATOMIC_SEQ_CST) == ITS_OWN &&
        take_if(task, ITS_OWN, NOBODYS))
        plait__os_thread_detach_self();
    plait__task_enter(NULL);
    plait__task_unref(task);
}

static void run(void *arg)
{
    plait_task *task = arg;
    plait_outcome outcome = { .kind = PLAIT_RETURNED };

    __atomic_store_n(&task->id, (uint32_t)plait__os_thread_id(), __ATOMIC_SEQ_CST);
    plait__os_thread_set_name(task->name);
    plait__task_enter(task);
    plait__locals_enter_thread(task);
    outcome.code = plait__task_call(task);
    if (outcome.code == -ECANCELED && plait__is_cancelled(&task->sleeper))
        outcome.kind = PLAIT_CANCELLED;
    plait__failure_tell(task, &outcome);
    end(task, &outcome);
}

/* Its function called pthread_exit. */
static void run_exited(void *arg)
{
    end(arg, &(plait_outcome){ .kind = PLAIT_EXITED });
}

/* The caller knows the thread's id without waiting for its first instructions, which a woken
 * thread is often late with. */
static void learn_id(plait_task *task)
{
    struct plait__sleeper *self;
    uint32_t id = (uint32_t)plait__os_thread_id_of(task->thread);

    if (id != 0) {
        __atomic_store_n(&task->id, id, __ATOMIC_SEQ_CST);
        return;
    }
    /* a C library that does not say, or a thread that has ended; no cancel may cut this short */
    self = plait__sleeper_current();
    plait__sleeper_set_current(NULL);
    while (__atomic_load_n(&task->id, __ATOMIC_SEQ_CST) == 0)
        plait__wait_word(&task->id, 0, plait_after_ms(1)); /* nobody wakes us */
    plait__sleeper_set_current(self);
}

static int start(plait_task *task, const plait_task_opts *opts)
{
    struct plait__thread_entry entry = { .fn = run, .on_exit = run_exited, .arg = task };
    int rc = plait__locals_inherit(&task->locals);

    if (rc < 0)
        return rc;
    plait__task_ref(task); /* the thread's own */
    plait__task_enlist(task);
    rc = plait__os_thread_start(&task->thread, &entry, opts->stack_bytes);
    if (rc < 0) {
        plait__locals_end(&task->locals);
        plait__task_delist(task);
        plait__task_unref(task);
        return rc;
    }
    learn_id(task);
    /* from now on, and not before the thread's name was used, somebody may join it */
    __atomic_store_n(&task->joinable, ANYBODYS, __ATOMIC_SEQ_CST);
    return 0;
}

static int join(plait_task *task, plait_deadline until)
{
    int rc;

    if (until.ns == PLAIT_FOREVER.ns && plait__sleeper_current() == NULL && take_thread(task))
        plait__os_thread_join(task->thread);
    rc = plait__task_wait_ended(task, until);
    if (rc == 0 && take_thread(task))
        plait__os_thread_join(task->thread);
    return rc;
}

/* Either we see that it has ended, or it sees that it was let go of; if both, who is first. */
static void give_up(plait_task *task)
{
    bool has_ended = plait__task_has_ended(task);

    if (!has_ended)
        plait__cancel(&task->sleeper);
    if (!has_ended && take_if(task, ANYBODYS, ITS_OWN)) {
        if (plait__task_has_ended(task) && take_if(task, ITS_OWN, NOBODYS))
            plait__os_thread_join(task->thread);
    } else if (take_thread(task)) {
        plait__os_thread_join(task->thread);
    }
}

const struct plait__task_ops plait__thread_ops = {
    .start = start,
    .join = join,
    .look = plait__task_look,
    .terminate = plait__task_ask,
    .kill = plait__task_refuse_to_kill,
    .give_up = give_up,
};
