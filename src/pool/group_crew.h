/* Items of a map that are run by coroutines of a group: begun, and taken back when they have ended.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__POOL_GROUP_CREW_H
#define PLAIT__POOL_GROUP_CREW_H

#include "task/group_calls.h"
#include <plait/pool.h>

struct plait__crew;

struct plait__crew_item {
    struct plait__group_item item; /* first */
    struct plait__crew *crew;      /* const while it runs */
    struct plait__list node;       /* owner: in `running`; else the owner's own */
    struct plait__list ended;      /* the crew's lock */
    bool has_ended;                /* the crew's lock */
    const void *in;                /* const while it runs */
    void *out;                     /* so too */
    bool has_begun;                /* its coroutine, until it has ended */
    bool is_cancelled;             /* so too: it was asked to end, and did */
    int code;                      /* so too: what fn returned; negative: no value */
};

/* The owner is one task at a time. */
struct plait__crew {
    plait_group *group;         /* const; this and the next three set by the owner */
    plait_pool_fn *fn;          /* const */
    void *ctx;                  /* const */
    const void *site;           /* const: where it was asked for, for people */
    struct plait__list running; /* owner: not taken back, in the order of their beginnings */
    struct plait__mutex lock;
    struct plait__list ended; /* lock: of those, the ones that have ended, in that order */
    uint32_t n_ended;         /* atomic, a futex word: how many ever have */
};

void plait__crew_init(struct plait__crew *crew);
/* Begins one, in a place of the group that was taken; crew, in and out are set. Without memory it has
 * ended, with -ENOMEM. */
void plait__crew_go(struct plait__crew *crew, struct plait__crew_item *item);
/* Would a take give one? */
bool plait__crew_has_ended(struct plait__crew *crew, bool in_order);
/* One that has ended, the oldest in one of the orders: the owner's again. NULL: there is none. */
struct plait__crew_item *plait__crew_take(struct plait__crew *crew, bool in_order);
/* What to hand to wait: asked for before the last look. */
uint32_t plait__crew_seen(const struct plait__crew *crew);
/* Until one more has ended. 0, -ETIMEDOUT, -ECANCELED. */
int plait__crew_wait(struct plait__crew *crew, uint32_t seen, plait_deadline until);
/* Asks all to end that have not, and waits for them. */
void plait__crew_stop(struct plait__crew *crew);

#endif
