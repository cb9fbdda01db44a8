/* The seam: waiting on several words and descriptors at once.
 * SPDX-License-Identifier: MIT
 *
 * The kernel has one call that sleeps on words and another that sleeps on descriptors, and none for
 * both. A thread that needs both sleeps on the descriptors, while a helper thread sleeps on the words
 * and raises an eventfd when it wakes. The helper is started for this one sleep, and is gone when it
 * is over: the program that forks afterwards has no thread more than before.
 *
 * Without futex_waitv, or when no helper can be started, a thread sleeps in short slices. A parked
 * task enters each word in the table.
 */
#include "base/time.h"
#include "family/member.h"
#include "os/clock.h"
#include "os/probe.h"
#include "os/thread.h"
#include "wait/table.h"
#include "wait/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SLICE_NS = 5 * 1000 * 1000, /* how late a wake may be seen in the fall-back */
    WAITERS_ON_STACK = 16,
};

static bool has_changed(const struct plait__spots *spots)
{
    for (size_t i = 0; i < spots->n_words; i++)
        if (__atomic_load_n(spots->words[i].word, __ATOMIC_SEQ_CST) != spots->words[i].expected)
            return true;
    return false;
}

static int sleep_on_fds(struct plait__spots *spots, plait_deadline until)
{
    int rc = plait__wait_fds(spots->fds, spots->n_fds, until);

    return rc > 0 || rc == -EINTR ? 0 : rc;
}

/* ---- a thread ---- */

static int sleep_counted(const struct plait__futex *words, size_t n, int64_t until_ns)
{
    int rc;

    for (size_t i = 0; i < n; i++)
        plait__table_sleeps(words[i].word);
    rc = plait__os_futex_wait_any(words, n, until_ns);
    for (size_t i = 0; i < n; i++)
        plait__table_slept(words[i].word);
    return rc;
}

static int sleep_on_words(struct plait__sleeper *sleeper, struct plait__spots *spots,
                          plait_deadline until)
{
    size_t n = spots->n_words;
    plait_deadline soon;
    int rc;

    if (!plait__sleeps_deeply(sleeper))
        spots->words[n++] = (struct plait__futex){ &sleeper->cancel, 0 };
    soon = plait__sleep_begins(sleeper, NULL, until);
    rc = sleep_counted(spots->words, n, soon.ns);
    plait__sleep_ends(sleeper, NULL);
    if (rc == -EAGAIN || has_changed(spots))
        return 0;
    if ((rc == 0 || rc == -ETIMEDOUT) && plait__must_end(sleeper))
        return -ECANCELED;
    return rc == -ETIMEDOUT && soon.ns < until.ns ? 0 : rc;
}

static int sleep_in_slices(struct plait__spots *spots, plait_deadline until)
{
    for (;;) {
        plait_deadline slice = plait__deadline_after(plait__os_now_ns(), SLICE_NS);
        bool is_last = until.ns <= slice.ns;
        plait_deadline soon = is_last ? until : slice;
        int rc = spots->n_fds > 0
                     ? sleep_on_fds(spots, soon)
                     : plait__wait_word(spots->words[0].word, spots->words[0].expected, soon);
        if (has_changed(spots))
            return 0;
        if (rc != -ETIMEDOUT || is_last)
            return rc;
    }
}

struct helper {
    const struct plait__futex *words; /* the last one is `stop` */
    size_t n;
    uint32_t stop; /* atomic, a futex word: 1: the sleep is over */
    int bell;      /* an eventfd: the helper has woken */
    int rc;        /* the helper, until it is joined */
};

static void watch_words(void *arg)
{
    struct helper *helper = arg;

    plait__os_thread_set_name("plait-select");
    helper->rc = sleep_counted(helper->words, helper->n, INT64_MAX);
    plait__os_eventfd_raise(helper->bell);
}

static int sleep_helped(struct plait__spots *spots, struct helper *helper, plait_deadline until)
{
    struct plait__thread_entry entry = { .fn = watch_words, .arg = helper };
    uintptr_t thread;
    int rc;

    if (plait__os_thread_start(&thread, &entry, 0) < 0)
        return sleep_in_slices(spots, until);
    spots->n_fds++;
    rc = sleep_on_fds(spots, until);
    spots->n_fds--;
    __atomic_store_n(&helper->stop, 1, __ATOMIC_SEQ_CST);
    plait__os_futex_wake(&helper->stop, 1);
    plait__os_thread_join(thread);
    if (rc == 0 && helper->rc < 0 && helper->rc != -EAGAIN)
        rc = helper->rc;
    return rc < 0 && has_changed(spots) ? 0 : rc;
}

