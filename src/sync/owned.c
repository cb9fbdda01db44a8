/* A word that names the member of the family that owns it.
 * SPDX-License-Identifier: MIT
 *
 * Who has slept takes the word with the waiters' bit set, as others may sleep still; the last one
 * wakes nobody once. A woken sleeper that leaves without the word passes the wake on. One that is
 * killed in between cannot: then the next slice ends the wait of the others.
 */
#include "sync/owned.h"
#include "base/time.h"
#include "os/clock.h"
#include "os/cpu.h"
#include "wait/wait.h"

#include <plait/error.h>

#include <errno.h>

enum {
    SPINS = 64, /* looks before the first sleep: most are held for less */
};

/* How long one sleep may last before the owner is looked at: soon at first, at most 100 ms. */
static const int64_t slices_ns[] = { 1000 * 1000, 10 * 1000 * 1000, 50 * 1000 * 1000,
                                     100 * 1000 * 1000 };

void plait__owned_wake(uint32_t *word)
{
    plait__wake_word(word, 1);
}

static bool change(uint32_t *word, uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Takes it from an owner that is proven dead: free and broken. True: look again. */
static bool free_from_dead(uint32_t *word, uint32_t value)
{
    uint32_t waiters = value & PLAIT__OWNED_WAITERS;

    if (!plait__member_is_dead(plait__owned_by(value)))
        return false;
    if (change(word, value, waiters | PLAIT__OWNED_BROKEN) && waiters != 0)
        plait__wake_word(word, 1); /* in a cancelled task we might leave now */
    return true;
}

/* The word was seen held. 0: look again, or why we give up. */
static int wait_for_release(uint32_t *word, uint32_t value, unsigned round, plait_deadline until)
{
    int64_t slice = slices_ns[round < 3 ? round : 3];
    plait_deadline soon = plait__deadline_after(plait__os_now_ns(), slice);
    int rc;

    if (plait_left_ns(until) == 0)
        return free_from_dead(word, value) ? 0 : -ETIMEDOUT;
    if (!(value & PLAIT__OWNED_WAITERS)) {
        if (!change(word, value, value | PLAIT__OWNED_WAITERS))
            return 0;
        value |= PLAIT__OWNED_WAITERS;
    }
    rc = plait__wait_word(word, value, plait__deadline_earlier(until, soon));
    if (rc == -ETIMEDOUT) {
        free_from_dead(word, value);
        return 0;
    }
    return rc;
}

/* It is free: ours, or refused. -EAGAIN: somebody was faster. */
static int take_free(uint32_t *word, uint32_t value, bool takes_broken, bool has_slept)
{
    bool is_broken = (value & PLAIT__OWNED_BROKEN) != 0;
    uint32_t taken = value | plait__member_self() | (has_slept ? PLAIT__OWNED_WAITERS : 0);

    if (is_broken && !takes_broken)
        return -EOWNERDEAD;
    return change(word, value, taken) ? is_broken : -EAGAIN;
}

/* In private memory no other process can release it: its owner is who we were before a fork. */
static bool stayed_behind(const uint32_t *word, uint32_t value)
{
    return plait__owned_by(value) != plait__member_self() && !plait__family_has(word);
}

int plait__owned_acquire_slowly(uint32_t *word, bool takes_broken, plait_deadline until)
{
    unsigned spins = 0, sleeps = 0;
    int rc = plait__member_join();

    while (rc == 0) {
        uint32_t value = __atomic_load_n(word, __ATOMIC_RELAXED);
        if (plait__owned_by(value) == 0) {
            rc = take_free(word, value, takes_broken, sleeps > 0);
            if (rc != -EAGAIN)
                return rc;
            rc = 0;
        } else if (stayed_behind(word, value)) {
            return -EDEADLK;
        } else if (spins < SPINS && plait_left_ns(until) != 0) {
            spins++;
            plait__os_cpu_relax();
        } else {
            rc = wait_for_release(word, value, sleeps++, until);
        }
    }
    if (sleeps > 0 && plait__owned_by(__atomic_load_n(word, __ATOMIC_RELAXED)) == 0)
        plait__wake_word(word, 1);
    return rc;
}
