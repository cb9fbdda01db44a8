/* A loop: runs the coroutines of one thread.
 * SPDX-License-Identifier: MIT
 *
 * A strand is what a loop switches between: a coroutine, or the thread itself on its own stack (the
 * root). There is no stack of the scheduler's: who parks looks for the next strand that can run and
 * switches to it; when there is none, it sleeps in the kernel for all of them, on the stack that it
 * has. So the loop runs whenever its thread blocks in plait, and only then.
 *
 *     park ──► a strand is ready? ──► switch to it
 *               │ no
 *               ▼
 *              sleep until: a kick · the first timer · a descriptor · a word that others share
 *
 * A strand stays on the loop that began it. What has not begun yet is a few words (plait__fresh), and
 * may be begun by any loop: one that has nothing to do is given some by one that has.
 *
 * Order: strands run in the order in which they became ready; what is fresh has its place among them
 * by a ticket.
 */
#ifndef PLAIT__LOOP_LOOP_H
#define PLAIT__LOOP_LOOP_H

#include "base/heap.h"
#include "base/list.h"
#include "loop/stacks.h"
#include "os/context.h"
#include "os/fd.h"
#include "wait/sleeper.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plait__loop;
struct plait__poller;

enum plait__strand_state {
    PLAIT__STRAND_RUNS,   /* it runs, or is ready to */
    PLAIT__STRAND_WOKEN,  /* it runs, and was unparked: its next park returns at once */
    PLAIT__STRAND_PARKED, /* whoever makes it run again does so by this word */
    PLAIT__STRAND_ENDED,
};

/* What the layers above keep for each strand, and for each thread elsewhere. */
enum plait__strand_slot_of {
    PLAIT__SLOT_RUNNING, /* pool/running.c */
    PLAIT__SLOT_WORKER,  /* pool/thread_worker.c */
    PLAIT__SLOT_WAITS,   /* pool/bell.c */
    PLAIT__STRAND_SLOTS
};

struct plait__strand {
    struct plait__context context;
    struct plait__stack stack;      /* const; of the root: nothing */
    struct plait__strand *next;     /* in the run queue or in the inbox: whoever made it ready */
    uint64_t ticket;                /* loop: its place in the run queue */
    struct plait__loop *loop;       /* const */
    struct plait__sleeper *sleeper; /* loop: the current one whenever it runs */
    struct plait_task *task;        /* const: for the layers above; NULL: the root */
    struct plait__list node;        /* loop: among all of the loop */
    struct plait__heap_node timer;  /* loop: when its wait ends */
    void (*fn)(struct plait__strand *strand);     /* const */
    void (*on_end)(struct plait__strand *strand); /* const: its stack is not in use any more */
    /* const: that may take long from now on; not called if it comes at once, with the joiner */
    void (*on_leave)(struct plait__strand *strand);

    /* what is above is in order when one has ended; from here on its next life begins with zeroes */
    uint32_t state;               /* first; atomic: enum plait__strand_state */
    bool has_timed_out;           /* loop: its timer made it ready */
    bool is_stuck;                /* loop: nobody is left who could have made it ready */
    bool is_calling;              /* loop: it waits for the one it has called, not parked yet */
    bool is_called;               /* loop: by its joiner */
    struct plait__strand *joiner; /* loop: one of the same, made ready by our end; NULL: none */
    const void *site;             /* const, for people: where it was asked for; NULL: not known */
    int64_t parked_ns;            /* loop, for people: about when */
    uint32_t number;              /* const, for people; of the root 0 */
    void *slots[PLAIT__STRAND_SLOTS]; /* the strand's own: by plait__strand_slot */
};

/* What was asked for and has not begun. */
struct plait__fresh {
    struct plait__fresh *next;
    uint64_t ticket;
    bool was_shared; /* it may be another loop's */
    /* Makes the strand, by plait__strand_make; frees *fresh. NULL: there is no stack for it just
     * now, *fresh stays. `last`: and nothing runs that would give one back, so never NULL because of
     * that: it has to be given up, also by freeing *fresh. */
    struct plait__strand *(*begin)(struct plait__loop *loop, struct plait__fresh *fresh, bool last);
};

