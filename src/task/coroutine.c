/* Tasks of kind coroutine.
 * SPDX-License-Identifier: MIT
 *
 * A coroutine and all that plait knows of it lie at the top of its own stack: one that is parked
 * costs a page, not two, and a start allocates nothing but that stack. Therefore the stack goes back
 * only when the last reference to the task does.
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
#include "task/failure.h"
#include "task/local.h"
#include "wait/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What of it is not cleared at its start: the strand's context and stack, and the end of the task. */
struct coroutine {
    struct plait__strand strand; /* first */
    struct plait__group *group;  /* const; NULL: none, it was started with a handle */
    struct plait__group_member member;
    const struct plait__loop *home; /* const: of the thread that started it */
    struct plait__group children;
    plait_task task; /* last: the handle */
};

enum {
    ALIGNMENT = 64,
    EXIT_MOST = 255,
    SPARE_COROUTINES = 32,
    SPARE_FRESH = 1024
};

/* For a thread: what its own plait_go starts. */
static _Thread_local struct plait__group thread_group __attribute__((tls_model("initial-exec")));

/* Of this thread, as they were left: a start takes no lock, and asks nobody. */
static _Thread_local struct {
    struct plait__strand *coroutines; /* on default stacks */
    struct plait__fresh *fresh;
    unsigned n_coroutines, n_fresh;
} spare __attribute__((tls_model("initial-exec")));

/* Of a thread: what is left there was asked to end, and what begins is. */
static _Thread_local bool is_ending __attribute__((tls_model("initial-exec")));
/* Of a thread: its daemons were asked to end, and those to come are. */
static _Thread_local bool no_daemons __attribute__((tls_model("initial-exec")));

static struct coroutine *coroutine_of(plait_task *task)
{
    return plait__list_entry(task, struct coroutine, task);
}

static struct coroutine *coroutine_here(void)
{
    struct plait__strand *strand = plait__strand_here();

    return strand != NULL && strand->task != NULL ? (struct coroutine *)strand : NULL;
}

struct plait__group *plait__group_here(void)
{
    struct coroutine *here = coroutine_here();

    return here != NULL ? &here->children : &thread_group;
}

struct plait__group *plait__group_around(void)
{
    struct coroutine *here = coroutine_here();

    return here != NULL ? here->group : NULL;
}

/* ---- a coroutine's life ---- */

static void end(struct plait__strand *strand)
{
    struct coroutine *self = (struct coroutine *)strand;

    plait__task_unref(&self->task); /* the coroutine's own */
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

static void run(struct plait__strand *strand)
{
    struct coroutine *self = (struct coroutine *)strand;
    plait_task *task = &self->task;
    plait_outcome outcome = { .kind = PLAIT_RETURNED };

    outcome.code = plait__task_call(task);
    if (plait__strand_here() != strand) /* a child that was forked in here: its only thread ends */
        exit(outcome.code >= 0 && outcome.code < EXIT_MOST ? outcome.code : EXIT_MOST);
    if (outcome.code == -ECANCELED && plait__is_cancelled(&task->sleeper))
        outcome.kind = PLAIT_CANCELLED;
    if (outcome.code < 0)
        plait__failure_tell(task, &outcome);
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
                         outcome.kind == PLAIT_CANCELLED ? 0 : outcome.code);
    plait__task_set_ended(task, &outcome);
    if (__builtin_expect(__atomic_load_n(&plait__census_is_on, __ATOMIC_RELAXED) != 0, 0))
        plait__census_note(strand);
    plait__strand_leave(strand);
}

/* What is known of it before it has a stack. */
struct origin {
    plait_task_fn *fn;
    void *arg;
    plait_task *parent; /* with a reference */
    const void *site;
    struct plait__locals *locals;
};

/* At the top of a stack. NULL: no memory. */
static struct coroutine *get_place(struct plait__loop *loop, size_t stack_bytes)
{
    struct plait__stack stack;
    struct coroutine *place;
    uintptr_t at;

