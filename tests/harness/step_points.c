/* The points of a call at which its process can be killed.
 * SPDX-License-Identifier: MIT
 */
#include "step_points.h"

#include <sys/mman.h>

enum {
    EACH_VISIT = 64 /* so many times each one is kept, then at distances of an eighth */
};

void *step_share(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    CHECK(memory != MAP_FAILED);
    return memory;
}

void step_points_init(struct step_points *points)
{
    *points = (struct step_points){
        .all = step_share(STEP_POINTS * sizeof *points->all),
        .order = step_share(STEP_POINTS * sizeof *points->order),
        .visits = step_share(STEP_ADDRESSES * sizeof *points->visits),
    };
}

static struct step_visits *visits_of(struct step_points *points, uintptr_t address)
{
    size_t at = (size_t)((uint64_t)address * UINT64_C(0x9E3779B97F4A7C15) >> 48);

    while (points->visits[at].address != 0 && points->visits[at].address != address)
        at = (at + 1) % STEP_ADDRESSES;
    if (points->visits[at].address == 0) {
        points->n_distinct++;
        CHECK(points->n_distinct < STEP_ADDRESSES);
        points->visits[at] = (struct step_visits){ .address = address, .next = 1 };
    }
    return &points->visits[at];
}

static void push(struct step_points *points, struct step_point point)
{
    CHECK(points->n < STEP_POINTS);
    points->all[points->n++] = point;
}

void step_points_begin(struct step_points *points)
{
    points->step = 0;
    for (size_t i = 0; i < STEP_ADDRESSES; i++)
        points->visits[i].now = 0;
}

void step_points_add(struct step_points *points, uintptr_t address)
{
    struct step_visits *visits = visits_of(points, address);

    visits->now++;
    points->step++;
    if (visits->now <= visits->most)
        return;
    visits->most = visits->now;
    if (visits->now < visits->next) {
        points->n_skipped++;
        return;
    }
    visits->next = visits->now + (visits->now < EACH_VISIT ? 1 : visits->now / 8);
    push(points, (struct step_point){ address, visits->now, points->step, STEP_BEFORE });
}

void step_points_add_within(struct step_points *points, uintptr_t address)
{
    struct step_visits *visits = visits_of(points, address);

    if (visits->now <= visits->within)
        return;
    visits->within = visits->now;
    push(points, (struct step_point){ address, visits->now, points->step, STEP_WITHIN });
}

void step_points_prefer(struct step_points *points, uintptr_t address)
{
    visits_of(points, address)->is_preferred = true;
}

void step_points_add_return(struct step_points *points)
{
    push(points, (struct step_point){ .place = STEP_RETURNED });
}

/* Within, and behind the call; then what no other point covers, then the rest. */
static int rank(struct step_points *points, const struct step_point *point)
{
    if (point->place == STEP_RETURNED ||
        (point->place == STEP_WITHIN && visits_of(points, point->address)->is_preferred))
        return 0;
    return point->visit == 1 ? 1 : 2;
}

/* The points of one rank, each at a random place among them. */
static void add_rank(struct step_points *points, int wanted, size_t *filled)
{
    size_t from = *filled;

    for (size_t i = 0; i < points->n; i++) {
        size_t other = from + step_random((uint32_t)(*filled - from + 1));
        if (rank(points, &points->all[i]) != wanted)
            continue;
        points->order[*filled] = points->order[other];
        points->order[other] = (uint32_t)i;
        ++*filled;
    }
}

void step_points_order(struct step_points *points)
{
    size_t filled = 0;

    for (int i = 0; i <= 2; i++)
        add_rank(points, i, &filled);
}
