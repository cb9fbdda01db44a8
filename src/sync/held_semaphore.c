/* Semaphores whose units come back from the dead.
 * SPDX-License-Identifier: MIT
 *
 * Each unit is a word with the name of the process that has it. To take it and to name oneself are
 * one compare-and-swap, so that no unit is ever taken by nobody. A unit that names a member that is
 * proven dead is free.
 */
#include <plait/semaphore.h>

#include "family/member.h"
#include "sync/eventcount.h"
#include "sync/nap.h"
#include "wait/sleeper.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

static bool change(uint32_t *unit, uint32_t from, uint32_t to)
{
    /* seq_cst: with the event's word, as eventcount.c says */
    return __atomic_compare_exchange_n(unit, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static uint32_t holder_of(const plait_held_semaphore *held, uint32_t i)
{
    return __atomic_load_n(&held->units[i], __ATOMIC_SEQ_CST);
}

/* Not more than there are, whatever others have written there in a named segment. */
static uint32_t count_of(const plait_held_semaphore *held)
{
    uint32_t count = __atomic_load_n(&held->count, __ATOMIC_RELAXED);

    return count <= PLAIT_HELD_SEMAPHORE_MAX ? count : 0;
}

/* In private memory other members' units are what a fork has copied. */
static bool is_free(const plait_held_semaphore *held, uint32_t holder)
{
    return holder == 0 || (holder != plait__member_self() && !plait__is_shared(held));
}

int plait_held_semaphore_init(plait_held_semaphore *held, uint32_t count)
{
    if (held == NULL || count == 0 || count > PLAIT_HELD_SEMAPHORE_MAX)
        return -EINVAL;
    *held = (plait_held_semaphore){ .count = count };
    return 0;
}

uint32_t plait_held_semaphore_count(const plait_held_semaphore *held)
{
    uint32_t n = 0;

    for (uint32_t i = 0; held != NULL && i < count_of(held); i++)
        n += is_free(held, holder_of(held, i));
    return n;
}

static bool take(plait_held_semaphore *held)
{
    for (uint32_t i = 0; i < count_of(held); i++) {
        uint32_t holder = holder_of(held, i);
        if (is_free(held, holder) && change(&held->units[i], holder, plait__member_self()))
            return true;
    }
    return false;
}

/* The units of the dead are free. */
static void free_from_dead(plait_held_semaphore *held)
{
    uint32_t alive = 0; /* a process often has several: ask the kernel once */

    for (uint32_t i = 0; i < count_of(held); i++) {
        uint32_t holder = holder_of(held, i);
        if (holder == 0 || holder == alive)
            continue;
        if (plait__holder_is_dead(held, holder))
            change(&held->units[i], holder, 0);
        else
            alive = holder;
    }
}

/* One that sleeps may have the next free unit. */
static void pass_on(plait_held_semaphore *held)
{
    if (plait_held_semaphore_count(held) > 0)
        plait__eventcount_signal(&held->event, 1);
}

/* pre: we are in the family. */
static int wait_for_unit(plait_held_semaphore *held, plait_deadline until)
{
    int rc = 0;

    for (unsigned round = 0; rc == 0; round++) {
        uint32_t event = plait__eventcount_announce(&held->event);
        if (take(held))
            break;
        plait__say_wait(PLAIT__ON_SEMAPHORE, &held->event);
        rc = plait__nap(&held->event, event, round, until);
        plait__eventcount_announce(&held->event); /* for the others, whatever we do */
        if (rc == 1 || rc == -ETIMEDOUT)
            free_from_dead(held);
        if (rc == 1)
            rc = 0;
    }
    if (rc < 0 && take(held))
        rc = 0;
    pass_on(held);
    return rc;
}

int plait_held_semaphore_acquire(plait_held_semaphore *held, plait_deadline until)
{
    int rc;

    if (held == NULL || count_of(held) == 0)
        return -EINVAL;
    rc = plait__member_join();
    if (rc < 0 || take(held))
        return rc;
    if (until.ns != PLAIT_NOWAIT.ns)
        return wait_for_unit(held, until);
    free_from_dead(held);
    return take(held) ? 0 : -ETIMEDOUT;
}

static bool give_back(plait_held_semaphore *held)
{
    uint32_t self = plait__member_self();

    for (uint32_t i = 0; self != 0 && i < count_of(held); i++)
        if (holder_of(held, i) == self && change(&held->units[i], self, 0))
            return true;
    return false;
}

int plait_held_semaphore_release(plait_held_semaphore *held)
{
    uint32_t before;

    if (held == NULL)
        return -EINVAL;
    do {
        before = __atomic_load_n(&held->event, __ATOMIC_SEQ_CST) / 2;
        if (give_back(held)) {
            plait__eventcount_signal(&held->event, 1);
            return 0;
        }
        /* another task of ours gave one back: perhaps one that we had not looked at yet, while ours
         * is one that we had */
    } while (before != __atomic_load_n(&held->event, __ATOMIC_SEQ_CST) / 2);
    return -EPERM;
}