    if (plait__stack_get(plait__loop_stacks(loop), stack_bytes, &stack) < 0)
        return NULL;
    at = ((uintptr_t)stack.low + stack.bytes - sizeof *place) & ~(uintptr_t)(ALIGNMENT - 1);
    place = (struct coroutine *)at;
    place->strand.stack = stack;
    return place;
}

static struct coroutine *get_spare(void)
{
    struct plait__strand *strand = spare.coroutines;

    spare.coroutines = strand->next;
    spare.n_coroutines--;
    return (struct coroutine *)strand;
}

static void put_spare(struct plait__strand *strand)
{
    strand->next = spare.coroutines;
    spare.coroutines = strand;
    spare.n_coroutines++;
}

/* Not ready yet; all that it came from is its own from now on. NULL: no memory. */
static struct coroutine *create(struct plait__loop *loop, size_t stack_bytes,
                                const struct origin *from)
{
    bool again = spare.coroutines != NULL && stack_bytes == 0;
    struct coroutine *made = again ? get_spare() : get_place(loop, stack_bytes);
    size_t top_bytes;

    if (made == NULL)
        return NULL;
    top_bytes = (size_t)((char *)made->strand.stack.low + made->strand.stack.bytes - (char *)made);
    /* with some of the rest: a size that is not known before is no slow string instruction */
    memset(&made->strand.next, 0,
           top_bytes - offsetof(struct coroutine, strand.next) -
               (sizeof *made - offsetof(struct coroutine, task.outcome)));
    made->strand.sleeper = &made->task.sleeper;
    made->strand.task = &made->task;
    made->strand.fn = run;
    made->strand.on_end = end;
    if (plait__strand_make(loop, &made->strand, top_bytes, again) < 0) {
        if (again)
            put_spare(&made->strand);
        else
            plait__strand_free_stack(&made->strand);
        return NULL;
    }
    plait__task_init_coroutine(&made->task, from->parent);
    made->strand.site = from->site;
    made->strand.number = made->task.id;
    made->task.ops = &plait__coroutine_ops;
    made->task.fn = from->fn;
    made->task.arg = from->arg;
    made->task.locals = from->locals;
    return made;
}

static void free_stack(struct plait__strand *strand)
{
    plait__context_fini(&strand->context);
    plait__strand_free_stack(strand);
}

static void free_coroutine(plait_task *task)
{
    struct plait__strand *strand = &coroutine_of(task)->strand;

    if (strand->stack.size_class == PLAIT__STACK_DEFAULT && plait__loop_here() != NULL &&
        spare.n_coroutines < SPARE_COROUTINES)
        put_spare(strand);
    else
        free_stack(strand);
}

