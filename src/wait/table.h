/* The parked tasks of this process, by the word that they wait for; and how many threads sleep.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__WAIT_TABLE_H
#define PLAIT__WAIT_TABLE_H

#include "base/list.h"
#include "wait/sleeper.h"

/* One wait of one parked task; lives on the waiting task's stack. */
struct plait__waiter {
    struct plait__list node;        /* bucket lock */
    const uint32_t *word;           /* const after add */
    struct plait__sleeper *sleeper; /* const after add */
    bool woken;                     /* atomic, set with the bucket lock: it was taken out */
};

/* Enters the waiter if *word == expected still; false: it has changed, nothing was entered. */
bool plait__table_add(struct plait__waiter *waiter, uint32_t *word, uint32_t expected,
                      struct plait__sleeper *sleeper);
/* Takes the waiter out if it is still in; was it woken before? */
bool plait__table_remove(struct plait__waiter *waiter);
/* Has a waker taken it out? */
bool plait__table_was_woken(const struct plait__waiter *waiter);
/* Wakes up to n tasks parked on the word, first come first; how many it woke. Does perhaps a thread
 * of this process sleep on it, too? */
unsigned plait__table_wake(const uint32_t *word, unsigned n, bool *ret_has_threads);

/* Around each sleep of a thread on the word: before the kernel compares it. */
void plait__table_sleeps(const uint32_t *word);
void plait__table_slept(const uint32_t *word);

/* In a forked child: whoever was parked, or held a bucket's lock, is not in this process. */
void plait__table_reset(void);

#endif
