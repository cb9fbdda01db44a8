/* A queue of hints where work may be found.
 * SPDX-License-Identifier: MIT
 *
 * A place goes, in its round r:  {r, 0} --put--> {r, hint} --take--> {r + 1, 0}
 * Behind the first arrow the tail is moved, behind the second one the head; either may be behind by
 * one, and whoever sees it moves it first. A round returns after 2^32 of them.
 */
#include "pool/hints.h"

static uint32_t round_of(const struct plait__hints *hints, uint64_t position)
{
    return (uint32_t)(position >> hints->shift);
}

static uint64_t make(uint32_t round, uint32_t hint)
{
    return (uint64_t)round << 32 | hint;
}

/* seq_cst throughout: a bell is looked at after a put, and announced before a look. */
static bool change(uint64_t *word, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

bool plait__hints_put(struct plait__hints *hints, uint32_t hint)
{
    for (;;) {
        uint64_t tail = load(&hints->tail), *place = &hints->places[tail & hints->mask];
        uint32_t round = round_of(hints, tail);
        uint64_t found = load(place);
        if (found == make(round, 0)) {
            if (!change(place, found, make(round, hint)))
                continue;
            change(&hints->tail, tail, tail + 1);
            return true;
        }
        /* of the round before: not taken yet, if the tail is still there */
        if ((uint32_t)(found >> 32) == round - 1 && load(&hints->tail) == tail)
            return false;
        change(&hints->tail, tail, tail + 1);
    }
}

uint32_t plait__hints_take(struct plait__hints *hints, uint64_t *current)
{
    for (;;) {
        uint64_t head = load(&hints->head), *place = &hints->places[head & hints->mask];
        uint32_t round = round_of(hints, head), hint;
        uint64_t found = load(place);
        hint = (uint32_t)found;
        if (found == make(round, 0)) {
            if (load(&hints->head) != head)
                continue;
            if (*current != 0) /* somebody else was faster */
                __atomic_store_n(current, 0, __ATOMIC_RELEASE);
            return 0;
        }
        if ((uint32_t)(found >> 32) != round) {
            change(&hints->head, head, head + 1);
            continue;
        }
        __atomic_store_n(current, hint, __ATOMIC_RELEASE);
        if (change(place, found, make(round + 1, 0))) {
            change(&hints->head, head, head + 1);
            return hint;
        }
    }
}
