/* Tasks of kind coroutine.
 * SPDX-License-Identifier: MIT
 *
 * What plait_go starts is a struct fresh of a few words until its loop has time for it: a million of
 * them cost no million of stacks, and another loop may take some over.
 */
#include "task/coroutine.h"
#include "base/assert.h"
#include "loop/balance.h"
#include "loop/loop.h"
#include "sync/debug.h"
#include "task/census.h"
#include "task/coroutine_place.h"
#include "task/failure.h"
#include "task/local.h"
#include "wait/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXIT_MOST = 255,
    SPARE_FRESH = 1024
};

/* For a thread: what its own plait_go starts. */
static _Thread_local struct plait__group thread_group __attribute__((tls_model("initial-exec")));

/* Of this thread, as they were left: a start takes no lock, and asks nobody. */
static _Thread_local struct {
    struct plait__fresh *first;
    unsigned n;
} spare __attribute__((tls_model("initial-exec")));

/* Of a thread: what is left there was asked to end, and what begins is. */
static _Thread_local bool is_ending __attribute__((tls_model("initial-exec")));
/* Of a thread: its daemons were asked to end, and those to come are. */
static _Thread_local bool no_daemons __attribute__((tls_model("initial-exec")));

static struct plait__coroutine *coroutine_of(plait_task *task)
{
    return plait__list_entry(task, struct plait__coroutine, task);
}

static struct plait__coroutine *coroutine_here(void)
{
    struct plait__strand *strand = plait__strand_here();

    return strand != NULL && strand->task != NULL ? (struct plait__coroutine *)strand : NULL;
}

struct plait__group *plait__group_here(void)
{
    struct plait__coroutine *here = coroutine_here();

    return here != NULL ? &here->children : &thread_group;
}

struct plait__group *plait__group_around(void)
{
    struct plait__coroutine *here = coroutine_here();

    return here != NULL ? here->group : NULL;
}

/* ---- a coroutine's life ---- */

void plait__coroutine_leave(struct plait__strand *strand)
{
    plait__task_tell_ended(&((struct plait__coroutine *)strand)->task);
}

void plait__coroutine_end(struct plait__strand *strand)
{
    plait_task *task = &((struct plait__coroutine *)strand)->task;

    if (plait__task_has_ended(task))
        plait__task_unref(task); /* the coroutine's own */
    else
        plait__task_tell_ended_unref(task);
}

/* Its function has returned: waits for what it started, which is asked to end as soon as it is. */
static void wait_for_own(struct plait__sleeper *sleeper, struct plait__group *group, bool cancel)
{
    if (sleeper != NULL) { /* what the function has left on would keep both from us */
        sleeper->masks = 0;
        sleeper->scope_ns = 0;
    }
    while (!cancel && plait__group_count(group) != 0)
        cancel = plait__group_wait(group, PLAIT_FOREVER) == -ECANCELED;
    if (cancel)
        plait__group_cancel(group);
    plait__mask_cancel();
    plait__group_wait(group, PLAIT_FOREVER);
}

void plait__coroutine_run(struct plait__strand *strand)
{
    struct plait__coroutine *self = (struct plait__coroutine *)strand;
    plait_task *task = &self->task;
    int code = plait__task_call(task);

    if (plait__strand_here() != strand) /* a child that was forked in here: its only thread ends */
        exit(code >= 0 && code < EXIT_MOST ? code : EXIT_MOST);
    /* nobody reads it before the end is told */
    task->outcome = (plait_outcome){ .kind = PLAIT_RETURNED, .code = code };
    if (code == -ECANCELED && plait__is_cancelled(&task->sleeper))
        task->outcome.kind = PLAIT_CANCELLED;
    if (code < 0)
        plait__failure_tell(task, &task->outcome);
    if (plait__group_count(&self->children) != 0)
        wait_for_own(&task->sleeper, &self->children, plait__is_cancelled(&task->sleeper));
    if (task->locals != NULL)
        plait__locals_end(&task->locals);
    if (task->owns_arg) { /* now: others may keep the task itself for long */
        free(task->arg);
        task->owns_arg = false;
    }
    if (plait__debug_locks())
        plait__debug_ends(false);
    if (self->group != NULL)
        plait__group_end(self->group, &self->member,
                         task->outcome.kind == PLAIT_CANCELLED ? 0 : code);
    if (__builtin_expect(__atomic_load_n(&plait__census_is_on, __ATOMIC_RELAXED) != 0, 0))
        plait__census_note(strand);
}

