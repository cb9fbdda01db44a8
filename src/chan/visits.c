/* Who waits at an object of the family.
 * SPDX-License-Identifier: MIT
 */
#include "chan/visits.h"
#include "family/member.h"
#include "wait/wait.h"

enum {
    LEAVING_MS = 1000, /* how long a destroy waits for those who wait */
    NO_ENTRY = PLAIT__VISITS,
};

static bool change(uint64_t *entry, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(entry, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Is it ours, or can it be? */
static bool is_for(uint64_t entry, uint32_t self, bool takes_deads)
{
    if ((uint32_t)entry == self || entry == 0)
        return true;
    return takes_deads && plait__member_is_dead((uint32_t)entry);
}

unsigned plait__visits_enter(struct plait__visits *visits)
{
    uint32_t self = plait__member_self();

    for (unsigned i = 0; i < 2 * PLAIT__VISITS; i++) {
        unsigned at = (self + i) % PLAIT__VISITS;
        uint64_t entry = __atomic_load_n(&visits->entries[at], __ATOMIC_SEQ_CST);
        while (is_for(entry, self, i >= PLAIT__VISITS)) {
            uint64_t count = (uint32_t)entry == self ? entry >> 32 : 0;
            if (change(&visits->entries[at], entry, (count + 1) << 32 | self))
                return at;
            entry = __atomic_load_n(&visits->entries[at], __ATOMIC_SEQ_CST);
        }
    }
    __atomic_store_n(&visits->had_strays, 1, __ATOMIC_SEQ_CST);
    return NO_ENTRY;
}

void plait__visits_leave(struct plait__visits *visits, unsigned at)
{
    uint64_t entry, next;

    if (at == NO_ENTRY)
        return;
    do {
        entry = __atomic_load_n(&visits->entries[at], __ATOMIC_SEQ_CST);
        next = entry >> 32 == 1 ? 0 : entry - (UINT64_C(1) << 32);
    } while (!change(&visits->entries[at], entry, next));
}

static bool has_visitor(const struct plait__visits *visits)
{
    for (unsigned i = 0; i < PLAIT__VISITS; i++) {
        uint64_t entry = __atomic_load_n(&visits->entries[i], __ATOMIC_SEQ_CST);
        if (entry != 0 && !plait__member_is_dead((uint32_t)entry))
            return true;
    }
    return false;
}

bool plait__visits_are_over(struct plait__visits *visits)
{
    plait_deadline until = plait_after_ms(LEAVING_MS);
    uint32_t nothing = 0;

    plait__mask_cancel(); /* else a cancelled task would not sleep */
    while (has_visitor(visits) && plait_left_ns(until) > 0)
        plait__wait_word(&nothing, 0, plait_after_ms(1));
    plait__unmask_cancel();
    return !has_visitor(visits) && __atomic_load_n(&visits->had_strays, __ATOMIC_SEQ_CST) == 0;
}
