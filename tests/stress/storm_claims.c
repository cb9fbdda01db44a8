/* Claims: each number is claimed exactly once.
 * SPDX-License-Identifier: MIT
 */
#include "storm.h"

static uint64_t *cell_of(struct claims *claims, uint64_t number)
{
    return &claims->cells[number % 65536];
}

void storm_claim(struct claims *claims, uint64_t number)
{
    uint64_t before = __atomic_exchange_n(cell_of(claims, number), number, __ATOMIC_SEQ_CST);

    CHECK_INT(before, number > 65536 ? number - 65536 : 0);
}

void storm_claim_again(struct claims *claims, uint64_t number)
{
    if (number != 0 && __atomic_load_n(cell_of(claims, number), __ATOMIC_SEQ_CST) != number)
        storm_claim(claims, number);
}

void storm_check_claims(const struct claims *claims, uint64_t last)
{
    for (uint64_t i = 0; i < 65536; i++) {
        uint64_t expected = last - (last - i) % 65536; /* the last one of this cell */
        CHECK_INT(claims->cells[i], last < i ? 0 : expected);
    }
}
