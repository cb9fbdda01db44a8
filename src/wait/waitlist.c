/* Those who wait at an object of this process.
 * SPDX-License-Identifier: MIT
 */
#include "wait/waitlist.h"
#include "os/futex.h"
#include "wait/wait.h"

#include <errno.h>

/* acquire: what was done for us; the partner is plait__waiting_wake */
static uint32_t load(const struct plait__waiting *waiting)
{
    return __atomic_load_n(&waiting->state, __ATOMIC_ACQUIRE);
}

static int sleep_thread(struct plait__waiting *waiting, plait_deadline until)
{
    int rc = 0;

    while (rc == 0 && load(waiting) == PLAIT__WAITS)
        rc = plait__wait_word(&waiting->state, PLAIT__WAITS, until);
    return rc;
}

/* Is it told of its sleeps, or to end at a time of its own? */
static bool is_guided(const struct plait__sleeper *sleeper)
{
    return sleeper->on_sleep != NULL || sleeper->until_ns != 0;
}

static int park_guided(struct plait__sleeper *sleeper, const uint32_t *word, plait_deadline until)
{
    plait_deadline soon = plait__sleep_begins(sleeper, word, until);
    int rc = plait__must_end(sleeper) ? -ECANCELED : sleeper->ops->park(sleeper, NULL, 0, soon);

    plait__sleep_ends(sleeper, word);
    return rc == -ETIMEDOUT && soon.ns != until.ns ? 0 : rc;
}

static int park(struct plait__waiting *waiting, struct plait__waits_for what, plait_deadline until)
{
    struct plait__sleeper *sleeper = waiting->sleeper;
    int rc = 0;

    sleeper->word = sleeper->said = what.word;
    sleeper->kind = what.kind;
    do {
        if (is_guided(sleeper))
            rc = park_guided(sleeper, what.word, until);
        else
            rc =
                plait__must_end(sleeper) ? -ECANCELED : sleeper->ops->park(sleeper, NULL, 0, until);
    } while (rc == 0 && load(waiting) == PLAIT__WAITS);
    sleeper->word = NULL;
    return rc;
}

int plait__waiting_sleep(struct plait__waiting *waiting, struct plait__waits_for what,
                         plait_deadline until)
{
    int rc = waiting->sleeper != NULL ? park(waiting, what, until) : sleep_thread(waiting, until);

    switch (load(waiting)) {
    case PLAIT__WOKEN_NEAR:
        return 1;
    case PLAIT__WOKEN:
        return 0;
    default:
        return rc;
    }
}

bool plait__waiting_leave(struct plait__waiting *waiting)
{
    plait__list_remove(&waiting->node);
    return load(waiting) != PLAIT__WAITS;
}

void plait__waiting_wake_thread(struct plait__waiting *waiting, const uint32_t **later)
{
    __atomic_store_n(&waiting->state, PLAIT__WOKEN, __ATOMIC_RELEASE);
    /* who sleeps here may be gone by then: whoever is at that address looks again */
    if (*later != NULL)
        plait__os_futex_wake(*later, 1);
    *later = &waiting->state;
}
