/* How a strand waits: the seam's park and unpark, and descriptors.
 * SPDX-License-Identifier: MIT
 */
#include "base/assert.h"
#include "family/member.h"
#include "loop/inside.h"
#include "wait/wait.h"

#include <errno.h>
#include <stdlib.h>

enum {
    FEW = 4 /* words or descriptors of one wait that need no memory */
};

static void unpark(struct plait__sleeper *sleeper)
{
    struct plait__strand *strand = sleeper->strand;
    uint32_t state = PLAIT__STRAND_RUNS;

    for (;;) {
        if (plait__strand_take(strand)) {
            if (strand->loop == plait__loop_here())
                plait__strand_ready(strand);
            else
                plait__loop_post(strand->loop, strand);
            return;
        }
        state = PLAIT__STRAND_RUNS;
        /* acq_rel: the partner is the exchange in `park`, which sees what we did before */
        if (__atomic_compare_exchange_n(&strand->state, &state, PLAIT__STRAND_WOKEN, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED) ||
            state != PLAIT__STRAND_PARKED)
            return;
    }
}

static int wait_outside(struct plait__strand *self, struct plait__outside *outsides,
                        const struct plait__futex *words, size_t n)
{
    struct plait__loop *loop = self->loop;

    for (size_t i = 0; i < n; i++) {
        outsides[i] = (struct plait__outside){ .on = words[i], .strand = self };
        plait__outside_add(&loop->outside, &outsides[i]);
    }
    plait__run_others(self);
    for (size_t i = 0; i < n; i++)
        plait__outside_remove(&loop->outside, &outsides[i]);
    return self->has_timed_out ? -ETIMEDOUT : self->is_stuck ? -EDEADLK : 0;
}

/* The same, of a thread whose sleeper others share (a job of a process pool): another process asks it
 * to end, which cannot unpark it. */
static int wait_outside_asked(struct plait__strand *self, struct plait__outside *outsides,
                              const struct plait__futex *words, size_t n)
{
    struct plait__sleeper *sleeper = self->sleeper;
    struct plait__outside cancel = { .on = { &sleeper->cancel, 0 }, .strand = self };
    int rc;

    if (self != &self->loop->root || !plait__is_shared(&sleeper->cancel))
        return wait_outside(self, outsides, words, n);
    if (sleeper->masks > 0) /* what it puts off does not wake it */
        cancel.on.expected = __atomic_load_n(&sleeper->cancel, __ATOMIC_SEQ_CST);
    plait__outside_add(&self->loop->outside, &cancel);
    rc = wait_outside(self, outsides, words, n);
    plait__outside_remove(&self->loop->outside, &cancel);
    return rc;
}

static __attribute__((noinline)) int park_until(struct plait__sleeper *sleeper,
                                                const struct plait__futex *words, size_t n,
                                                plait_deadline until)
{
    struct plait__strand *self = sleeper->strand;
    struct plait__outside on_stack[FEW], *outsides = on_stack;
    int rc;

    if (n > FEW && (outsides = malloc(n * sizeof *outsides)) == NULL)
        return -ENOMEM;
    self->has_timed_out = self->is_stuck = false;
    self->parked_ns = self->loop->looked_ns;
    if (until.ns != INT64_MAX) {
        self->timer.key = until.ns;
        PLAIT__ASSERT(plait__heap_push(&self->loop->timers, &self->timer) == 0);
    }
    /* acq_rel: the partner is unpark, which left us something before it said so */
    if (plait__rmw_replace(&self->state, PLAIT__STRAND_RUNS, PLAIT__STRAND_PARKED)) {
        rc = wait_outside_asked(self, outsides, words, n);
    } else {
        __atomic_store_n(&self->state, PLAIT__STRAND_RUNS, __ATOMIC_RELAXED); /* WOKEN: only we */
        rc = 0;
    }
    plait__heap_remove(&self->loop->timers, &self->timer);
    if (outsides != on_stack)
        free(outsides);
    return rc;
}

