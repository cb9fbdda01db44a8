/* The inside of a loop, for the files of it.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__LOOP_INSIDE_H
#define PLAIT__LOOP_INSIDE_H

#include "loop/loop.h"
#include "loop/outside.h"
#include "loop/poller.h"

/* How the loop sleeps: what a kick has to do. */
enum {
    PLAIT__LOOP_AWAKE,
    PLAIT__LOOP_ON_WORD, /* on `sleeping` itself */
    PLAIT__LOOP_ON_POLLER,
};

struct plait__loop {
    struct plait__strand *first, *last; /* ready */
    struct plait__fresh *first_fresh, *last_fresh;
    size_t n_fresh;
    uint64_t tickets;    /* how many were made ready */
    unsigned since_look; /* switches */
    bool is_balanced;    /* it shares what is fresh with others, by balance.h */
    bool is_hungry;      /* atomic, the shelf's lock to set it; relaxed look by the loop */
    struct plait__loop *next_hungry; /* the shelf's lock */
    bool is_draining;                /* the root waits until no strand is left */
    bool lacks_stacks;               /* nothing fresh can begin until a strand ends */
    struct plait__strand *ended;     /* left its stack; whoever runs next frees it */
    struct plait__list strands;
    size_t n_strands;
    struct plait__heap timers; /* has room for all strands */
    struct plait__outside_table outside;
    struct plait__stacks stacks;
    const struct plait__poller_ops *poller_ops;
    struct plait__poller *poller; /* NULL: no descriptor was waited for yet */
    bool has_poller;              /* this thread has entered it */
    size_t n_watches;
    struct plait__strand *inbox;       /* atomic: any thread pushes, the loop takes all */
    uint32_t sleeping;                 /* atomic, a futex word */
    struct plait__sleeper own_sleeper; /* of a thread that is no task */
    struct plait__strand root;
    struct plait__loop *next; /* idle lock */
};

/* How a strand waits (park.c). */
extern const struct plait__park_ops plait__strand_ops;
int plait__strand_park(struct plait__sleeper *sleeper, const struct plait__futex *words, size_t n,
                       plait_deadline until);

/* Makes the back-end ready for this thread, if it is not. 0 or -errno. */
int plait__loop_get_poller(struct plait__loop *loop);

/* Runs the others that are ready, and sleeps when none is, until `self` is ready. */
void plait__run_others(struct plait__strand *self);
/* After each switch: what is the running strand's, and what the last one left behind. */
void plait__strand_arrive(struct plait__strand *strand);
/* Ends its sleep, from any thread. */
void plait__loop_kick(struct plait__loop *loop);
/* One more that is fresh, from here or elsewhere. */
void plait__loop_push_fresh(struct plait__loop *loop, struct plait__fresh *fresh);
/* Another thread makes it ready that has taken it out of PARKED. */
void plait__loop_post(struct plait__loop *loop, struct plait__strand *strand);

/* Is it parked, and ours to make ready from now on? acq_rel: who woke it before may have left it something */
static inline bool plait__strand_take(struct plait__strand *strand)
{
    uint32_t state = PLAIT__STRAND_PARKED;

    return __atomic_compare_exchange_n(&strand->state, &state, PLAIT__STRAND_RUNS, false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

#endif
