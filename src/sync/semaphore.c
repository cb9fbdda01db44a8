/* Semaphores that know no holders.
 * SPDX-License-Identifier: MIT
 *
 * One word: how many units there are, or, when there are none, whether somebody may sleep. So
 * nothing can be left behind by who is killed here, but the units that it had.
 *
 * Many units that come quickly wake one sleeper only, as the first release takes the waiters' bit
 * away. That one wakes the next if it leaves units behind, and sets the bit again if it does not;
 * so it does too before it gives up, if somebody was faster.
 */
#include <plait/semaphore.h>

#include "sync/nap.h"
#include "wait/wait.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#define WAITERS (UINT32_C(1) << 31) /* only ever alone: then there is no unit */

static bool change(uint32_t *word, uint32_t from, uint32_t to)
{
    /* acquire and release: what was written before a release is seen after the acquire it serves */
    return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static int init(plait_semaphore *semaphore, uint32_t count, uint32_t bound)
{
    if (semaphore == NULL || count > PLAIT_SEMAPHORE_MAX)
        return -EINVAL;
    *semaphore = (plait_semaphore){ .word = count, .bound = bound };
    return 0;
}

int plait_semaphore_init(plait_semaphore *semaphore, uint32_t count)
{
    return init(semaphore, count, 0);
}

int plait_semaphore_init_bounded(plait_semaphore *semaphore, uint32_t count)
{
    return init(semaphore, count, count + 1);
}

/* pre: there were `value` units, not 0. False: not any more. */
static bool take(uint32_t *word, uint32_t value, bool has_slept)
{
    uint32_t left = value - 1;

    if (!change(word, value, left == 0 && has_slept ? WAITERS : left))
        return false;
    if (left > 0 && has_slept)
        plait__wake_word(word, 1);
    return true;
}

/* There was no unit. 0: look again, or why we give up. */
static int wait_for_unit(uint32_t *word, uint32_t value, unsigned round, plait_deadline until)
{
    int rc;

    if (until.ns == PLAIT_NOWAIT.ns)
        return -ETIMEDOUT;
    if (value == 0 && !change(word, 0, WAITERS))
        return 0;
    plait__say_wait(PLAIT__ON_SEMAPHORE, word);
    rc = plait__nap(word, WAITERS, round, until);
    return rc < 0 ? rc : 0;
}

int plait_semaphore_acquire(plait_semaphore *semaphore, plait_deadline until)
{
    unsigned sleeps = 0;
    int rc = 0;

    if (semaphore == NULL)
        return -EINVAL;
    for (;;) {
        uint32_t value = __atomic_load_n(&semaphore->word, __ATOMIC_RELAXED);
        if (value != 0 && value != WAITERS) {
            if (take(&semaphore->word, value, sleeps > 0))
                return 0;
        } else if (rc == 0) {
            rc = wait_for_unit(&semaphore->word, value, sleeps++, until);
        } else {
            return rc;
        }
    }
}

int plait_semaphore_release_n(plait_semaphore *semaphore, uint32_t n)
{
    uint32_t most, value, units;

    if (semaphore == NULL || n == 0)
        return -EINVAL;
    most = semaphore->bound != 0 ? semaphore->bound - 1 : PLAIT_SEMAPHORE_MAX;
    do {
        value = __atomic_load_n(&semaphore->word, __ATOMIC_RELAXED);
        units = value & ~WAITERS;
        if (n > most || units > most - n)
            return -EOVERFLOW;
    } while (!change(&semaphore->word, value, units + n));
    if (value == WAITERS)
        plait__wake_word(&semaphore->word, n);
    return 0;
}

int plait_semaphore_release(plait_semaphore *semaphore)
{
    return plait_semaphore_release_n(semaphore, 1);
}

uint32_t plait_semaphore_count(const plait_semaphore *semaphore)
{
    return semaphore == NULL ? 0 : __atomic_load_n(&semaphore->word, __ATOMIC_RELAXED) & ~WAITERS;
}
