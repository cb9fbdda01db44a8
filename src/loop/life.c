/* The lives of strands and of loops.
 * SPDX-License-Identifier: MIT
 */
#include "base/assert.h"
#include "loop/balance.h"
#include "loop/inside.h"
#include "loop/trace.h"
#include "os/thread.h"
#include "wait/mutex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Those that no thread has. */
static struct plait__mutex idle_lock;
static struct plait__loop *idle; /* idle lock */
/* Of a forked child: what its parent had. Not freed, for a fork may find it in the middle of a
 * change; kept for a leak checker to find. */
static struct plait__loop *left_behind[2];

/* ---- strands ---- */

static struct plait__context *enter(void *arg)
{
    struct plait__strand *strand = arg;

    plait__strand_arrive(strand);
    strand->fn(strand);
    return plait__strand_leave(strand);
}

int plait__strand_make(struct plait__loop *loop, struct plait__strand *strand, void *top,
                       bool again)
{
    void *low = strand->stack.low;
    size_t bytes = (size_t)((char *)top - (char *)low);
    int rc = plait__heap_reserve(&loop->timers, loop->n_strands + 2);

    if (rc < 0)
        return rc;
    strand->loop = loop;
    strand->sleeper->ops = &plait__strand_ops;
    strand->sleeper->strand = strand;
    if (again)
        plait__context_again(&strand->context, low, bytes, enter, strand);
    else
        plait__context_make(&strand->context, low, bytes, enter, strand);
    plait__list_push_back(&loop->strands, &strand->node);
    loop->n_strands++;
    return 0;
}

void plait__strand_unmake(struct plait__strand *strand)
{
    plait__list_remove(&strand->node);
    strand->loop->n_strands--;
}

void plait__strand_free_stack(struct plait__strand *strand)
{
    struct plait__stack stack = strand->stack; /* the strand lies on it */
    struct plait__loop *loop = plait__loop_here();

    plait__stack_put(loop != NULL ? &loop->stacks : NULL, &stack);
}

/* ---- loops ---- */

struct plait__stacks *plait__loop_stacks(struct plait__loop *loop)
{
    return &loop->stacks;
}

static struct plait__loop *find_idle(void)
{
    struct plait__loop *loop;

    plait__mutex_lock(&idle_lock);
    loop = idle;
    if (loop != NULL)
        idle = loop->next;
    plait__mutex_unlock(&idle_lock);
    return loop;
}

/* The thread itself is a strand of its loop from now on: whenever it waits, the loop runs. */
static void add_root(struct plait__loop *loop)
{
    struct plait__sleeper *sleeper = plait__sleeper_current();
    uint32_t number = plait__task_number();

    memset(&loop->root, 0, sizeof loop->root);
    if (sleeper == NULL) {
        sleeper = &loop->own_sleeper;
        *sleeper = (struct plait__sleeper){ 0 };
    }
    loop->root.loop = loop;
    loop->root.sleeper = sleeper;
    plait__context_of_thread(&loop->root.context);
    sleeper->number = number; /* it stays who it is */
    sleeper->strand = &loop->root;
    /* seq_cst: the partner is plait__cancel, which sees it, or is seen by the next wait */
    __atomic_store_n(&sleeper->ops, &plait__strand_ops, __ATOMIC_SEQ_CST);
    plait__sleeper_set_current(sleeper);
    plait__strand_of_thread = &loop->root;
}

int plait__loop_get(struct plait__loop **ret)
{
    static int has_handler; /* atomic, relaxed: twice is harmless */
    struct plait__loop *loop = plait__loop_here();

    if (loop == NULL) {
        if (!__atomic_exchange_n(&has_handler, 1, __ATOMIC_RELAXED) &&
            plait__os_at_fork_child(plait__loop_forget) < 0) {
            __atomic_store_n(&has_handler, 0, __ATOMIC_RELAXED);
            return -ENOMEM;
        }
        loop = find_idle();
        if (loop == NULL)
            loop = calloc(1, sizeof *loop);
        if (loop == NULL)
            return -ENOMEM;
        plait__list_init(&loop->strands);
        plait__list_init(&loop->idlers);
        if (plait__heap_reserve(&loop->timers, 1) < 0) {
            free(loop);
            return -ENOMEM;
        }
        add_root(loop);
        plait__trace_get_ready(loop); /* without memory there is none */
        plait__look_enlist(loop);
        plait__loop_open_door(loop);
    }
    *ret = loop;
    return 0;
}

