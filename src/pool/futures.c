/* Sets of futures: wait for any or all, and in the order in which they become ready.
 * SPDX-License-Identifier: MIT
 *
 * The futures may be of several pools, of any kind: everything that ends rings the same bell.
 */
#include "pool/pool.h"

#include <plait/future.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

static int check_set(plait_future *const *futures, size_t n)
{
    if ((futures == NULL && n > 0) || n > SSIZE_MAX)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        int rc = plait__future_check(futures[i]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- wait ---- */

struct wait {
    plait_future *const *futures;
    size_t n;
    size_t first; /* all before it are ready, and none of them is what we wait for */
    plait_wait_for what;
    bool has_awaited; /* all of them are marked */
};

static bool is_it(const struct wait *wait, const plait_future *future)
{
    return wait->what == PLAIT_WAIT_ANY ||
           (wait->what == PLAIT_WAIT_FIRST_ERROR && future->result.end != PLAIT_JOB_VALUE);
}

static bool is_satisfied(struct wait *wait)
{
    bool is_prefix = true;

    for (size_t i = wait->first; i < wait->n; i++) {
        bool is_ready = plait__future_has_ended(wait->futures[i]);
        if (is_ready && is_it(wait, wait->futures[i]))
            return true;
        is_prefix = is_prefix && is_ready;
        wait->first += is_prefix;
        if (!is_prefix && wait->what == PLAIT_WAIT_ALL)
            return false;
    }
    return wait->first == wait->n;
}

/* The pools of those that are not ready; neighbours mostly have the same. */
static void pump_all(const struct wait *wait, bool eager)
{
    const plait_pool *last = NULL;

    for (size_t i = wait->first; i < wait->n; i++) {
        plait_pool *pool = wait->futures[i]->job.pool;
        if (pool == last || plait__future_has_ended(wait->futures[i]))
            continue;
        last = pool;
        plait__pool_pump(pool, eager);
    }
}

/* Once is enough, for those that were open at that time. */
static void await_all(struct wait *wait)
{
    for (size_t i = wait->first; i < wait->n && !wait->has_awaited; i++)
        plait__future_watch(wait->futures[i]);
    wait->has_awaited = true;
}

static bool help_one(void *arg)
{
    const struct wait *wait = arg;

    for (size_t i = wait->first; i < wait->n; i++)
        if (!plait__future_has_ended(wait->futures[i]) && plait__future_help(wait->futures[i]))
            return true;
    return false;
}

static enum plait__ends_look look(void *arg, bool will_sleep)
{
    struct wait *wait = arg;

    if (will_sleep)
        await_all(wait);
    if (is_satisfied(wait))
        return PLAIT__ENDS_DONE;
    pump_all(wait, will_sleep);
    return is_satisfied(wait) ? PLAIT__ENDS_DONE : PLAIT__ENDS_NOTHING;
}

ssize_t plait_futures_wait(plait_future *const *futures, size_t n, plait_wait_for what,
                           plait_deadline until)
{
    struct wait wait = { futures, n, 0, what, false };
    ssize_t ready = 0;
    int rc = check_set(futures, n);

    if (rc == 0 && (what < PLAIT_WAIT_ALL || what > PLAIT_WAIT_FIRST_ERROR))
        rc = -EINVAL;
    if (rc == 0)
        rc = plait__ends_help(look, help_one, &wait, until);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++)
        ready += plait__future_has_ended(futures[i]);
    return ready;
}

/* ---- as completed ---- */

/* One future of the set. */
struct entry {
    struct plait__hook hook; /* in the future's hooks; its lock */
    struct plait__list node; /* in the ready ones; the set's lock */
    plait_completed *set;
    plait_future *future; /* a reference */
};

struct plait_completed {
    struct plait__mutex lock;
    struct plait__list ready; /* lock */
    struct wait wait;         /* for what is not ready; owner task */
    size_t n_told;            /* owner task */
    plait_future **futures;
    struct entry entries[];
};

static void on_ready(struct plait__hook *hook)
{
    struct entry *entry = plait__list_entry(hook, struct entry, hook);

    plait__mutex_lock(&entry->set->lock);
    plait__list_push_back(&entry->set->ready, &entry->node);
    plait__mutex_unlock(&entry->set->lock);
    plait__ends_pass_on();
}

static void fill_entry(plait_completed *set, size_t i, plait_future *future)
{
    struct entry *entry = &set->entries[i];

    *entry = (struct entry){ .hook.fn = on_ready, .set = set, .future = plait_future_ref(future) };
    set->futures[i] = future;
    plait__list_init(&entry->hook.node);
    plait__mutex_lock(&future->lock);
    if (!plait__future_watch(future))
        on_ready(&entry->hook);
    else
        plait__list_push_back(&future->hooks, &entry->hook.node);
    plait__mutex_unlock(&future->lock);
}

int plait_completed_create(plait_completed **ret, plait_future *const *futures, size_t n)
{
    const size_t each = sizeof(struct entry) + sizeof(plait_future *);
    plait_completed *set;
    int rc = ret == NULL ? -EINVAL : check_set(futures, n);

    if (rc < 0)
        return rc;
    if (n > (SIZE_MAX - sizeof *set) / each || (set = calloc(1, sizeof *set + n * each)) == NULL)
        return -ENOMEM;
    set->futures = (plait_future **)(void *)&set->entries[n];
    plait__list_init(&set->ready);
    for (size_t i = 0; i < n; i++)
        fill_entry(set, i, futures[i]);
    set->wait = (struct wait){ set->futures, n, 0, PLAIT_WAIT_ALL, false };
    *ret = set;
    return 0;
}

static bool has_ready(plait_completed *set)
{
    bool has;

    plait__mutex_lock(&set->lock);
    has = !plait__list_is_empty(&set->ready);
    plait__mutex_unlock(&set->lock);
    return has;
}

static enum plait__ends_look look_for_next(void *arg, bool will_sleep)
{
    plait_completed *set = arg;

    if (has_ready(set))
        return PLAIT__ENDS_DONE;
    is_satisfied(&set->wait); /* those at the beginning need not be looked at again */
    pump_all(&set->wait, will_sleep);
    return has_ready(set) ? PLAIT__ENDS_DONE : PLAIT__ENDS_NOTHING;
}

static bool help_next(void *arg)
{
    plait_completed *set = arg;

    return help_one(&set->wait);
}

int plait_completed_next(plait_completed *completed, size_t *ret, plait_deadline until)
{
    struct plait__list *node;
    int rc;

    if (completed == NULL || ret == NULL)
        return -EINVAL;
    if (completed->n_told == completed->wait.n)
        return 0;
    rc = check_set(completed->futures, 1);
    if (rc == 0)
        rc = plait__ends_help(look_for_next, help_next, completed, until);
    if (rc < 0)
        return rc;
    plait__mutex_lock(&completed->lock);
    node = plait__list_pop_front(&completed->ready);
    plait__mutex_unlock(&completed->lock);
    completed->n_told++;
    *ret = (size_t)(plait__list_entry(node, struct entry, node) - completed->entries);
    return 1;
}

void plait_completed_destroy(plait_completed *completed)
{
    if (completed == NULL)
        return;
    for (size_t i = 0; i < completed->wait.n; i++) {
        struct entry *entry = &completed->entries[i];
        if (plait__future_check(entry->future) == 0) { /* not in a child */
            plait__mutex_lock(&entry->future->lock);
            plait__list_remove(&entry->hook.node);
            plait__mutex_unlock(&entry->future->lock);
        }
        plait_future_unref(entry->future);
    }
    free(completed);
}
