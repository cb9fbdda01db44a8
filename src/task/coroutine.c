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
#include "family/self.h"
#include "loop/loop.h"
#include "os/thread.h"
#include "sync/debug.h"
#include "task/census.h"
#include "task/failure.h"
#include "task/inspect.h"
#include "task/local.h"
#include "wait/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct coroutine {
    plait_task task; /* first: the handle */
    struct plait__strand strand;
    struct plait__group children;
    struct plait__group *group; /* const; NULL: none, it was started with a handle */
    struct plait__group_member member;
    const struct plait__loop *home; /* const: of the thread that started it */
    void *copied;                   /* const: the argument, if it is ours to free */
};

enum {
    ALIGNMENT = 64,
    EXIT_MOST = 255
};

/* For a thread: what its own plait_go starts. */
static _Thread_local struct plait__group thread_group __attribute__((tls_model("initial-exec")));

enum {
    SPARE_COROUTINES = 32,
    SPARE_FRESH = 1024
};

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

static struct coroutine *coroutine_here(void)
{
    struct plait__strand *strand = plait__strand_here();

    return strand != NULL ? strand->task : NULL;
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
    struct coroutine *self = strand->task;

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
    struct coroutine *self = strand->task;
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
    free(self->copied);
    if (task->locals != NULL)
        plait__locals_end(&task->locals);
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

static int get_stack(struct plait__loop *loop, size_t stack_bytes, struct plait__stack *ret)
{
    struct plait__strand *strand = spare.coroutines;

    if (strand == NULL || stack_bytes != 0)
        return plait__stack_get(plait__loop_stacks(loop), stack_bytes, ret);
    spare.coroutines = strand->next;
    spare.n_coroutines--;
    *ret = strand->stack;
    return 0;
}

/* On a stack of its own, not ready yet. -ENOMEM */
static int create(struct coroutine **ret, struct plait__loop *loop, size_t stack_bytes)
{
    struct plait__stack stack;
    struct coroutine *made;
    uintptr_t at;
    size_t top_bytes;
    int rc = get_stack(loop, stack_bytes, &stack);

    if (rc < 0)
        return rc;
    at = ((uintptr_t)stack.low + stack.bytes - sizeof *made) & ~(uintptr_t)(ALIGNMENT - 1);
    top_bytes = (uintptr_t)stack.low + stack.bytes - at;
    made = (struct coroutine *)at;
    memset(made, 0, sizeof *made);
    made->strand.stack = stack;
    made->strand.sleeper = &made->task.sleeper;
    made->strand.task = made;
    made->strand.fn = run;
    made->strand.on_end = end;
    rc = plait__strand_make(loop, &made->strand, top_bytes);
    if (rc < 0) {
        plait__stack_put(plait__loop_stacks(loop), &stack);
        return rc;
    }
    made->task.ops = &plait__coroutine_ops;
    *ret = made;
    return 0;
}

static void free_coroutine(plait_task *task)
{
    struct plait__strand *strand = &((struct coroutine *)task)->strand;

    plait__context_fini(&strand->context);
    if (strand->stack.size_class == PLAIT__STACK_DEFAULT && plait__loop_here() != NULL &&
        spare.n_coroutines < SPARE_COROUTINES) {
        strand->next = spare.coroutines;
        spare.coroutines = strand;
        spare.n_coroutines++;
        return;
    }
    plait__strand_free_stack(strand);
}

/* At the end of the thread's loop. */
static void free_spare(void)
{
    struct plait__strand *strand;
    struct plait__fresh *fresh;

    while ((strand = spare.coroutines) != NULL) {
        spare.coroutines = strand->next;
        plait__strand_free_stack(strand);
    }
    while ((fresh = spare.fresh) != NULL) {
        spare.fresh = fresh->next;
        free(fresh);
    }
    spare.n_coroutines = spare.n_fresh = 0;
}

static int has_exit_handler, has_fork_handler; /* atomic, relaxed: twice is harmless */

static void end_at_exit(void)
{
    /* exit handlers that run after us may start coroutines too */
    __atomic_store_n(&has_exit_handler, 0, __ATOMIC_RELAXED);
    plait__coroutines_end(true);
}

/* In a forked child: what this thread had started is not there. */
static void forget_group(void)
{
    is_ending = no_daemons = false;
    thread_group = (struct plait__group){ 0 };
    plait__census_forget();
}

int plait__coroutine_get_loop(struct plait__loop **ret)
{
    if (plait__loop_here() == NULL) {
        plait__self_keep();
        plait_task_current(); /* in a forked child: it becomes somebody first */
        plait__task_set_handlers();
        if (!__atomic_exchange_n(&has_fork_handler, 1, __ATOMIC_RELAXED) &&
            plait__os_at_fork_child(forget_group) < 0) {
            __atomic_store_n(&has_fork_handler, 0, __ATOMIC_RELAXED);
            return -ENOMEM;
        }
        /* after it, so that it comes before: the other tasks are joined when no loop needs them */
        if (!__atomic_exchange_n(&has_exit_handler, 1, __ATOMIC_RELAXED))
            atexit(end_at_exit);
        plait__inspect_begin();
    }
    return plait__loop_get(ret);
}

/* ---- with a handle ---- */

int plait__coroutine_create_at(plait_task **ret, plait_task_fn *fn, void *arg,
                               const plait_task_opts *opts, const void *site)
{
    struct plait__loop *loop = NULL;
    struct coroutine *made = NULL;
    int rc;

    rc = plait__coroutine_get_loop(&loop);
    if (rc == 0)
        rc = create(&made, loop, opts->stack_bytes);
    if (rc < 0)
        return rc;
    rc = plait__locals_inherit(&made->task.locals);
    if (rc == 0)
        rc = plait__task_init(&made->task, PLAIT_COROUTINE, opts);
    if (rc < 0) {
        plait__locals_end(&made->task.locals);
        plait__strand_unmake(&made->strand);
        free_coroutine(&made->task);
        return rc;
    }
    if (no_daemons && opts->daemon)
        __atomic_store_n(&made->task.sleeper.cancel, 1, __ATOMIC_SEQ_CST);
    made->strand.site = site;
    made->strand.number = made->task.id;
    made->task.fn = fn;
    made->task.arg = arg;
    *ret = &made->task;
    return 0;
}

void plait__coroutine_enter(plait_task *task, struct plait__group *group)
{
    struct coroutine *self = (struct coroutine *)task;

    self->group = group;
    self->home = self->strand.loop;
    self->member.sleeper = &task->sleeper;
    plait__group_add(group);
    plait__group_begin(group, &self->member);
}

static int start(plait_task *task, const plait_task_opts *opts)
{
    (void)opts;
    plait__task_ref(task); /* its own */
    plait__strand_ready(&((struct coroutine *)task)->strand);
    return 0;
}

static void give_up(plait_task *task)
{
    if (!plait__task_has_ended(task))
        plait__cancel(&task->sleeper);
}

const struct plait__task_ops plait__coroutine_ops = {
    .start = start,
    .join = plait__task_wait_ended,
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
    plait_task_fn *fn;
    void *arg;
    plait_task *parent; /* with a reference */
    const void *site;
    const struct plait__loop *home; /* the starter's */
    bool is_copied;                 /* arg is ours to free */
    struct plait__locals *locals;
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
    struct coroutine *made = NULL;

    if (create(&made, loop, 0) < 0) {
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
    plait__task_init(&made->task, PLAIT_COROUTINE, &(plait_task_opts){ 0 }); /* needs no memory */
    plait__task_unref(made->task.parent);
    made->task.parent = fresh->parent;
    made->task.locals = fresh->locals;
    made->strand.site = fresh->site;
    made->strand.number = made->task.id;
    made->task.fn = fresh->fn;
    made->task.arg = fresh->arg;
    made->copied = fresh->is_copied ? fresh->arg : NULL;
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
    *fresh = (struct fresh){
        .fresh = { .begin = begin }, .group = group, .fn = fn, .site = site, .home = loop
    };
    fresh->arg = (void *)(uintptr_t)arg;
    if (plait__locals_inherit(&fresh->locals) < 0) {
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
    fresh->parent = plait_task_current();
    plait__task_ref(fresh->parent);
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
    *fresh = (struct fresh){ .fresh = { .begin = begin_call }, .fn = fn, .arg = arg };
    fresh->parent = plait_task_current();
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
    struct coroutine *coroutine = strand->task;

    if (coroutine->task.daemon ||
        (is_ending && coroutine->group != NULL && coroutine->home == coroutine->strand.loop))
        plait__cancel(&coroutine->task.sleeper);
}

void plait__coroutines_end(bool cancel)
{
    struct plait__loop *loop = plait__loop_here();

    if (loop == NULL || coroutine_here() != NULL) /* exit in a coroutine: nobody is waited for */
        return;
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
