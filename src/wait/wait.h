/* The seam: the one place that knows how a task sleeps.
 * SPDX-License-Identifier: MIT
 *
 * Everything above waits by these calls and knows nothing of futex and poll. A task is represented
 * by its sleeper. A thread sleeps in the kernel; a task whose sleeper has ops (a coroutine) parks
 * instead, giving its thread to others: a scheduler plugs in by setting the sleeper of the running
 * task, and nothing else.
 *
 * Words: a task waits for a word of memory to change from a value; who changes the word wakes. A
 * wake is a hint: the woken looks again, and whoever is woken without needing it passes the wake
 * on. Parked tasks are kept in a table of this process; threads, of any process that shares the
 * word, in the kernel. A wake therefore reaches the parked tasks of its own process and the threads
 * of all.
 */
#ifndef PLAIT__WAIT_WAIT_H
#define PLAIT__WAIT_WAIT_H

#include "os/fd.h"
#include "os/futex.h"
#include "wait/sleeper.h"
#include <plait/time.h>

#include <stddef.h>
#include <stdint.h>

/* Sleep while *word == expected.
 * 0: it may have changed (look again) · -ETIMEDOUT · -ECANCELED. The value is compared first: a
 * word that has changed already is 0 also in a cancelled task and after the deadline. */
int plait__wait_word(uint32_t *word, uint32_t expected, plait_deadline until);
/* The same for a task that parks, where whoever changes the word, which is no other process, knows the
 * task and unparks it. */
int plait__wait_told(uint32_t *word, uint32_t expected, plait_deadline until);
/* Wake up to n tasks that wait for the word; UINT_MAX: all. The word must have been changed before.
 */
void plait__wake_word(uint32_t *word, unsigned n);
/* The same for a word that no other process waits for: makes no system call when no thread sleeps. */
void plait__wake_own(uint32_t *word, unsigned n);

/* How long a sleep may last where others may die: who was to wake us may have been killed before it
 * did. `round` counts the sleeps of one wait; the first ones are shorter, none is longer than 100 ms.
 */
static inline int64_t plait__slice_ns(unsigned round)
{
    static const int64_t slices_ms[] = { 1, 10, 50, 100 };

    return slices_ms[round < 3 ? round : 3] * 1000 * 1000;
}

/* Sleep until a descriptor is ready. How many are · -ETIMEDOUT · -ECANCELED · -EINTR: a signal
 * handler ran · -errno. What is ready already is told also in a cancelled task and after the
 * deadline. */
int plait__wait_fds(struct plait__fd *fds, size_t n, plait_deadline until);

/* Words and descriptors to sleep on at once, fewer than PLAIT__FUTEX_MOST words. Both arrays have
 * room for one more, which plait__wait_any uses. */
struct plait__spots {
    struct plait__futex *words;
    size_t n_words;
    struct plait__fd *fds;
    size_t n_fds;
};

/* Sleep while all words have their values and no descriptor is ready.
 * 0: look again; `ready` of the descriptors says which are · -ETIMEDOUT · -ECANCELED · -errno. What
 * has changed or is ready already is told also in a cancelled task and after the deadline. Whatever
 * it returns, wakes of any of the words may have been spent on us: the caller looks at all of them
 * again and passes on what it does not need. */
int plait__wait_any(struct plait__spots *spots, plait_deadline until);

#endif