static int sleep_on_both(struct plait__spots *spots, plait_deadline until)
{
    struct helper helper = { .words = spots->words, .n = spots->n_words + 1 };
    int rc;

    helper.bell = plait__os_eventfd();
    if (helper.bell < 0)
        return sleep_in_slices(spots, until);
    spots->words[spots->n_words] = (struct plait__futex){ &helper.stop, 0 };
    spots->fds[spots->n_fds] = (struct plait__fd){ .fd = helper.bell, .wanted = PLAIT__FD_READ };
    rc = sleep_helped(spots, &helper, until);
    close(helper.bell);
    return rc;
}

/* ---- a parked task ---- */

static bool was_woken(const struct plait__waiter *waiters, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (plait__table_was_woken(&waiters[i]))
            return true;
    return false;
}

static int park_once(struct plait__sleeper *sleeper, struct plait__spots *spots,
                     struct plait__spots *shared, plait_deadline until)
{
    plait_deadline soon = plait__sleep_begins(sleeper, NULL, until);
    int rc = spots->n_fds == 0 ? sleeper->ops->park(sleeper, shared->words, shared->n_words, soon)
                               : sleeper->ops->wait_any(sleeper, shared, soon);

    plait__sleep_ends(sleeper, NULL);
    if (rc == 0 && plait_left_ns(until) == 0)
        return -ETIMEDOUT;
    return rc == -ETIMEDOUT && soon.ns != until.ns ? 0 : rc;
}

static int park(struct plait__sleeper *sleeper, struct plait__waiter *waiters,
                struct plait__spots *spots, struct plait__spots *shared, plait_deadline until)
{
    int rc = 0;

    while (rc == 0 && !was_woken(waiters, spots->n_words) && !has_changed(spots)) {
        if (plait__must_end(sleeper))
            return -ECANCELED;
        rc = park_once(sleeper, spots, shared, until);
        if (rc > 0 || rc == -EINTR)
            return 0;
    }
    return rc;
}

static int wait_parked(struct plait__sleeper *sleeper, struct plait__spots *spots,
                       plait_deadline until)
{
    struct plait__waiter on_stack[WAITERS_ON_STACK], *waiters = on_stack;
    struct plait__futex shared_on_stack[WAITERS_ON_STACK];
    struct plait__spots shared = { shared_on_stack, 0, spots->fds, spots->n_fds };
    size_t n = 0;
    bool woken = false;
    int rc = 0;

    if (spots->n_words > WAITERS_ON_STACK) {
        waiters = malloc(spots->n_words * (sizeof *waiters + sizeof *shared.words));
        if (waiters == NULL)
            return -ENOMEM;
        shared.words = (struct plait__futex *)(void *)(waiters + spots->n_words);
    }
    while (n < spots->n_words &&
           plait__table_add(&waiters[n], spots->words[n].word, spots->words[n].expected, sleeper)) {
        if (plait__is_shared(spots->words[n].word))
            shared.words[shared.n_words++] = spots->words[n];
        n++;
    }
    if (n == spots->n_words)
        rc = park(sleeper, waiters, spots, &shared, until);
    for (size_t i = 0; i < n; i++) /* who is woken at the last moment is woken */
        woken = plait__table_remove(&waiters[i]) || woken;
    if (waiters != on_stack)
        free(waiters);
    return woken ? 0 : rc;
}

/* ---- all ---- */

/* There is no time to sleep. */
static int look_at_fds(struct plait__sleeper *sleeper, struct plait__spots *spots)
{
    if (spots->n_fds > 0)
        return sleep_on_fds(spots, PLAIT_NOWAIT);
    return plait__must_end(sleeper) ? -ECANCELED : -ETIMEDOUT;
}

int plait__wait_any(struct plait__spots *spots, plait_deadline until)
{
    struct plait__sleeper *sleeper = plait__sleeper_current();
    uint32_t never_changes = 0;

    until = plait__in_scope(sleeper, until);
    for (size_t i = 0; i < spots->n_fds; i++)
        spots->fds[i].ready = 0;
    if (has_changed(spots))
        return 0;
    if (plait__must_end(sleeper) || plait_left_ns(until) == 0)
        return look_at_fds(sleeper, spots);
    if (spots->n_fds == 0 && spots->n_words == 0)
        return plait__wait_word(&never_changes, 0, until);
    if (spots->n_fds == 0 && spots->n_words == 1)
        return plait__wait_word(spots->words[0].word, spots->words[0].expected, until);
    if (spots->n_words == 0)
        return sleep_on_fds(spots, until);
    if (sleeper != NULL && sleeper->ops != NULL)
        return wait_parked(sleeper, spots, until);
    if (!plait__probe_has(PLAIT__PROBE_FUTEX_WAITV))
        return sleep_in_slices(spots, until);
    return spots->n_fds == 0 ? sleep_on_words(sleeper, spots, until) : sleep_on_both(spots, until);
}
