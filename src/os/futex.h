/* Sleeping on a word of memory.
 * SPDX-License-Identifier: MIT
 *
 * All futexes are non-private: a word need not know whether another process shares it.
 */
#ifndef PLAIT__OS_FUTEX_H
#define PLAIT__OS_FUTEX_H

#include <stddef.h>
#include <stdint.h>

/* Sleeps while *word == expected, until woken or until_ns (monotonic; INT64_MAX: for ever).
 * 0: woken, perhaps for nothing · -EINTR: a signal came, and no wake was spent on us · -EAGAIN: the
 * word had another value · -ETIMEDOUT. */
int plait__os_futex_wait(const uint32_t *word, uint32_t expected, int64_t until_ns);

/* The same on two words at once. pre: the probe futex_waitv.
 * -EAGAIN: one of them had another value. A wake of `word` may be swallowed when both are woken at
 * the same time. */
int plait__os_futex_wait2(const uint32_t *word, uint32_t expected, const uint32_t *word2,
                          uint32_t expected2, int64_t until_ns);

/* A word and the value at which one sleeps on it. */
struct plait__futex {
    uint32_t *word;
    uint32_t expected;
};

/* The same on many words at once, at most PLAIT__FUTEX_MOST. pre: the probe futex_waitv.
 * 0, also when a signal came · -EAGAIN: one of them had another value · -ETIMEDOUT · -ENOMEM. A wake
 * of any of them may be swallowed. */
int plait__os_futex_wait_any(const struct plait__futex *words, size_t n, int64_t until_ns);

enum {
    PLAIT__FUTEX_MOST = 128
};

/* Wakes up to n sleepers of any process that shares the word; how many it woke. Async-signal-safe.
 */
int plait__os_futex_wake(const uint32_t *word, unsigned n);

#endif
