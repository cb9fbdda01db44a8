/* Barriers.
 * SPDX-License-Identifier: MIT
 *
 * A lock, a condition and some counts. A round ends when all have arrived and the action was run,
 * or when it is broken; how it ended is kept for 64 rounds, for those who are slow to wake.
 *
 * Deaths are noticed twice. Who is killed inside the lock leaves it broken: the next one that takes
 * it breaks the barrier. Who is killed outside, asleep or in the action, is found by its process's
 * name among the arrived, which the sleepers look through, one of them every 50 ms.
 */
#include <plait/barrier.h>

#include "base/time.h"
#include "family/member.h"
#include "os/clock.h"
#include "wait/sleeper.h"
#include <plait/error.h>

#include <errno.h>
#include <stddef.h>

enum {
    MEMBERS = sizeof((plait_barrier *)NULL)->members / sizeof(uint32_t),
    ROUNDS_KEPT = 64,
    LOOK_MS = 50 /* how often the sleepers look for the dead */
};

/* Fields that others may read without the lock. */
static void set(uint32_t *field, uint32_t to)
{
    __atomic_store_n(field, to, __ATOMIC_RELAXED);
}

/* pre: lock. All who wait go on. */
static void end_round(plait_barrier *barrier, bool failed)
{
    uint64_t bit = UINT64_C(1) << barrier->round % ROUNDS_KEPT;

    /* in this order: whoever is killed in between leaves a round that is ended once more */
    barrier->failures = failed ? barrier->failures | bit : barrier->failures & ~bit;
    for (int i = 0; i < MEMBERS; i++)
        barrier->members[i] = 0;
    set(&barrier->arrived, 0);
    barrier->round++;
    plait_condition_notify_all(&barrier->changed);
}

/* pre: lock. */
static void break_it(plait_barrier *barrier)
{
    if (barrier->is_broken)
        return;
    set(&barrier->is_broken, 1);
    end_round(barrier, true);
}

/* pre: lock, just taken from a holder that was killed: what it was about, we do not know. */
static void repair(plait_barrier *barrier)
{
    set(&barrier->is_broken, 1);
    end_round(barrier, true);
    plait_lock_repaired(&barrier->lock);
}

/* Not cut short: it is held for a few instructions only. */
static int enter(plait_barrier *barrier)
{
    int rc;

    if (barrier == NULL || barrier->parties == 0)
        return -EINVAL;
    plait__mask_cancel();
    rc = plait_lock_acquire(&barrier->lock, PLAIT_FOREVER);
    if (rc == -EOWNERDEAD) {
        rc = plait_lock_recover(&barrier->lock, PLAIT_FOREVER);
        if (rc == 0)
            repair(barrier);
    }
    plait__unmask_cancel();
    return rc;
}

static int leave(plait_barrier *barrier, int rc)
{
    plait_lock_release(&barrier->lock);
    return rc;
}

/* pre: lock. False: too many processes. */
static bool add_member(plait_barrier *barrier)
{
    uint32_t self = plait__member_self();

    for (int i = 0; i < MEMBERS; i++) {
        if (barrier->members[i] == 0)
            barrier->members[i] = self;
        if (barrier->members[i] == self)
            return true;
    }
    return false;
}

/* Looks for the dead, unless another sleeper has just done so. pre: lock. */
static void break_if_dead(plait_barrier *barrier)
{
    int64_t now = plait__os_now_ns();

    if (now - barrier->looked_ns < PLAIT__SECOND_NS / 1000 * (LOOK_MS - 10))
        return;
    barrier->looked_ns = now;
    for (int i = 0; i < MEMBERS && barrier->members[i] != 0; i++) {
        if (plait__holder_is_dead(barrier, barrier->members[i])) {
            break_it(barrier);
            return;
        }
    }
}

/* pre: the round has ended. How? Whoever slept through 64 others is not told that it went well. */
static bool has_failed(const plait_barrier *barrier, uint32_t round)
{
    return barrier->round - round > ROUNDS_KEPT ||
           (barrier->failures >> round % ROUNDS_KEPT & 1) != 0;
}

