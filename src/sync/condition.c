/* Conditions.
 * SPDX-License-Identifier: MIT
 *
 * `state` is two counts in one word: the waiters, and the grants, which is how many of them may go
 * on. `sequence` is what they sleep on; it grows by the grants of each notify.
 *
 *     wait      reads the sequence, counts itself in, lets go of the lock; goes on when there is a
 *               grant and the sequence has moved, and then takes a waiter and a grant off
 *     notify    adds up to n grants, never more than there are waiters; then moves the sequence;
 *               then wakes as many
 *
 * So a notify that nobody waits for leaves nothing, no waiter goes on by an older notify, and a
 * time-out that meets a notify becomes one. What a SIGKILL leaves behind:
 *
 *     a waiter     is counted for ever. A later notify may leave a grant to it, by which another
 *                  waiter will go on for nothing one day. None is kept from the living: the grant is
 *                  for whoever takes it, and each sleep in shared memory ends within 100 ms.
 *     a notifier   before the sequence moved: that notify did not happen, or waits for the next
 *                  one, which moves the sequence also if all waiters have their grants. After it
 *                  moved: the sleepers see it when their slice ends.
 *
 * A grant does not say whose it is: as many go on as were notified, but which ones is not said. Of
 * two notifies, the second may let two waiters go on that came after the first, if they look before
 * the one whom the first has woken; that one waits on then.
 */
#include <plait/condition.h>

#include "family/member.h"
#include "sync/debug.h"
#include "sync/lock.h"
#include "sync/nap.h"
#include "wait/wait.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define ONE_WAITER (UINT64_C(1) << 32)
#define ONE_GRANT  UINT64_C(1)

static uint32_t waiters_of(uint64_t state)
{
    return (uint32_t)(state >> 32);
}

static uint32_t grants_of(uint64_t state)
{
    return (uint32_t)state;
}

static bool change(plait_condition *condition, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(&condition->state, &from, to, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

/* Counts us in. What the sequence was. */
static uint32_t enter(plait_condition *condition)
{
    /* read before we are counted: a notify that counts us moves it after this */
    uint32_t begin = __atomic_load_n(&condition->sequence, __ATOMIC_SEQ_CST);

    __atomic_fetch_add(&condition->state, ONE_WAITER, __ATOMIC_SEQ_CST);
    return begin;
}

/* May a waiter go on? `has_moved`: the sequence, since its wait began. */
static bool is_due(uint64_t state, bool has_moved)
{
    uint32_t grants = grants_of(state);

    return grants > 0 && (has_moved || grants == waiters_of(state));
}

/* Goes on if it is due; `sequence` is what it was a moment ago. */
static bool go_on(plait_condition *condition, uint32_t begin, uint32_t sequence)
{
    uint64_t state;

    do {
        state = __atomic_load_n(&condition->state, __ATOMIC_SEQ_CST);
        if (!is_due(state, sequence != begin))
            return false;
    } while (!change(condition, state, state - ONE_WAITER - ONE_GRANT));
    return true;
}

/* If there are grants, those whom they are for shall look: the wake for them was spent on us. */
static void pass_on(plait_condition *condition)
{
    if (grants_of(__atomic_load_n(&condition->state, __ATOMIC_SEQ_CST)) > 0)
        plait__wake_word(&condition->sequence, UINT_MAX);
}

/* Our time is over. 0: notified all the same; else rc. */
static int leave(plait_condition *condition, uint32_t begin, int rc)
{
    uint64_t state;

    do {
        uint32_t sequence = __atomic_load_n(&condition->sequence, __ATOMIC_SEQ_CST);
        if (go_on(condition, begin, sequence))
            return 0;
        state = __atomic_load_n(&condition->state, __ATOMIC_SEQ_CST);
        /* not if all waiters have a grant by now: one of them is ours */
    } while (grants_of(state) == waiters_of(state) ||
             !change(condition, state, state - ONE_WAITER));
    pass_on(condition);
    return rc;
}

static int sleep_until_notified(plait_condition *condition, uint32_t begin, plait_deadline until)
{
    for (unsigned round = 0;; round++) {
        uint32_t sequence = __atomic_load_n(&condition->sequence, __ATOMIC_SEQ_CST);
        int rc;
        if (go_on(condition, begin, sequence))
            return 0;
        plait__say_wait(PLAIT__ON_CONDITION, &condition->sequence);
        rc = plait__nap(&condition->sequence, sequence, round, until);
        if (rc < 0)
            return leave(condition, begin, rc);
        if (rc == 0 && __atomic_load_n(&condition->sequence, __ATOMIC_SEQ_CST) == sequence)
            pass_on(condition);
    }
}

static int wait(plait_condition *condition, plait_lock *lock, plait_deadline until,
                const void *place)
{
    uint32_t begin, depth;
    int rc, back;

    if (condition == NULL || lock == NULL)
        return -EINVAL;
    if (!plait__lock_is_mine(lock))
        return -EPERM;
    begin = enter(condition);
    depth = plait__lock_let_go(lock);
    rc = sleep_until_notified(condition, begin, until);
    back = plait__lock_take_back(lock, depth, place);
    return back < 0 ? back : rc;
}

int plait_condition_wait(plait_condition *condition, plait_lock *lock, plait_deadline until)
{
    return wait(condition, lock, until, PLAIT__CALLER);
}

int plait_condition_wait_for(plait_condition *condition, plait_lock *lock,
                             plait_condition_fn *predicate, void *arg, plait_deadline until)
{
    int rc = 0;

    if (condition == NULL || lock == NULL || predicate == NULL)
        return -EINVAL;
    if (!plait__lock_is_mine(lock))
        return -EPERM;
    while (!predicate(arg)) {
        if (rc < 0)
            return rc;
        rc = wait(condition, lock, until, PLAIT__CALLER);
        if (rc < 0 && rc != -ETIMEDOUT && rc != -ECANCELED)
            return rc; /* we do not hold the lock: the predicate must not be asked */
    }
    return 0;
}

static int notify(plait_condition *condition, uint32_t n)
{
    uint64_t state;
    uint32_t grants;

    do {
        uint32_t without;
        state = __atomic_load_n(&condition->state, __ATOMIC_SEQ_CST);
        without = waiters_of(state) - grants_of(state);
        grants = n < without ? n : without;
        if (waiters_of(state) == 0)
            return 0;
        if (grants == 0 && !plait__is_shared(condition))
            return 0; /* all go on already */
    } while (!change(condition, state, state + grants * ONE_GRANT));
    __atomic_fetch_add(&condition->sequence, grants > 0 ? grants : 1, __ATOMIC_SEQ_CST);
    if (grants > 0)
        plait__wake_word(&condition->sequence, grants);
    return 0;
}

int plait_condition_notify(plait_condition *condition, uint32_t n)
{
    return condition == NULL || n == 0 ? -EINVAL : notify(condition, n);
}

int plait_condition_notify_all(plait_condition *condition)
{
    return condition == NULL ? -EINVAL : notify(condition, UINT32_MAX);
}
