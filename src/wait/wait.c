/* The seam: waiting on words and descriptors.
 * SPDX-License-Identifier: MIT
 */
#include "wait/wait.h"
#include "base/time.h"
#include "family/member.h"
#include "os/clock.h"
#include "os/futex.h"
#include "os/probe.h"
#include "wait/table.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* How late a cancel may come without futex_waitv. */
enum {
    CANCEL_SLICE_NS = 20 * 1000 * 1000
};

enum {
    FDS_ON_STACK = 32
};

static bool has_passed(plait_deadline until)
{
    if (until.ns == INT64_MAX || until.ns <= 0) /* what needs no look at the clock */
        return until.ns <= 0;
    return plait__deadline_left(plait__os_now_ns(), until) == 0;
}

/* A thread that can be cancelled sleeps once; returns for whatever reason, which the caller finds
 * out. */
static int sleep_cancellable(struct plait__sleeper *sleeper, uint32_t *word, uint32_t expected,
                             plait_deadline until)
{
    int64_t slice;

    if (plait__probe_has(PLAIT__PROBE_FUTEX_WAITV))
        return plait__os_futex_wait2(word, expected, &sleeper->cancel, 0, until.ns);
    slice = plait__deadline_after(plait__os_now_ns(), CANCEL_SLICE_NS).ns;
    if (slice >= until.ns)
        return plait__os_futex_wait(word, expected, until.ns);
    int rc = plait__os_futex_wait(word, expected, slice);
    return rc == -ETIMEDOUT ? -EINTR : rc;
}

static int wait_word_thread(struct plait__sleeper *sleeper, uint32_t *word, uint32_t expected,
                            plait_deadline until)
{
    for (;;) {
        plait_deadline soon = plait__sleep_begins(sleeper, word, until);
        int rc;
        plait__table_sleeps(word);
        rc = plait__sleeps_deeply(sleeper) ? plait__os_futex_wait(word, expected, soon.ns)
                                           : sleep_cancellable(sleeper, word, expected, soon);
        plait__table_slept(word);
        plait__sleep_ends(sleeper, word);
        if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != expected)
            return 0;
        if (plait__must_end(sleeper)) {
            /* the kernel may have spent a wake of the word on us: pass it on */
            plait__wake_word(word, 1);
            return -ECANCELED;
        }
        if (rc == 0 || rc == -EAGAIN)
            return 0;
        if (rc == -ETIMEDOUT && soon.ns == until.ns)
            return -ETIMEDOUT;
        if (rc != -EINTR && rc != -ETIMEDOUT)
            return rc;
    }
}

/* waiter: NULL: whoever changes the word unparks the task by itself. */
static int park_while(struct plait__sleeper *sleeper, const struct plait__futex *on,
                      size_t n_shared, const struct plait__waiter *waiter, plait_deadline until)
{
    int rc = 0;

    sleeper->word = on->word;
    while (rc == 0 && !(waiter != NULL && plait__table_was_woken(waiter)) &&
           __atomic_load_n(on->word, __ATOMIC_SEQ_CST) == on->expected) {
        plait_deadline soon = plait__sleep_begins(sleeper, on->word, until);
        if (plait__must_end(sleeper))
            rc = -ECANCELED;
        else
            rc = sleeper->ops->park(sleeper, on, n_shared, soon);
        plait__sleep_ends(sleeper, on->word);
        if (rc == -ETIMEDOUT && soon.ns != until.ns)
            rc = 0;
    }
    sleeper->word = NULL;
    return rc;
}

static int wait_word_parked(struct plait__sleeper *sleeper, uint32_t *word, uint32_t expected,
                            plait_deadline until)
{
    struct plait__futex on = { word, expected };
    size_t n_shared = plait__is_shared(word) ? 1 : 0;
    struct plait__waiter waiter;
    int rc;

    if (!plait__table_add(&waiter, word, expected, sleeper))
        return 0;
    rc = park_while(sleeper, &on, n_shared, &waiter, until);
    if (plait__table_remove(&waiter))
        return 0;               /* woken at the last moment is woken: the wake must not be lost */
    if (rc < 0 && n_shared > 0) /* the kernel may have spent another process's wake on our loop */
        plait__os_futex_wake(word, 1);
    return rc;
}

