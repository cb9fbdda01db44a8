/* Semaphores in a storm: there are never more units than there are, and none is lost that is not
 * known to be.
 * SPDX-License-Identifier: MIT
 *
 * The oracle. Who has a unit takes one of as many cells; if there are more units than cells,
 * somebody finds none. A unit of a plain semaphore is gone with a killed process that had one: the
 * runner gives it back for it. If it was killed in acquire or release nobody knows: only if nobody
 * gets on, and all the rest is asleep without a unit, one of those is given back.
 */
#include "storm.h"

#include <sched.h>
#include <string.h>

enum {
    UNITS = 3,
    HAS = 0 /* the word of a life that has one */
};

static struct place {
    _Alignas(64) plait_semaphore semaphore;
    _Alignas(64) plait_held_semaphore held;
    uint32_t cells[UNITS]; /* atomic: a life, plus 1; 0: free */
} * place;

static uint64_t open_deaths; /* in acquire or release */

/* ---- cells ---- */

static uint32_t take_cell(const struct life *life)
{
    for (uint32_t tries = 0;; tries++) {
        for (uint32_t i = 0; i < UNITS; i++) {
            uint32_t holder = 0;
            if (__atomic_compare_exchange_n(&place->cells[i], &holder, life->number + 1, false,
                                            __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
                return i;
        }
        CHECK(tries < 50000000);
        sched_yield(); /* a dead one's is freed by the runner */
    }
}

static void free_cell(uint32_t cell)
{
    __atomic_store_n(&place->cells[cell], 0, __ATOMIC_SEQ_CST);
}

static void say_has(struct life *life, uint64_t has)
{
    __atomic_store_n(&life->words[HAS], has, __ATOMIC_SEQ_CST);
}

/* True: it had one. */
static void free_cells_of(const struct life *life)
{
    for (uint32_t i = 0; i < UNITS; i++)
        if (place->cells[i] == life->number + 1)
            free_cell(i);
}

static void use_unit(struct life *life)
{
    uint32_t cell = take_cell(life);

    if (storm_random(8) == 0)
        for (volatile uint32_t i = storm_random(1000); i > 0; i--)
            ;
    free_cell(cell);
}

static void begin(void)
{
    place = plait_shared_alloc(sizeof *place);
    CHECK(place != NULL);
    open_deaths = 0;
    CHECK_INT(plait_semaphore_init_bounded(&place->semaphore, UNITS), 0);
    CHECK_INT(plait_held_semaphore_init(&place->held, UNITS), 0);
}

/* ---- a semaphore ---- */

static void work_semaphore(struct life *life)
{
    while (!storm_is_over()) {
        ssize_t rc;
        storm_enter(life, "plait_semaphore_acquire");
        rc = plait_semaphore_acquire(&place->semaphore, storm_until());
        if (rc == 0)
            say_has(life, 1);
        storm_leave(life, rc);
        if (rc == -ETIMEDOUT)
            continue;
        CHECK_INT(rc, 0);
        use_unit(life);
        storm_enter(life, "plait_semaphore_release");
        say_has(life, 0);
        rc = plait_semaphore_release(&place->semaphore);
        CHECK_INT(storm_leave(life, rc), 0);
    }
}

static void settle_semaphore(struct life *life)
{
    free_cells_of(life);
    if (life->words[HAS])
        CHECK_INT(plait_semaphore_release(&place->semaphore), 0);
    else
        open_deaths += life->call != NULL;
}

static bool nobody_has_one(void)
{
    for (uint32_t i = 0; i < storm_lives(); i++) {
        const struct life *life = storm_life(i);
        if (__atomic_load_n(&life->is_dead, __ATOMIC_SEQ_CST))
            continue;
        const char *call = __atomic_load_n(&life->call, __ATOMIC_SEQ_CST);
        if (call == NULL || strcmp(call, "plait_semaphore_acquire") != 0 ||
            __atomic_load_n(&life->words[HAS], __ATOMIC_SEQ_CST))
            return false;
    }
    return true;
}

static uint64_t all_done(void)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < storm_lives(); i++)
        n += __atomic_load_n(&storm_life(i)->done, __ATOMIC_SEQ_CST);
    return n;
}

/* A unit that a killed one may have had, for all the others wait for one. */
static void help_semaphore(void)
{
    static uint64_t done_before;
    static unsigned n_idle;
    uint64_t done = all_done();

    if (done != done_before || !nobody_has_one()) {
        done_before = done;
        n_idle = 0;
        return;
    }
    if (++n_idle < 2000 || plait_semaphore_count(&place->semaphore) > 0) /* longer than a slice */
        return;
    n_idle = 0;
    CHECK(open_deaths > 0);
    open_deaths--;
    storm_forget_kill();
    CHECK_INT(plait_semaphore_release(&place->semaphore), 0);
}

static void end_semaphore(void)
{
    uint32_t count = plait_semaphore_count(&place->semaphore);

    CHECK(count <= UNITS && count + open_deaths >= UNITS);
    CHECK_INT(plait_shared_free(place), 0);
}

/* ---- a held semaphore ---- */

static void work_held(struct life *life)
{
    while (!storm_is_over()) {
        ssize_t rc = STORM_CALL(life, plait_held_semaphore_acquire(&place->held, storm_until()));
        if (rc == -ETIMEDOUT)
            continue;
        CHECK_INT(rc, 0);
        use_unit(life);
        CHECK_INT(STORM_CALL(life, plait_held_semaphore_release(&place->held)), 0);
    }
}

static void settle_held(struct life *life)
{
    free_cells_of(life);
}

static void end_held(void)
{
    for (int i = 0; i < UNITS; i++)
        CHECK_INT(plait_held_semaphore_acquire(&place->held, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_held_semaphore_acquire(&place->held, PLAIT_NOWAIT), -ETIMEDOUT);
    for (int i = 0; i < UNITS; i++)
        CHECK_INT(plait_held_semaphore_release(&place->held), 0);
    CHECK_INT(plait_held_semaphore_release(&place->held), -EPERM);
    CHECK_INT(plait_held_semaphore_count(&place->held), UNITS);
    CHECK_INT(plait_shared_free(place), 0);
}

const struct scenario storm_semaphore = { .name = "semaphore",
                                          .n_slots = 6,
                                          .n_first = 6,
                                          .begin = begin,
                                          .work = work_semaphore,
                                          .settle = settle_semaphore,
                                          .help = help_semaphore,
                                          .end = end_semaphore };

const struct scenario storm_held_semaphore = { .name = "held semaphore",
                                               .n_slots = 6,
                                               .begin = begin,
                                               .work = work_held,
                                               .settle = settle_held,
                                               .end = end_held };