void plait__loop_end(void)
{
    struct plait__loop *loop = plait__loop_here();
    struct plait__sleeper *sleeper;

    if (loop == NULL)
        return;
    PLAIT__ASSERT(plait__strand_of_thread == &loop->root && loop->n_strands == 0 &&
                  loop->n_fresh == 0 && !loop->is_balanced);
    plait__look_delist(loop);
    plait__loop_close_door(loop);
    plait__host_close(loop);
    sleeper = loop->root.sleeper;
    __atomic_store_n(&sleeper->ops, NULL, __ATOMIC_SEQ_CST);
    plait__sleeper_set_current(sleeper == &loop->own_sleeper ? NULL : sleeper);
    if (loop->has_poller)
        loop->poller_ops->leave(loop->poller);
    loop->has_poller = false;
    plait__stacks_fini(&loop->stacks);
    plait__context_fini(&loop->root.context);
    plait__strand_of_thread = NULL;
    plait__mutex_lock(&idle_lock);
    loop->next = idle;
    idle = loop;
    plait__mutex_unlock(&idle_lock);
}

/* What is left may be woken at any time: the loop stays as it is, with its poller. */
void plait__loop_abandon(void)
{
    struct plait__loop *loop = plait__loop_here();

    /* relaxed: whoever knows that the thread has ended sees it; others may be too early anyhow */
    list_for_each (node, &loop->strands) {
        struct plait__strand *strand = plait__list_entry(node, struct plait__strand, node);
        if (strand->sleeper != NULL)
            __atomic_store_n(&strand->sleeper->is_left, true, __ATOMIC_RELAXED);
    }
    plait__look_delist(loop);
    plait__loop_close_door(loop);
    plait__host_close(loop);
}

void plait__loop_forget(void)
{
    struct plait__sleeper *sleeper = plait__sleeper_current();
    struct plait__loop *loop = plait__loop_here();

    if (loop != NULL && loop->has_poller)
        loop->poller_ops->forget(loop->poller);
    left_behind[0] = loop;
    left_behind[1] = idle;
    if (loop != NULL)
        plait__host_forget(loop);
    plait__loop_forget_doors();
    idle_lock = (struct plait__mutex){ 0 };
    idle = NULL; /* their pollers are shared with the parent */
    plait__stacks_reset();
    plait__look_forget();
    plait__balance_reset();
    plait__strand_of_thread = NULL;
    if (sleeper != NULL && sleeper->ops == &plait__strand_ops)
        plait__sleeper_set_current(NULL);
}

void plait__loop_push_fresh(struct plait__loop *loop, struct plait__fresh *fresh)
{
    if (loop->is_armed)
        plait__host_rouse(loop);
    fresh->next = NULL;
    fresh->ticket = loop->tickets++;
    if (loop->first_fresh == NULL)
        loop->first_fresh = fresh;
    else
        loop->last_fresh->next = fresh;
    loop->last_fresh = fresh;
    loop->n_fresh++;
}

void plait__loop_add_fresh(struct plait__loop *loop, struct plait__fresh *fresh)
{
    plait__loop_push_fresh(loop, fresh);
    if (loop->is_balanced)
        plait__balance_give(loop);
}

void plait__loop_each(struct plait__loop *loop, void (*fn)(struct plait__strand *strand))
{
    list_for_each (node, &loop->strands)
        fn(plait__list_entry(node, struct plait__strand, node));
}

void plait__loop_drain(struct plait__loop *loop)
{
    loop->is_draining = true;
    while (plait__loop_count(loop) > 0)
        plait__strand_park(loop->root.sleeper, NULL, 0, PLAIT_FOREVER);
    loop->is_draining = false;
}

size_t plait__loop_count(const struct plait__loop *loop)
{
    /* relaxed: a call that comes a moment later is one that came too late */
    bool has_calls = __atomic_load_n(&loop->calls, __ATOMIC_RELAXED) != NULL;

    return loop->n_strands + loop->n_fresh + (has_calls ? 1 : 0);
}