int plait__wait_word(uint32_t *word, uint32_t expected, plait_deadline until)
{
    struct plait__sleeper *sleeper = plait__sleeper_current();

    if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != expected)
        return 0;
    if (plait__must_end(sleeper))
        return -ECANCELED;
    until = plait__in_scope(sleeper, until);
    if (has_passed(until))
        return -ETIMEDOUT;
    if (sleeper != NULL && sleeper->ops != NULL)
        return wait_word_parked(sleeper, word, expected, until);
    return wait_word_thread(sleeper, word, expected, until);
}

int plait__wait_told(uint32_t *word, uint32_t expected, plait_deadline until)
{
    struct plait__sleeper *sleeper = plait__sleeper_current();
    struct plait__futex on = { word, expected };
    int rc;

    if (plait__must_end(sleeper))
        return -ECANCELED;
    until = plait__in_scope(sleeper, until);
    if (has_passed(until))
        return -ETIMEDOUT;
    rc = park_while(sleeper, &on, 0, NULL, until);
    return __atomic_load_n(word, __ATOMIC_SEQ_CST) != expected ? 0 : rc;
}

void plait__wake_word(uint32_t *word, unsigned n)
{
    bool has_threads;
    unsigned woken = plait__table_wake(word, n, &has_threads);

    if (woken < n)
        plait__os_futex_wake(word, n == UINT_MAX ? UINT_MAX : n - woken);
}

void plait__wake_own(uint32_t *word, unsigned n)
{
    bool has_threads;
    unsigned woken = plait__table_wake(word, n, &has_threads);

    if (woken < n && has_threads)
        plait__os_futex_wake(word, n == UINT_MAX ? UINT_MAX : n - woken);
}

/* Polls the descriptors with the task's eventfd behind them. */
static int poll_cancellable(struct plait__sleeper *sleeper, struct plait__fd *fds, size_t n,
                            plait_deadline until)
{
    struct plait__fd on_stack[FDS_ON_STACK];
    struct plait__fd *all = on_stack;
    int rc = plait__sleeper_wake_fd(sleeper);

    if (rc < 0)
        return rc;
    if (n >= FDS_ON_STACK && (all = malloc((n + 1) * sizeof *all)) == NULL)
        return -ENOMEM;
    memcpy(all, fds, n * sizeof *all);
    all[n] = (struct plait__fd){ .fd = rc, .wanted = PLAIT__FD_READ };
    if (plait__is_cancelled(sleeper)) /* after wake_fd was published: a later cancel raises it */
        until = PLAIT_NOWAIT;
    rc = plait__os_poll(all, n + 1, until.ns);
    if (rc > 0 && all[n].ready != 0)
        rc--;
    memcpy(fds, all, n * sizeof *all);
    if (all != on_stack)
        free(all);
    return rc;
}

static int wait_fds_once(struct plait__sleeper *sleeper, struct plait__fd *fds, size_t n,
                         plait_deadline until)
{
    if (plait__sleeps_deeply(sleeper))
        return plait__os_poll(fds, n, until.ns);
    if (sleeper->ops != NULL) {
        struct plait__spots spots = { .fds = fds, .n_fds = n };
        return sleeper->ops->wait_any(sleeper, &spots,
                                      plait__must_end(sleeper) ? PLAIT_NOWAIT : until);
    }
    return poll_cancellable(sleeper, fds, n, until);
}

int plait__wait_fds(struct plait__fd *fds, size_t n, plait_deadline until)
{
    struct plait__sleeper *sleeper = plait__sleeper_current();

    until = plait__in_scope(sleeper, until);
    for (;;) {
        plait_deadline soon = plait__sleep_begins(sleeper, NULL, until);
        int rc = wait_fds_once(sleeper, fds, n, soon);
        plait__sleep_ends(sleeper, NULL);
        if (rc != 0)
            return rc;
        if (plait__must_end(sleeper))
            return -ECANCELED;
        if (has_passed(until)) /* else woken for nothing */
            return -ETIMEDOUT;
    }
}