/* Until an unpark, and nothing else: the way of most coroutines. */
static int park_for_ever(struct plait__strand *self)
{
    self->parked_ns = self->loop->looked_ns;
    /* acq_rel: as in park_until */
    if (plait__rmw_replace(&self->state, PLAIT__STRAND_RUNS, PLAIT__STRAND_PARKED))
        plait__run_others(self);
    else
        __atomic_store_n(&self->state, PLAIT__STRAND_RUNS, __ATOMIC_RELAXED);
    return 0;
}

int plait__strand_park(struct plait__sleeper *sleeper, const struct plait__futex *words, size_t n,
                       plait_deadline until)
{
    struct plait__strand *self = sleeper->strand;

    return n == 0 && until.ns == INT64_MAX && self != &self->loop->root
               ? park_for_ever(self)
               : park_until(sleeper, words, n, until);
}

/* ---- descriptors ---- */

static int make_poller(struct plait__loop *loop, const struct plait__poller_ops *ops)
{
    struct plait__poller *made;
    int rc = ops->create(&made);

    if (rc < 0)
        return rc;
    rc = ops->enter(made);
    if (rc < 0) {
        ops->destroy(made);
        return rc;
    }
    loop->poller_ops = ops;
    loop->poller = made;
    return 0;
}

int plait__loop_get_poller(struct plait__loop *loop)
{
    const struct plait__poller_ops *ops = plait__poller_choose();
    int rc;

    if (loop->has_poller)
        return 0;
    if (loop->poller != NULL) {
        rc = loop->poller_ops->enter(loop->poller);
    } else {
        rc = make_poller(loop, ops);
        if (rc < 0 && ops != &plait__poller_epoll) /* a limit of this process */
            rc = make_poller(loop, &plait__poller_epoll);
    }
    loop->has_poller = rc == 0;
    return rc;
}

static int count_ready(const struct plait__fd *fds, size_t n)
{
    int n_ready = 0;

    for (size_t i = 0; i < n; i++)
        n_ready += fds[i].fd >= 0 && fds[i].ready != 0;
    return n_ready;
}

/* Watches them all and parks, unless one is ready at once. */
static int watch_and_park(struct plait__sleeper *sleeper, struct plait__fd_watch *watches,
                          struct plait__spots *spots, plait_deadline until)
{
    struct plait__strand *self = sleeper->strand;
    struct plait__loop *loop = self->loop;
    size_t n = 0;
    int rc = 0;

    for (; n < spots->n_fds && rc == 0; n++) {
        watches[n] = (struct plait__fd_watch){ .fd = &spots->fds[n], .strand = self };
        if (spots->fds[n].fd >= 0)
            rc = loop->poller_ops->watch(loop->poller, &watches[n]);
        if (rc < 0)
            break;
    }
    loop->n_watches += n;
    if (rc == 0)
        rc = plait__strand_park(sleeper, spots->words, spots->n_words, until);
    for (size_t i = 0; i < n; i++)
        if (spots->fds[i].fd >= 0)
            loop->poller_ops->unwatch(loop->poller, &watches[i]);
    loop->n_watches -= n;
    return rc < 0 && rc != -ETIMEDOUT ? rc : count_ready(spots->fds, spots->n_fds);
}

static int wait_any(struct plait__sleeper *sleeper, struct plait__spots *spots,
                    plait_deadline until)
{
    struct plait__fd_watch on_stack[FEW], *watches = on_stack;
    struct plait__strand *self = sleeper->strand;
    int rc = plait__os_poll(spots->fds, spots->n_fds, 0);

    if (rc != 0 || until.ns == 0)
        return rc;
    rc = plait__loop_get_poller(self->loop);
    if (rc < 0)
        return rc;
    if (spots->n_fds > FEW && (watches = malloc(spots->n_fds * sizeof *watches)) == NULL)
        return -ENOMEM;
    rc = watch_and_park(sleeper, watches, spots, until);
    if (watches != on_stack)
        free(watches);
    return rc;
}

const struct plait__park_ops plait__strand_ops = { .park = plait__strand_park,
                                                   .unpark = unpark,
                                                   .wait_any = wait_any };
