/* Waiting until one of several waitables is ready.
 * SPDX-License-Identifier: MIT
 *
 * Who sleeps on a word may have been woken in the place of another. So after each sleep, whatever
 * ended it, every waitable is looked at, and announces us again, before the select ends; then its
 * leave sees whether something is left for others, and wakes one. Whether we use what we found is
 * not known here: others are told of it too.
 */
#include "wait/waitable.h"
#include "base/time.h"
#include "os/clock.h"
#include "os/cpu.h"
#include "os/thread.h"
#include "wait/wait.h"

#include <errno.h>
#include <stdlib.h>

enum {
    ON_STACK = 16,
    SPINS = 400,           /* looks before the first sleep */
    SOON_NS = 1000 * 1000, /* until the next look at what wakes nobody */
};

struct selection {
    const plait_waitable *on;
    size_t n;
    size_t max; /* so many are asked for */
    struct plait__watch *watches;
    struct plait__spots spots;
    bool in_slices, soon; /* what the last round said */
};

struct room {
    struct plait__watch watches[ON_STACK];
    struct plait__futex words[ON_STACK + 1];
    struct plait__fd fds[ON_STACK + 1];
};

static const struct plait__waitable_ops *ops_of(const struct selection *selection, size_t i)
{
    return selection->on[i].ops;
}

/* ---- looking ---- */

static int look(struct selection *selection, size_t i, struct plait__how how)
{
    struct plait__watch *watch = &selection->watches[i];
    int rc;

    watch->word = NULL;
    watch->fd = -1;
    watch->in_slices = watch->soon = false;
    rc = ops_of(selection, i)->look(&selection->on[i], watch, how);
    watch->is_ready = rc > 0;
    watch->has_looked |= how.glance || how.will_sleep;
    return rc;
}

/* What the watch is to be woken by. */
static void add_spots(struct selection *selection, const struct plait__watch *watch)
{
    struct plait__spots *spots = &selection->spots;

    if (watch->word != NULL)
        spots->words[spots->n_words++] = (struct plait__futex){ watch->word, watch->expected };
    if (watch->fd >= 0)
        spots->fds[spots->n_fds++] = (struct plait__fd){ .fd = watch->fd, .wanted = watch->wanted };
    selection->in_slices |= watch->in_slices;
    selection->soon |= watch->soon;
}

/* How many are ready, or what one said. With will_sleep each is looked at, else only until there are
 * enough. */
static ssize_t look_at_all(struct selection *selection, struct plait__how how)
{
    size_t n_ready = 0;
    int error = 0;

    selection->spots.n_words = selection->spots.n_fds = 0;
    selection->in_slices = selection->soon = false;
    for (size_t i = 0; i < selection->n; i++) {
        int rc;
        if (ops_of(selection, i) == NULL)
            continue;
        rc = look(selection, i, how);
        n_ready += rc > 0;
        error = rc < 0 && error == 0 ? rc : error;
        if (!how.will_sleep && (error < 0 || n_ready == selection->max))
            break;
        add_spots(selection, &selection->watches[i]);
    }
    return error < 0 ? error : (ssize_t)n_ready;
}

/* What the descriptors are ready for. */
static void take_over(struct selection *selection)
{
    const struct plait__fd *next = selection->spots.fds, *end = next + selection->spots.n_fds;

    for (size_t i = 0; i < selection->n && next < end; i++)
        if (selection->watches[i].fd >= 0)
            selection->watches[i].ready_fd = next++->ready;
}

/* Asks for the time only where it matters. */
static bool has_time(plait_deadline until)
{
    return until.ns == INT64_MAX || (until.ns > 0 && plait_left_ns(until) > 0);
}

/* Without sleeping, or waiting for anything. How many are ready; 0: none is, and there is time. */
static ssize_t look_first(struct selection *selection, plait_deadline until)
{
    bool may_wait = has_time(until);
    struct plait__how how = { .thorough = !may_wait };
    ssize_t n_ready = look_at_all(selection, how);
    int rc;

    if (n_ready < 0 || (n_ready > 0 && selection->spots.n_fds == 0))
        return n_ready;
    selection->spots.n_words = 0;
    rc = plait__wait_any(&selection->spots, PLAIT_NOWAIT);
    if (rc == 0) { /* some of the descriptors are */
        take_over(selection);
        n_ready = look_at_all(selection, how);
        rc = -ETIMEDOUT;
    }
    if (n_ready != 0)
        return n_ready;
    return rc == -ETIMEDOUT && may_wait ? 0 : rc;
}

static bool is_quick(const struct selection *selection, size_t i)
{
    return ops_of(selection, i) != NULL && ops_of(selection, i)->is_quick;
}

/* Most waits are shorter than a sleep: glances for a moment at what needs no system call. */
static bool spin(struct selection *selection)
{
    static const struct plait__how how = { .glance = true };
    size_t first = 0, i;

    while (first < selection->n && !is_quick(selection, first))
        first++;
    i = first;
    for (unsigned spins = 0; first < selection->n && spins < SPINS; spins++) {
        plait__os_cpu_relax();
        if (is_quick(selection, i) && look(selection, i, how) != 0)
            return true;
        i = i + 1 < selection->n ? i + 1 : first;
    }
    return false;
}