/* At the end of the thread's loop. */
static void free_fresh(void)
{
    struct plait__fresh *fresh;

    while ((fresh = spare.first) != NULL) {
        spare.first = fresh->next;
        free(fresh);
    }
    spare.n = 0;
}

bool plait__coroutines_are_ending(void)
{
    return no_daemons;
}

void plait__coroutines_forget(void)
{
    is_ending = no_daemons = false;
    thread_group = (struct plait__group){ 0 };
}

/* ---- with a handle ---- */

/* With the default options. NULL: no memory. */
static struct plait__coroutine *create_plain(size_t stack_bytes, plait_task_fn *fn, void *arg,
                                             const void *site)
{
    struct plait__loop *loop = plait__loop_here();
    struct plait__locals *locals = NULL;
    struct plait__coroutine *made;

    if (loop == NULL && plait__coroutine_get_loop(&loop) < 0)
        return NULL;
    if (plait__locals_has_any() && plait__locals_inherit(&locals) < 0)
        return NULL;
    made = plait__coroutine_make(loop, stack_bytes);
    if (made == NULL) {
        plait__locals_end(&locals);
        return NULL;
    }
    made->strand.site = site;
    made->task.fn = fn;
    made->task.arg = arg;
    made->task.locals = locals;
    made->task.parent = plait_task_current();
    plait__task_ref(made->task.parent);
    return made;
}

int plait__coroutine_create_at(plait_task **ret, plait_task_fn *fn, void *arg,
                               const plait_task_opts *opts, const void *site)
{
    struct plait__coroutine *made = create_plain(opts->stack_bytes, fn, arg, site);

    if (made == NULL)
        return -ENOMEM;
    if ((opts->name != NULL && plait__task_set_name(&made->task, opts->name) < 0) ||
        (opts->arg_bytes > 0 && plait__task_copy_arg(&made->task, opts->arg_bytes) < 0)) {
        plait__locals_end(&made->task.locals);
        plait__strand_unmake(&made->strand);
        plait__task_unref(&made->task);
        return -ENOMEM;
    }
    made->task.daemon = opts->daemon;
    made->task.table = opts->table;
    if (no_daemons && opts->daemon)
        __atomic_store_n(&made->task.sleeper.cancel, 1, __ATOMIC_SEQ_CST);
    *ret = &made->task;
    return 0;
}

static int start(plait_task *task, const plait_task_opts *opts)
{
    (void)opts;
    __atomic_store_n(&task->refs, 2, __ATOMIC_RELAXED); /* its own; nobody else knows it yet */
    plait__strand_ready(&coroutine_of(task)->strand);
    return 0;
}

int plait__coroutine_start_at(plait_task **ret, plait_task_fn *fn, void *arg, const void *site)
{
    struct plait__coroutine *made = create_plain(0, fn, arg, site);

    if (made == NULL)
        return -ENOMEM;
    *ret = &made->task;
    return start(&made->task, NULL);
}

void plait__coroutine_enter(plait_task *task, struct plait__group *group)
{
    struct plait__coroutine *self = coroutine_of(task);

    self->group = group;
    self->home = self->strand.loop;
    self->member.sleeper = &task->sleeper;
    plait__group_add(group);
    plait__group_begin(group, &self->member);
}

/* Nothing but the end, or who asks the waiter to end, can make it go on. */
static bool waits_for_ever(const struct plait__sleeper *sleeper, plait_deadline until)
{
    return until.ns == INT64_MAX && sleeper->scope_ns == 0 && sleeper->until_ns == 0 &&
           sleeper->on_sleep == NULL && !plait__must_end(sleeper);
}

