/* The inside of a loop, for the files of it.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__LOOP_INSIDE_H
#define PLAIT__LOOP_INSIDE_H

#include "loop/loop.h"
#include "loop/outside.h"
#include "loop/poller.h"
#include "os/rmw.h"
#include "wait/mutex.h"

/* How the loop sleeps: what a kick has to do. */
enum {
    PLAIT__LOOP_AWAKE,
    PLAIT__LOOP_ON_WORD, /* on `sleeping` itself */
    PLAIT__LOOP_ON_POLLER,
    PLAIT__LOOP_ON_HOST, /* the host's code runs */
};

struct plait__loop {
    struct plait__strand *first, *last; /* ready */
    struct plait__fresh *first_fresh, *last_fresh;
    size_t n_fresh;
    uint64_t tickets;       /* how many were made ready */
    uint64_t stuck_tickets; /* of the state of which it was asked whether it is one for ever */
    uint32_t n_switches;    /* atomic, relaxed: the loop counts, who looks on reads */
    int64_t looked_ns;      /* when it last looked outside */
    unsigned since_look;    /* switches */
    unsigned look_every;    /* switches: fewer where they take long */
    bool is_balanced;       /* it shares what is fresh with others, by balance.h */
    bool is_hungry;         /* atomic, the shelf's lock to set it; relaxed look by the loop */
    struct plait__loop *next_hungry; /* the shelf's lock */
    bool is_draining;                /* the root waits until no strand is left */
    bool lacks_stacks; /* nothing fresh can begin until a strand ends; tried again now and then */
    bool is_leaving;   /* the running strand has ended, and still has its stack */
    struct plait__strand *ended; /* left its stack; whoever runs next frees it */
    struct plait__list strands;
    size_t n_strands;
    struct plait__heap timers; /* has room for all strands */
    struct plait__list idlers; /* idle.c: who waits until nothing is ready */
    struct plait__outside_table outside;
    struct plait__stacks stacks;
    const struct plait__poller_ops *poller_ops;
    struct plait__poller *poller; /* NULL: no descriptor was waited for yet */
    bool has_poller;              /* this thread has entered it */
    size_t n_watches;
    /* host.c: */
    bool has_host_bell; /* ever since, as who kicks may be late */
    int host_bell;      /* an eventfd: a kick raises it while the loop is armed */
    bool is_hosted;     /* the next three are there */
    bool is_armed;      /* the root runs, and host_fd tells */
    int host_fd, timer_fd;
    int64_t timer_ns;   /* what the timer is set to */
    uint32_t n_drained; /* how often the root was told that no strand is left */
    uint64_t number;    /* door: of this use of the loop; 0: it takes no calls */
    struct plait__mutex door;
    struct plait__fresh *last_call;    /* door */
    struct plait__fresh *calls;        /* atomic; changed with the door's lock */
    struct plait__strand *inbox;       /* atomic: any thread pushes, the loop takes all */
    uint32_t sleeping;                 /* atomic, a futex word */
    struct plait__sleeper own_sleeper; /* of a thread that is no task */
    struct plait__strand root;
    struct plait__loop *next;       /* idle lock */
    struct plait__look *look;       /* atomic: what somebody wants to be done between two strands */
    uint32_t thread;                /* atomic: the kernel's id of its thread; 0: it has none */
    struct plait__loop *earlier;    /* const, once it is listed: the one that was made before it */
    bool is_listed;                 /* its thread */
    struct plait__trace *trace;     /* NULL: nobody wants one */
    struct plait__look_stall stall; /* the watchdog */
};

/* How a strand waits (park.c). */
extern const struct plait__park_ops plait__strand_ops;
int plait__strand_park(struct plait__sleeper *sleeper, const struct plait__futex *words, size_t n,
                       plait_deadline until);

/* Runs fn(loop, arg) in the loop's thread, between two strands (look.c). */
struct plait__look {
    void (*fn)(struct plait__loop *loop, void *arg);
    void *arg;
    uint32_t *done; /* atomic, a futex word: becomes 1 afterwards; NULL: nobody waits */
};

/* Says that the loop is this thread's, and may be looked at, or is not any more. */
void plait__look_enlist(struct plait__loop *loop);
void plait__look_delist(struct plait__loop *loop);
/* In a forked child. */
void plait__look_forget(void);
/* Does what is wanted, if anything is. */
void plait__look_serve(struct plait__loop *loop);
/* Nothing is ready, and it would sleep now. Lets an idler go, unless a look at the descriptors finds
 * something else. False: there is no idler. */
bool plait__idle_begin(struct plait__loop *loop);
/* Lets the first one go. False: there is none. */
bool plait__idle_wake(struct plait__loop *loop);
/* Is anything there to be run but the running strand and idlers? */
bool plait__loop_has_ready(const struct plait__loop *loop);
/* Looks outside, without sleeping. */
void plait__loop_look_outside(struct plait__loop *loop);
/* The root goes on, in a loop that is hosted; it waits in plait again; and something is ready while
 * it runs. */
void plait__host_arm(struct plait__loop *loop);
void plait__host_disarm(struct plait__loop *loop);
void plait__host_rouse(struct plait__loop *loop);
void plait__host_close(struct plait__loop *loop);
void plait__host_forget(struct plait__loop *loop); /* in a forked child */
/* From now on others may call; and in a forked child those of the parent never. */
void plait__loop_open_door(struct plait__loop *loop);
void plait__loop_forget_doors(void);
void plait__loop_begin_calls(struct plait__loop *loop);

/* Has another thread left something? Who is about to sleep has said so before. */
static inline bool plait__loop_has_post(const struct plait__loop *loop)
{
    return __atomic_load_n(&loop->inbox, __ATOMIC_SEQ_CST) != NULL ||
           (!loop->lacks_stacks && __atomic_load_n(&loop->calls, __ATOMIC_SEQ_CST) != NULL);
}

/* Makes the back-end ready for this thread, if it is not. 0 or -errno. */
int plait__loop_get_poller(struct plait__loop *loop);

/* Runs the others that are ready, and sleeps when none is, until `self` is ready. */
void plait__run_others(struct plait__strand *self);
/* Only for the next function: the last one has ended. */
void plait__strand_bury(struct plait__loop *loop);

/* After each switch: what is the running strand's, and what the last one left behind. */
static inline void plait__strand_arrive(struct plait__strand *strand)
{
    plait__sleeper_set_current(strand->sleeper);
    if (strand->loop->ended != NULL)
        plait__strand_bury(strand->loop);
}

/* The last act of a strand: where to go on. */
struct plait__context *plait__strand_leave(struct plait__strand *strand);
/* If the root waits for that and nothing is left, it is ready: one has ended, or never will begin. */
void plait__loop_tell_drained(struct plait__loop *loop);
/* Ends its sleep, from any thread. */
void plait__loop_kick(struct plait__loop *loop);
/* One more that is fresh, from here or elsewhere. */
void plait__loop_push_fresh(struct plait__loop *loop, struct plait__fresh *fresh);
/* Another thread makes it ready that has taken it out of PARKED. */
void plait__loop_post(struct plait__loop *loop, struct plait__strand *strand);

/* Is it parked, and ours to make ready from now on? acq_rel: who woke it before may have left it something */
static inline bool plait__strand_take(struct plait__strand *strand)
{
    return plait__rmw_replace(&strand->state, PLAIT__STRAND_PARKED, PLAIT__STRAND_RUNS);
}

#endif