/* ---- sleeping ---- */

static int sleep_once(struct selection *selection, plait_deadline until, plait_deadline thorough_at)
{
    int rc;

    if (selection->in_slices)
        until = plait__deadline_earlier(until, thorough_at);
    if (selection->soon)
        until = plait__deadline_earlier(until, plait__deadline_after(plait__os_now_ns(), SOON_NS));
    rc = plait__wait_any(&selection->spots, until);
    take_over(selection);
    return rc;
}

/* One is ready. But what is told is the first one, or all: a descriptor may be so since. */
static void look_at_fds(struct selection *selection)
{
    selection->spots.n_words = 0;
    if (plait__wait_any(&selection->spots, PLAIT_NOWAIT) < 0)
        return;
    take_over(selection);
    for (size_t i = 0; i < selection->n; i++)
        if (selection->watches[i].fd >= 0 && !selection->watches[i].is_ready)
            look(selection, i, (struct plait__how){ 0 });
}

static ssize_t sleep_until_ready(struct selection *selection, plait_deadline until)
{
    struct plait__how how = { .will_sleep = true };
    plait_deadline thorough_at = plait__deadline_after(plait__os_now_ns(), plait__slice_ns(0));
    unsigned n_slices = 0;
    int over = 0;

    for (;;) {
        ssize_t rc = look_at_all(selection, how);
        if (rc > 0 && selection->spots.n_fds > 0)
            look_at_fds(selection);
        if (rc != 0 || over < 0)
            return rc != 0 ? rc : over;
        over = sleep_once(selection, until, thorough_at);
        if (over == 0 || over == -ETIMEDOUT) /* a word in a segment may change for ever */
            over = plait_left_ns(until) > 0 ? 0 : -ETIMEDOUT;
        how.thorough = over < 0 || plait_left_ns(thorough_at) == 0;
        if (how.thorough) {
            thorough_at = plait__deadline_after(plait__os_now_ns(), plait__slice_ns(++n_slices));
        }
    }
}

static void leave_all(struct selection *selection)
{
    for (size_t i = 0; i < selection->n; i++)
        if (selection->watches[i].has_looked && ops_of(selection, i)->leave != NULL)
            ops_of(selection, i)->leave(&selection->on[i], &selection->watches[i]);
}

/* ---- all ---- */

static ssize_t wait_until_ready(struct selection *selection, plait_deadline until)
{
    ssize_t rc = look_first(selection, until);

    if (rc == 0 && plait__may_spin() && spin(selection))
        rc = look_first(selection, until);
    if (rc == 0)
        rc = sleep_until_ready(selection, until);
    leave_all(selection);
    return rc;
}

/* A helper uses our stack, and the queues count us. The thread of a parked task is not ours to hold. */
static ssize_t wait_held(struct selection *selection, plait_deadline until)
{
    const struct plait__sleeper *sleeper = plait__sleeper_current();
    ssize_t rc;
    int held;

    if (sleeper != NULL && sleeper->ops != NULL)
        return wait_until_ready(selection, until);
    held = plait__os_thread_hold();
    rc = wait_until_ready(selection, until);
    plait__os_thread_release(held);
    return rc;
}

/* Room for more than the stack has; *ret_heap is to be freed. */
static int make_room(struct selection *selection, void **ret_heap)
{
    size_t n = selection->n;
    char *heap = malloc(n * sizeof(struct plait__watch) + (n + 1) * sizeof(struct plait__futex) +
                        (n + 1) * sizeof(struct plait__fd));

    if (heap == NULL)
        return -ENOMEM;
    *ret_heap = heap;
    selection->watches = (void *)heap;
    selection->spots.words = (void *)(selection->watches + n);
    selection->spots.fds = (void *)(selection->spots.words + n + 1);
    return 0;
}

ssize_t plait__waitables_wait(const plait_waitable *on, size_t n, size_t *ret, size_t max,
                              plait_deadline until)
{
    struct room room;
    struct selection selection = { .on = on, .n = n, .max = max };
    void *heap = NULL;
    size_t n_found = 0;
    ssize_t rc = 0;

    until = plait__until_here(until);
    if (n <= ON_STACK) {
        selection.watches = room.watches;
        selection.spots = (struct plait__spots){ .words = room.words, .fds = room.fds };
    } else {
        rc = make_room(&selection, &heap);
    }
    for (size_t i = 0; rc == 0 && i < n; i++)
        selection.watches[i] = (struct plait__watch){ .fd = -1 };
    if (rc == 0)
        rc = wait_held(&selection, until);
    for (size_t i = 0; rc > 0 && i < n && n_found < max; i++)
        if (selection.watches[i].is_ready)
            ret[n_found++] = i;
    free(heap);
    return rc > 0 ? (ssize_t)n_found : rc;
}