/* By one of the same loop, who need not be found by other threads. */
static int join_near(struct plait__strand *strand, plait_task *task, plait_deadline until)
{
    struct plait__sleeper *sleeper = plait__sleeper_current();
    uint32_t state;
    int rc = 0;

    plait__say_wait(PLAIT__ON_TASK, &task->state);
    strand->joiner = plait__strand_here();
    if (waits_for_ever(sleeper, until)) {
        sleeper->word = &task->state;
        rc = plait__strand_call(strand);
        sleeper->word = NULL;
        rc = rc == -EAGAIN ? 0 : rc;
    }
    while ((state = __atomic_load_n(&task->state, __ATOMIC_ACQUIRE)) != PLAIT__TASK_ENDED &&
           rc == 0)
        rc = plait__wait_told(&task->state, state, until);
    if (state == PLAIT__TASK_ENDED)
        return 0;
    strand->joiner = NULL;
    return rc;
}

static int join(plait_task *task, plait_deadline until)
{
    struct plait__strand *strand = &coroutine_of(task)->strand;
    const struct plait__sleeper *sleeper = plait__sleeper_current();

    if (plait__task_has_ended(task))
        return 0;
    if (strand->loop != plait__loop_here() || strand->joiner != NULL || sleeper == NULL ||
        sleeper->ops == NULL)
        return plait__task_wait_ended(task, until);
    return join_near(strand, task, until);
}

static void give_up(plait_task *task)
{
    if (!plait__task_has_ended(task))
        plait__cancel(&task->sleeper);
}

const struct plait__task_ops plait__coroutine_ops = {
    .start = start,
    .join = join,
    .look = plait__task_look,
    .terminate = plait__task_ask,
    .kill = plait__task_refuse_to_kill,
    .give_up = give_up,
    .free = plait__coroutine_free,
};

/* ---- without ---- */

struct fresh {
    struct plait__fresh fresh; /* first */
    struct plait__group *group;
    const struct plait__loop *home; /* the starter's */
    plait_task_fn *fn;
    void *arg;
    bool is_copied;     /* the argument is ours to free */
    plait_task *parent; /* with a reference */
    const void *site;
    struct plait__locals *locals;
};

static struct fresh *get_fresh(void)
{
    struct plait__fresh *fresh = spare.first;

    if (fresh == NULL)
        return malloc(sizeof(struct fresh));
    spare.first = fresh->next;
    spare.n--;
    return (struct fresh *)fresh;
}

static void put_fresh(struct fresh *fresh)
{
    if (spare.n == SPARE_FRESH) {
        free(fresh);
        return;
    }
    fresh->fresh.next = spare.first;
    spare.first = &fresh->fresh;
    spare.n++;
}

static struct plait__strand *begin(struct plait__loop *loop, struct plait__fresh *base, bool last)
{
    struct fresh *fresh = (struct fresh *)base;
    struct plait__coroutine *made = plait__coroutine_make(loop, 0);

    if (made == NULL) {
        if (!last)
            return NULL;
        /* no memory, and nobody lives who could give some back */
        plait__group_drop(fresh->group, -ENOMEM);
        plait__task_unref(fresh->parent);
        plait__locals_end(&fresh->locals);
        if (fresh->is_copied)
            free(fresh->arg);
        put_fresh(fresh);
        return NULL;
    }
    made->strand.site = fresh->site;
    made->task.fn = fresh->fn;
    made->task.arg = fresh->arg;
    made->task.owns_arg = fresh->is_copied;
    made->task.parent = fresh->parent;
    made->task.locals = fresh->locals;
    made->group = fresh->group;
    made->member.sleeper = &made->task.sleeper;
    plait__group_begin(made->group, &made->member);
    made->home = fresh->home;
    if (is_ending && made->home == loop)
        __atomic_store_n(&made->task.sleeper.cancel, 1, __ATOMIC_SEQ_CST);
    put_fresh(fresh);
    return &made->strand;
}