/* One sleep. pre, post: lock. 0: look again · -ETIMEDOUT · -ECANCELED. */
static int nap(plait_barrier *barrier, plait_deadline until)
{
    plait_deadline soon = plait_after_ms(LOOK_MS);
    bool is_last;
    int rc;

    until = plait__until_here(until);
    is_last = until.ns <= soon.ns || !plait__is_shared(barrier);
    rc = plait_condition_wait(&barrier->changed, &barrier->lock, is_last ? until : soon);
    if (rc == -EOWNERDEAD) { /* we do not hold the lock */
        rc = enter(barrier);
        return rc < 0 ? rc : 0;
    }
    if (rc == -ETIMEDOUT) {
        break_if_dead(barrier);
        return is_last ? rc : 0;
    }
    return rc;
}

/* pre, post: lock. 0: the round ended well. */
static int wait_for_end(plait_barrier *barrier, uint32_t round, plait_deadline until)
{
    int rc = 0;

    while (barrier->round == round) {
        if (rc < 0) {
            break_it(barrier);
            return rc;
        }
        rc = nap(barrier, until);
    }
    return has_failed(barrier, round) ? PLAIT_EBROKEN : 0;
}

/* The last one has arrived. pre, post: lock. */
static int act(plait_barrier *barrier, plait_barrier_fn *action, void *arg)
{
    uint32_t round = barrier->round;
    int rc = 0, entered = 0;

    if (action != NULL) {
        plait_lock_release(&barrier->lock); /* the others' deadlines go on meanwhile */
        rc = action(arg);
        entered = enter(barrier);
    }
    if (entered < 0)
        return entered;
    if (barrier->round != round)
        return rc < 0 ? rc : PLAIT_EBROKEN; /* somebody could not wait for it */
    if (rc < 0)
        break_it(barrier);
    else
        end_round(barrier, false);
    return rc < 0 ? rc : 0;
}

/* pre, post: lock. The index, or why not. */
static int arrive(plait_barrier *barrier, plait_barrier_fn *action, void *arg, plait_deadline until)
{
    uint32_t index, round;
    int rc = 0;

    /* all of this round are here already, and the action runs: we are for the next one */
    while (rc == 0 && !barrier->is_broken && barrier->arrived == barrier->parties)
        rc = nap(barrier, until);
    if (rc < 0)
        return rc;
    if (barrier->is_broken)
        return PLAIT_EBROKEN;
    if (!add_member(barrier))
        return -EUSERS;
    index = barrier->arrived;
    round = barrier->round;
    set(&barrier->arrived, index + 1);
    if (barrier->arrived == barrier->parties)
        rc = act(barrier, action, arg);
    else
        rc = wait_for_end(barrier, round, until);
    return rc < 0 ? rc : (int)index;
}

int plait_barrier_init(plait_barrier *barrier, uint32_t parties)
{
    if (barrier == NULL || parties == 0 || parties > INT32_MAX)
        return -EINVAL;
    *barrier = (plait_barrier){ .parties = parties };
    return 0;
}

int plait_barrier_wait_action(plait_barrier *barrier, plait_barrier_fn *action, void *arg,
                              plait_deadline until)
{
    int rc = enter(barrier);

    return rc < 0 ? rc : leave(barrier, arrive(barrier, action, arg, until));
}

int plait_barrier_wait(plait_barrier *barrier, plait_deadline until)
{
    return plait_barrier_wait_action(barrier, NULL, NULL, until);
}

int plait_barrier_abort(plait_barrier *barrier)
{
    int rc = enter(barrier);

    if (rc < 0)
        return rc;
    break_it(barrier);
    return leave(barrier, 0);
}

int plait_barrier_reset(plait_barrier *barrier)
{
    int rc = enter(barrier);

    if (rc < 0)
        return rc;
    if (barrier->arrived > 0)
        end_round(barrier, true);
    set(&barrier->is_broken, 0);
    return leave(barrier, 0);
}

bool plait_barrier_is_broken(const plait_barrier *barrier)
{
    return barrier != NULL && __atomic_load_n(&barrier->is_broken, __ATOMIC_RELAXED) != 0;
}

uint32_t plait_barrier_waiting(const plait_barrier *barrier)
{
    return barrier == NULL ? 0 : __atomic_load_n(&barrier->arrived, __ATOMIC_RELAXED);
}
