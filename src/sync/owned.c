/* A word that names the member of the family that owns it.
 * SPDX-License-Identifier: MIT
 *
 * Who has slept takes the word with the waiters' bit set, as others may sleep still; the last one
 * wakes nobody once. Who has slept and leaves without the word was perhaps the one that a release
 * had woken: it wakes the next one, or, if somebody was faster and holds the word by now, sets the
 * bit again, so that this holder will. One that is killed in between cannot: then the next slice
 * ends the wait of the others.
 */
#include "sync/owned.h"
#include "os/cpu.h"
#include "sync/nap.h"
#include "wait/wait.h"

#include <plait/error.h>

#include <errno.h>

enum {
    SPINS = 64, /* looks before the first sleep: most are held for less */
};

enum want {
    WANT_WHOLE,         /* take it unless it is broken */
    WANT_EVEN_BROKEN,   /* take it */
    WANT_TO_SEE_IT_FREE /* take nothing */
};

void plait__owned_wake(uint32_t *word)
{
    plait__wake_word(word, 1);
}

/* acquire: pairs with the release of the last owner; release: who sees a word taken from the dead
 * sees also what we knew of it */
static bool change(uint32_t *word, uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Takes it from an owner that is proven dead: free and broken. True: look again. */
static bool free_from_dead(uint32_t *word, uint32_t value)
{
    uint32_t waiters = value & PLAIT__OWNED_WAITERS;

    if (!plait__holder_is_dead(word, plait__owned_by(value)))
        return false;
    /* the bit stays: with it the next owner's release wakes the others */
    change(word, value, waiters | PLAIT__OWNED_BROKEN);
    return true;
}

/* The word was seen held. 0: look again, or why we give up. */
static int wait_for_release(uint32_t *word, uint32_t value, unsigned round, plait_deadline until)
{
    int rc;

    if (plait_left_ns(until) == 0)
        return free_from_dead(word, value) ? 0 : -ETIMEDOUT;
    if (!(value & PLAIT__OWNED_WAITERS)) {
        if (!change(word, value, value | PLAIT__OWNED_WAITERS))
            return 0;
        value |= PLAIT__OWNED_WAITERS;
    }
    rc = plait__nap(word, value, round, until);
    if (rc == 0 || rc == -ECANCELED)
        return rc;
    if (free_from_dead(word, value)) /* a slice is over, or all our time */
        return 0;
    return rc < 0 ? rc : 0;
}

/* It is free: ours, or refused. -EAGAIN: somebody was faster. */
static int take_free(uint32_t *word, uint32_t value, enum want want, bool has_slept)
{
    bool is_broken = (value & PLAIT__OWNED_BROKEN) != 0;
    uint32_t taken = value | plait__member_self() | (has_slept ? PLAIT__OWNED_WAITERS : 0);

    if (is_broken && want != WANT_EVEN_BROKEN)
        return -EOWNERDEAD;
    if (want == WANT_TO_SEE_IT_FREE)
        return 0;
    return change(word, value, taken) ? is_broken : -EAGAIN;
}

/* In private memory no other process can release it: its owner is who we were before a fork. */
static bool stayed_behind(const uint32_t *word, uint32_t value)
{
    return plait__owned_by(value) != plait__member_self() && !plait__is_shared(word);
}

/* We have slept and leave without the word. */
static void pass_on(uint32_t *word)
{
    uint32_t value = __atomic_load_n(word, __ATOMIC_RELAXED);

    while (plait__owned_by(value) != 0) {
        if (value & PLAIT__OWNED_WAITERS)
            return;
        if (__atomic_compare_exchange_n(word, &value, value | PLAIT__OWNED_WAITERS, true,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return;
    }
    plait__wake_word(word, 1);
}

/* pre: we are in the family. */
static int wait_until_free(uint32_t *word, enum want want, plait_deadline until,
                           unsigned *ret_sleeps)
{
    unsigned spins = 0;
    int rc = 0;

    while (rc == 0) {
        uint32_t value = __atomic_load_n(word, __ATOMIC_RELAXED);
        if (plait__owned_by(value) == 0) {
            rc = take_free(word, value, want, *ret_sleeps > 0);
            if (rc != -EAGAIN)
                return rc;
            rc = 0;
        } else if (stayed_behind(word, value)) {
            rc = -EDEADLK;
        } else if (spins < SPINS && until.ns != PLAIT_NOWAIT.ns && plait__may_spin()) {
            spins++;
            plait__os_cpu_relax();
        } else {
            rc = wait_for_release(word, value, (*ret_sleeps)++, until);
        }
    }
    return rc;
}

static int acquire(uint32_t *word, enum want want, plait_deadline until)
{
    unsigned sleeps = 0;
    int rc = plait__member_join();

    if (rc == 0)
        rc = wait_until_free(word, want, until, &sleeps);
    if (sleeps > 0 && (rc < 0 || want == WANT_TO_SEE_IT_FREE))
        pass_on(word);
    return rc;
}

int plait__owned_acquire_slowly(uint32_t *word, bool takes_broken, plait_deadline until)
{
    return acquire(word, takes_broken ? WANT_EVEN_BROKEN : WANT_WHOLE, until);
}

int plait__owned_wait(uint32_t *word, plait_deadline until)
{
    return acquire(word, WANT_TO_SEE_IT_FREE, until);
}