int plait__coroutine_go_at(struct plait__group *group, plait_task_fn *fn, const void *arg,
                           size_t arg_bytes, const void *site)
{
    struct plait__loop *loop = plait__loop_here();
    struct fresh *fresh;
    int rc = 0;

    if (loop == NULL) {
        rc = plait__coroutine_get_loop(&loop);
        if (rc < 0)
            return rc;
    }
    fresh = get_fresh();
    if (fresh == NULL)
        return -ENOMEM;
    *fresh = (struct fresh){ .fresh = { .begin = begin },
                             .group = group,
                             .home = loop,
                             .fn = fn,
                             .arg = (void *)(uintptr_t)arg,
                             .site = site };
    if (!group->is_bare && plait__locals_has_any() && plait__locals_inherit(&fresh->locals) < 0) {
        put_fresh(fresh);
        return -ENOMEM;
    }
    if (arg_bytes > 0) {
        fresh->arg = malloc(arg_bytes);
        if (fresh->arg == NULL) {
            plait__locals_end(&fresh->locals);
            put_fresh(fresh);
            return -ENOMEM;
        }
        memcpy(fresh->arg, arg, arg_bytes);
        fresh->is_copied = true;
    }
    if (!group->is_bare) {
        fresh->parent = plait_task_current();
        plait__task_ref(fresh->parent);
    }
    plait__group_add(group);
    plait__loop_add_fresh(loop, &fresh->fresh);
    return 0;
}

/* Another thread asked for it. */
static struct plait__strand *begin_call(struct plait__loop *loop, struct plait__fresh *base,
                                        bool last)
{
    struct fresh *fresh = (struct fresh *)base;
    struct plait__strand *strand;

    fresh->group = &thread_group;
    fresh->home = loop;
    plait__group_add(&thread_group);
    strand = begin(loop, base, last);
    if (strand == NULL && !last)
        plait__group_drop(&thread_group, 0);
    return strand;
}

int plait__coroutine_call(struct plait__loop *loop, uint64_t number, plait_task_fn *fn, void *arg)
{
    struct fresh *fresh = malloc(sizeof *fresh);
    int rc;

    if (fresh == NULL)
        return -ENOMEM;
    *fresh = (struct fresh){
        .fresh = { .begin = begin_call }, .fn = fn, .arg = arg, .parent = plait_task_current()
    };
    plait__task_ref(fresh->parent);
    rc = plait__loop_call(loop, number, &fresh->fresh);
    if (rc < 0) {
        plait__task_unref(fresh->parent);
        free(fresh);
    }
    return rc;
}

/* ---- the end of a thread ---- */

/* Daemons are not waited for longer than they take to notice; nor is a group that nobody destroyed
 * when the others are asked to end. */
static void end_unwaited(struct plait__strand *strand)
{
    struct plait__coroutine *coroutine = (struct plait__coroutine *)strand;

    if (coroutine->task.daemon ||
        (is_ending && coroutine->group != NULL && coroutine->home == coroutine->strand.loop))
        plait__cancel(&coroutine->task.sleeper);
}

void plait__coroutines_end(bool cancel)
{
    struct plait__loop *loop = plait__loop_here();

    if (loop == NULL || coroutine_here() != NULL) /* exit in a coroutine: nobody is waited for */
        return;
    plait__balance_leave(loop);
    wait_for_own(plait__sleeper_current(), &thread_group, cancel);
    is_ending = cancel;
    no_daemons = true;
    plait__loop_close_door(loop); /* what came in before is drained */
    plait__loop_each(loop, end_unwaited);
    plait__loop_drain(loop);
    is_ending = no_daemons = false;
    __atomic_store_n(&thread_group.is_cancelled, 0, __ATOMIC_RELAXED); /* the thread may go on */
    plait__unmask_cancel();
    free_fresh();
    plait__coroutine_places_free();
    plait__loop_end();
}

void plait__coroutines_end_job(void)
{
    struct plait__sleeper *sleeper = plait__sleeper_current();
    struct plait__coroutine *here = coroutine_here();

    if (sleeper == NULL || sleeper->ops == NULL)
        return;
    if (here == NULL) {
        plait__coroutines_end(plait__is_cancelled(sleeper));
        return;
    }
    if (plait__group_count(&here->children) == 0)
        return;
    wait_for_own(sleeper, &here->children, plait__is_cancelled(sleeper));
    plait__unmask_cancel();
    __atomic_store_n(&here->children.is_cancelled, 0, __ATOMIC_RELAXED); /* the worker goes on */
}