/* What the watchdog remembers of a loop (look.h). */
struct plait__look_stall {
    uint32_t n_switches;
    bool is_told;
    int64_t since_ns; /* 0: it was not looked at yet */
};

/* That, made at the first call. 0, -ENOMEM. */
int plait__loop_get(struct plait__loop **ret);
/* Ends the loop of this thread, if there is one. pre: no strand is left but the root; it has left
 * those that share (balance.h). */
void plait__loop_end(void);
/* The thread ends and leaves strands in the loop, which never go on: it is nobody's any more. pre: it
 * has left those that share. */
void plait__loop_abandon(void);
/* In a forked child: the running strand becomes the thread itself, all others are forgotten. */
void plait__loop_forget(void);

/* Only for the next function. */
extern _Thread_local struct plait__strand *plait__strand_of_thread
    __attribute__((tls_model("initial-exec")));

/* The strand that runs in this thread; NULL: it has no loop. A strand never changes its thread, so
 * the variable's address may be kept over a switch. */
static inline struct plait__strand *plait__strand_here(void)
{
    return plait__strand_of_thread;
}

/* Where the running coroutine keeps that; no coroutine: `of_thread`, a variable of the thread. */
static inline void **plait__strand_slot(enum plait__strand_slot_of which, void **of_thread)
{
    struct plait__strand *strand = plait__strand_here();

    return strand != NULL && strand->task != NULL ? &strand->slots[which] : of_thread;
}

/* The loop of this thread; NULL: it has none. */
static inline struct plait__loop *plait__loop_here(void)
{
    return plait__strand_of_thread != NULL ? plait__strand_of_thread->loop : NULL;
}

/* A strand on that stack up to `top`, to run fn, and then to end. Ready to be run next. The other
 * fields are set already, all others zero. `again`: one was made there with the same arguments, has
 * ended, and left its context and its stack. 0, -ENOMEM. */
int plait__strand_make(struct plait__loop *loop, struct plait__strand *strand, void *top,
                       bool again);
/* Takes one back that has not become ready. */
void plait__strand_unmake(struct plait__strand *strand);
/* Make ready what has just been made, or unparked, on this thread. */
void plait__strand_ready(struct plait__strand *strand);
/* Let all others that are ready run first. */
void plait__strand_yield(void);
/* Wait until no other is ready; in a thread without a loop that is so. 0, -ETIMEDOUT, -ECANCELED. */
int plait__strand_idle(plait_deadline until);
/* The running strand is the joiner of that one, and lends it its turn if it is the next to run anyway:
 * parks, as by the seam's park, but at no cost unless the other one comes to wait. -EAGAIN: it is not.
 */
int plait__strand_call(struct plait__strand *strand);
/* Hand a coroutine's stack back, from any thread; not while it is in use. */
void plait__strand_free_stack(struct plait__strand *strand);

/* The free stacks that are this loop's own. */
struct plait__stacks *plait__loop_stacks(struct plait__loop *loop);
/* Calls fn for each strand but the root. */
void plait__loop_each(struct plait__loop *loop, void (*fn)(struct plait__strand *strand));
/* Runs them until none is left. Only the root may. */
void plait__loop_drain(struct plait__loop *loop);
/* The same until a deadline; a little even when there is no time. 0: none is left · -ETIMEDOUT,
 * -ECANCELED. Only the root may. */
int plait__loop_run(struct plait__loop *loop, plait_deadline until);
/* A descriptor that is readable when the loop has something to do, while the root runs. 0 or -errno.
 */
int plait__loop_fd(struct plait__loop *loop, int *ret);
/* Which use of the loop this is, by its thread. */
uint64_t plait__loop_number(const struct plait__loop *loop);
/* To be begun by that loop, if it is still the same use of it; from any thread. 0, -ESRCH. */
int plait__loop_call(struct plait__loop *loop, uint64_t number, struct plait__fresh *fresh);
/* From now on nobody can. */
void plait__loop_close_door(struct plait__loop *loop);
void plait__loop_add_fresh(struct plait__loop *loop, struct plait__fresh *fresh);
/* How many strands the loop has begun that have not ended, but the root; and what is fresh. */
size_t plait__loop_count(const struct plait__loop *loop);

#endif
