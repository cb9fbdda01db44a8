/* Events.
 * SPDX-License-Identifier: MIT
 *
 * One word. Each set counts, so that who slept sees that there was one, even if the flag is clear
 * again. A set wakes all, so no sleeper has to pass a wake on.
 */
#include <plait/event.h>

#include "family/member.h"
#include "sync/nap.h"
#include "wait/wait.h"
#include "wait/waitable.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>

enum {
    SET = 1,
    WAITERS = 2, /* somebody may sleep; never with SET */
    ONE_TIME = 4 /* the rest of the word counts how often it was set */
};

static bool change(uint32_t *word, uint32_t from, uint32_t to)
{
    /* release: pairs with the acquire of who sees that it was set */
    return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

int plait_event_set(plait_event *event)
{
    uint32_t value;

    if (event == NULL)
        return -EINVAL;
    do {
        value = __atomic_load_n(&event->word, __ATOMIC_RELAXED);
        /* set already: still an exchange, so that who sees it sees also what we wrote before */
    } while (!change(&event->word, value,
                     value & SET ? value : ((value & ~(uint32_t)WAITERS) | SET) + ONE_TIME));
    if (value & WAITERS)
        plait__wake_word(&event->word, UINT_MAX);
    return 0;
}

int plait_event_clear(plait_event *event)
{
    if (event == NULL)
        return -EINVAL;
    __atomic_fetch_and(&event->word, ~(uint32_t)SET, __ATOMIC_RELAXED);
    return 0;
}

bool plait_event_is_set(const plait_event *event)
{
    return event != NULL && (__atomic_load_n(&event->word, __ATOMIC_ACQUIRE) & SET);
}

/* Is it set, or was it since it had the value `before`? */
static bool was_set(const plait_event *event, uint32_t before, uint32_t *ret_value)
{
    uint32_t value = __atomic_load_n(&event->word, __ATOMIC_ACQUIRE);

    *ret_value = value;
    return (value & SET) || value / ONE_TIME != before / ONE_TIME;
}

int plait_event_wait(plait_event *event, plait_deadline until)
{
    uint32_t before, value;
    int rc = 0;

    if (event == NULL)
        return -EINVAL;
    before = __atomic_load_n(&event->word, __ATOMIC_RELAXED);
    for (unsigned round = 0; !was_set(event, before, &value); round++) {
        if (rc < 0)
            return rc;
        if (!(value & WAITERS) && !change(&event->word, value, value | WAITERS))
            continue;
        plait__say_wait(PLAIT__ON_EVENT, &event->word);
        rc = plait__nap(&event->word, value | WAITERS, round, until);
    }
    return 0;
}

/* ---- to be selected on ---- */

/* What the watch remembers: the value at first, and that there is one. */
#define SEEN (UINT64_C(1) << 32)

static int look(const plait_waitable *on, struct plait__watch *watch, struct plait__how how)
{
    plait_event *event = on->object;
    uint32_t value;

    if (watch->state == 0)
        watch->state = SEEN | __atomic_load_n(&event->word, __ATOMIC_RELAXED);
    while (!was_set(event, (uint32_t)watch->state, &value)) {
        if (how.will_sleep && !(value & WAITERS) && !change(&event->word, value, value | WAITERS))
            continue;
        watch->word = &event->word;
        watch->expected = value | WAITERS;
        watch->in_slices = plait__is_shared(event);
        return 0;
    }
    return 1;
}

int plait_event_on_set(plait_waitable *ret, plait_event *event)
{
    static const struct plait__waitable_ops ops = { .look = look, .is_quick = true };

    if (ret == NULL || event == NULL)
        return -EINVAL;
    plait__waitable_make(ret, &ops, event, 0);
    return 0;
}