/* At the end of the thread's loop. */
static void free_spare(void)
{
    struct plait__strand *strand;
    struct plait__fresh *fresh;

    while ((strand = spare.coroutines) != NULL) {
        spare.coroutines = strand->next;
        free_stack(strand);
    }
    while ((fresh = spare.fresh) != NULL) {
        spare.fresh = fresh->next;
        free(fresh);
    }
    spare.n_coroutines = spare.n_fresh = 0;
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
static struct coroutine *create_plain(size_t stack_bytes, plait_task_fn *fn, void *arg,
                                      const void *site)
{
    struct origin from = { .fn = fn, .arg = arg, .site = site };
    struct plait__loop *loop = plait__loop_here();
    struct coroutine *made;

    if (loop == NULL && plait__coroutine_get_loop(&loop) < 0)
        return NULL;
    if (plait__locals_inherit(&from.locals) < 0)
        return NULL;
    from.parent = plait_task_current();
    made = create(loop, stack_bytes, &from);
    if (made == NULL)
        plait__locals_end(&from.locals);
    else
        plait__task_ref(from.parent);
    return made;
}

int plait__coroutine_create_at(plait_task **ret, plait_task_fn *fn, void *arg,
                               const plait_task_opts *opts, const void *site)
{
    struct coroutine *made = create_plain(opts->stack_bytes, fn, arg, site);

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
    struct coroutine *made = create_plain(0, fn, arg, site);

    if (made == NULL)
        return -ENOMEM;
    *ret = &made->task;
    return start(&made->task, NULL);
}

void plait__coroutine_enter(plait_task *task, struct plait__group *group)
{
    struct coroutine *self = coroutine_of(task);

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
    if (plait__strand_may_call(strand) && waits_for_ever(sleeper, until)) {
        sleeper->word = &task->state;
        rc = plait__strand_call(strand);
        sleeper->word = NULL;
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
    .free = free_coroutine,
};

/* ---- without ---- */

struct fresh {
    struct plait__fresh fresh; /* first */
    struct plait__group *group;
    const struct plait__loop *home; /* the starter's */
    bool is_copied;                 /* the argument is ours to free */
    struct origin from;
};

static struct fresh *get_fresh(void)
{
    struct plait__fresh *fresh = spare.fresh;

    if (fresh == NULL)
        return malloc(sizeof(struct fresh));
    spare.fresh = fresh->next;
    spare.n_fresh--;
    return (struct fresh *)fresh;
}

static void put_fresh(struct fresh *fresh)
{
    if (spare.n_fresh == SPARE_FRESH) {
        free(fresh);
        return;
    }
    fresh->fresh.next = spare.fresh;
    spare.fresh = &fresh->fresh;
    spare.n_fresh++;
}

static struct plait__strand *begin(struct plait__loop *loop, struct plait__fresh *base, bool last)
{
    struct fresh *fresh = (struct fresh *)base;
    struct coroutine *made = create(loop, 0, &fresh->from);

    if (made == NULL) {
        if (!last)
            return NULL;
        /* no memory, and nobody lives who could give some back */
        plait__group_drop(fresh->group, -ENOMEM);
        plait__task_unref(fresh->from.parent);
        plait__locals_end(&fresh->from.locals);
        if (fresh->is_copied)
            free(fresh->from.arg);
        put_fresh(fresh);
        return NULL;
    }
    made->task.owns_arg = fresh->is_copied;
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
                             .from = { .fn = fn, .arg = (void *)(uintptr_t)arg, .site = site } };
    if (!group->is_bare && plait__locals_inherit(&fresh->from.locals) < 0) {
        put_fresh(fresh);
        return -ENOMEM;
    }
    if (arg_bytes > 0) {
        fresh->from.arg = malloc(arg_bytes);
        if (fresh->from.arg == NULL) {
            plait__locals_end(&fresh->from.locals);
            put_fresh(fresh);
            return -ENOMEM;
        }
        memcpy(fresh->from.arg, arg, arg_bytes);
        fresh->is_copied = true;
    }
    if (!group->is_bare) {
        fresh->from.parent = plait_task_current();
        plait__task_ref(fresh->from.parent);
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
    *fresh = (struct fresh){ .fresh = { .begin = begin_call },
                             .from = { .fn = fn, .arg = arg, .parent = plait_task_current() } };
    plait__task_ref(fresh->from.parent);
    rc = plait__loop_call(loop, number, &fresh->fresh);
    if (rc < 0) {
        plait__task_unref(fresh->from.parent);
        free(fresh);
    }
    return rc;
}

/* ---- the end of a thread ---- */

/* Daemons are not waited for longer than they take to notice; nor is a group that nobody destroyed
 * when the others are asked to end. */
static void end_unwaited(struct plait__strand *strand)
{
    struct coroutine *coroutine = (struct coroutine *)strand;

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
    free_spare();
    plait__loop_end();
}

void plait__coroutines_end_job(void)
{
    struct plait__sleeper *sleeper = plait__sleeper_current();
    struct coroutine *here = coroutine_here();

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
