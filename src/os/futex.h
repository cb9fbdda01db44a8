/* Sleeping on a word of memory.
 * SPDX-License-Identifier: MIT
 *
 * All futexes are non-private: a word need not know whether another process shares it.
 */
#ifndef PLAIT__OS_FUTEX_H
#define PLAIT__OS_FUTEX_H

#include <stdint.h>

/* Sleeps while *word == expected, until woken or until_ns (monotonic; INT64_MAX: for ever).
 * 0: woken, perhaps for nothing, or a signal came · -EAGAIN: the word had another value ·
 * -ETIMEDOUT. */
int plait__os_futex_wait(const uint32_t *word, uint32_t expected, int64_t until_ns);

/* The same on two words at once. pre: the probe futex_waitv.
 * -EAGAIN: one of them had another value. A wake of `word` may be swallowed when both are woken at
 * the same time. */
int plait__os_futex_wait2(const uint32_t *word, uint32_t expected, const uint32_t *word2,
                          uint32_t expected2, int64_t until_ns);

/* Wakes up to n sleepers of any process that shares the word; how many it woke. Async-signal-safe.
 */
int plait__os_futex_wake(const uint32_t *word, unsigned n);

#endif
