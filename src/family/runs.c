/* Runs of units.
 * SPDX-License-Identifier: MIT
 *
 * The heap lock is a word with the member id of its holder. Nobody sleeps with it, so others spin;
 * from a holder that is proven dead it is taken over. Then descriptors inside of a run may be other
 * than 0: of a free run that was just split off or merged. Nobody but the next holder reads those,
 * and it clears them first.
 *
 * What takes system calls is done without the lock, while the run is BUSY.
 */
#include "family/runs.h"
#include "base/assert.h"
#include "os/clock.h"
#include "os/cpu.h"
#include "os/futex.h"

#include <errno.h>
#include <sched.h>

enum {
    UNIT_SHIFT = 14,
    SPINS = 200,            /* before the CPU is offered to others */
    ROUNDS_TO_PROOF = 1000, /* between two looks whether the holder is dead */
    COOL_AT_ONCE = 32,
    NONE = UINT32_MAX
};

/* So much free memory stays committed: what is taken and given back again and again, such as large
 * messages, should not cost a system call each. */
#define WARM_BYTES ((int64_t)64 << 20)

_Static_assert(sizeof(struct plait__runs) <= sizeof(((struct plait__family *)0)->heap),
               "the runs fit into the family's words");

static uint64_t load(uint32_t unit)
{
    return __atomic_load_n(plait__run_at(unit), __ATOMIC_ACQUIRE);
}

/* What was written before, of this unit's memory or its descriptor, is seen by who loads this. */
static void store(uint32_t unit, uint64_t word)
{
    __atomic_store_n(plait__run_at(unit), word, __ATOMIC_RELEASE);
}

/* ---- the heap lock ---- */

/* The holder died: clears what it may have left inside of runs, and counts again. */
static void repair(void)
{
    struct plait__runs *runs = plait__runs();
    uint64_t word;
    int64_t warm = 0;

    for (uint32_t at = 0; at < runs->count; at += plait__run_units(word)) {
        word = load(at);
        PLAIT__ASSERT(plait__run_units(word) > 0);
        for (uint32_t i = at + 1; i < at + plait__run_units(word) && i < runs->known; i++)
            if (load(i) != 0)
                store(i, 0);
        if (plait__run_kind(word) == PLAIT__RUN_FREE && plait__run_flag(word))
            warm += plait__run_units(word);
    }
    __atomic_store_n(&runs->warm, warm, __ATOMIC_RELAXED);
}

/* Takes the lock from a dead holder. */
static bool take_over(uint32_t *lock, uint32_t holder, uint32_t self)
{
    if (!plait__member_is_dead(holder) ||
        !__atomic_compare_exchange_n(lock, &holder, self, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        return false;
    repair();
    return true;
}

/* Acquires what the last holder released. */
static void lock_runs(void)
{
    uint32_t *lock = &plait__family()->heap_lock, self = plait__member_self();

    for (unsigned round = 1;; round++) {
        uint32_t holder = 0;
        if (__atomic_compare_exchange_n(lock, &holder, self, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return;
        if (round % ROUNDS_TO_PROOF == 0) {
            if (take_over(lock, holder, self))
                return;
            /* it was stopped: nobody wakes us, but the CPU is left to others */
            plait__os_futex_wait(lock, holder, plait__os_now_ns() + 1000 * 1000);
        } else if (round < SPINS) {
            plait__os_cpu_relax();
        } else {
            sched_yield();
        }
    }
}

static void unlock_runs(void)
{
    __atomic_store_n(&plait__family()->heap_lock, 0, __ATOMIC_RELEASE);
}

/* ---- memory ---- */

static uint64_t offset_of(uint32_t unit)
{
    return plait__runs()->first + ((uint64_t)unit << plait__runs()->shift);
}

static int commit(uint32_t unit, uint32_t units)
{
    return plait__os_shared_commit(&plait__family()->shared, offset_of(unit),
                                   (size_t)units << plait__runs()->shift);
}

static int decommit(uint32_t unit, uint32_t units)
{
    return plait__os_shared_decommit(&plait__family()->shared, offset_of(unit),
                                     (size_t)units << plait__runs()->shift);
}

/* Sees to it that the region up to there can be committed. pre: the heap lock is held. */
static int extend(uint64_t bytes)
{
    struct plait__runs *runs = plait__runs();
    size_t extent;
    int rc;

    if (bytes <= runs->extent)
        return 0;
    rc = plait__os_shared_extend(&plait__family()->shared, bytes, &extent);
    if (rc == 0)
        runs->extent = extent;
    return rc;
}

/* Sees to it that the unit has a descriptor. pre: the heap lock is held. */
static int know(uint32_t unit)
{
    struct plait__runs *runs = plait__runs();
    size_t page = plait__os_page_bytes();
    uint64_t from = runs->known * sizeof(uint64_t), to;
    int rc;

    if (unit < runs->known)
        return 0;
    to = ((unit + 1) * sizeof(uint64_t) + page - 1) / page * page;
    rc = plait__os_shared_commit(&plait__family()->shared, runs->table + from, to - from);
    if (rc == 0)
        __atomic_store_n(&runs->known, to / sizeof(uint64_t), __ATOMIC_RELEASE);
    return rc;
}

/* ---- free runs ---- */

static void add_warm(int64_t units)
{
    __atomic_fetch_add(&plait__runs()->warm, units, __ATOMIC_RELAXED);
}

/* A run has become free: searches begin there, if they would have begun above. */
static void lower_hint(uint32_t unit)
{
    uint64_t *hint = &plait__runs()->hint, old = __atomic_load_n(hint, __ATOMIC_RELAXED), lower;

    do {
        lower = ((old >> 32) + 1) << 32 | (unit < (uint32_t)old ? unit : (uint32_t)old);
    } while (
        !__atomic_compare_exchange_n(hint, &old, lower, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

/* pre: BUSY of ours. Where the system keeps the memory, it stays warm; failing that too, the run is
 * left to the time when we are dead. */
static void make_cold(uint32_t unit, uint32_t units)
{
    bool is_warm = false;

    if (decommit(unit, units) < 0) {
        if (commit(unit, units) < 0)
            return;
        is_warm = true;
        add_warm(units);
    }
    store(unit, plait__run_make(PLAIT__RUN_FREE, is_warm, units));
    lower_hint(unit);
}

bool plait__run_give(uint32_t unit, uint64_t word)
{
    struct plait__runs *runs = plait__runs();
    uint32_t units = plait__run_units(word), self = plait__member_self();
    uint64_t busy = plait__run_of_member(plait__run_make(PLAIT__RUN_BUSY, false, units), self);
    int64_t warm = __atomic_add_fetch(&runs->warm, units, __ATOMIC_RELAXED);

    if (warm << runs->shift <= WARM_BYTES || self == 0) {
        if (!plait__run_change(unit, word, plait__run_make(PLAIT__RUN_FREE, true, units))) {
            add_warm(-(int64_t)units);
            return false;
        }
        lower_hint(unit);
        return true;
    }
    add_warm(-(int64_t)units);
    if (!plait__run_change(unit, word, busy))
        return false;
    make_cold(unit, units);
    return true;
}

void plait__run_rescue(uint32_t unit, uint64_t word)
{
    if (!plait__run_change(unit, word, plait__run_of_member(word, plait__member_self())))
        return;
    __atomic_fetch_add(&plait__runs()->rescued, 1, __ATOMIC_RELAXED);
    make_cold(unit, plait__run_units(word));
}

/* ---- taking one ---- */

/* A search, made under the heap lock. */
struct search {
    uint32_t units;   /* wanted */
    uint32_t low;     /* the first free run that was met and is too small */
    uint32_t suspect; /* a run that is BUSY of another member */
};

/* Merges a free run with the free ones behind it that are as warm: its descriptor then. */
static uint64_t merge(uint32_t at, uint64_t word)
{
    uint64_t count = plait__runs()->count;

    for (;;) {
        uint32_t next = at + plait__run_units(word);
        uint64_t other = next < count ? load(next) : 0;
        if (plait__run_kind(other) != PLAIT__RUN_FREE ||
            plait__run_flag(other) != plait__run_flag(word))
            return word;
        word += plait__run_units(other) << 10;
        store(at, word);
        store(next, 0); /* only now: each unit belongs to a run all the time */
    }
}

/* The first free run from that one on that is large enough, or NONE. */
static uint32_t walk(uint32_t from, struct search *search)
{
    uint64_t word;

    for (uint32_t at = from; at < plait__runs()->count; at += plait__run_units(word)) {
        word = load(at);
        PLAIT__ASSERT(plait__run_units(word) > 0);
        if (plait__run_kind(word) == PLAIT__RUN_BUSY &&
            plait__run_member(word) != plait__member_self())
            search->suspect = at;
        if (plait__run_kind(word) != PLAIT__RUN_FREE)
            continue;
        word = merge(at, word);
        if (plait__run_units(word) >= search->units)
            return at;
        if (search->low == NONE)
            search->low = at;
    }
    return NONE;
}

/* The run becomes ours, the rest of it stays free. */
static int split(uint32_t at, uint32_t units, bool *ret_is_warm)
{
    uint64_t word = load(at);
    uint32_t rest = plait__run_units(word) - units;
    bool is_warm = plait__run_flag(word);
    uint64_t busy = plait__run_make(PLAIT__RUN_BUSY, is_warm, units);
    int rc = is_warm ? 0 : extend(offset_of(at + units));

    if (rc == 0 && rest > 0)
        rc = know(at + units);
    if (rc < 0)
        return rc;
    if (rest > 0)
        store(at + units, plait__run_make(PLAIT__RUN_FREE, is_warm, rest));
    store(at, plait__run_of_member(busy, plait__member_self()));
    if (is_warm)
        add_warm(-(int64_t)units);
    *ret_is_warm = is_warm;
    return 0;
}

/* pre: the heap lock is held. A hint that is no run's beginning by now has the descriptor 0. */
static int take_locked(struct search *search, uint32_t *ret_unit, bool *ret_is_warm)
{
    struct plait__runs *runs = plait__runs();
    uint64_t hint = __atomic_load_n(&runs->hint, __ATOMIC_RELAXED);
    uint32_t from = (uint32_t)hint, at, low;
    int rc;

    if (from >= runs->known || from >= runs->count || load(from) == 0)
        from = 0;
    at = walk(from, search);
    if (at == NONE && from > 0) {
        search->low = NONE;
        at = walk(0, search);
    }
    if (at == NONE)
        return -ENOMEM;
    rc = split(at, search->units, ret_is_warm);
    if (rc < 0)
        return rc;
    low = search->low != NONE ? search->low : at + search->units;
    /* not when a run became free meanwhile: it may be below */
    __atomic_compare_exchange_n(&runs->hint, &hint, (hint >> 32) << 32 | low, false,
                                __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    *ret_unit = at;
    return 0;
}

int plait__run_take(uint32_t units, uint32_t *ret_unit, bool *ret_is_zero)
{
    struct search search = { .units = units, .low = NONE, .suspect = NONE };
    uint32_t unit = 0;
    bool is_warm = false;
    int rc;

    lock_runs();
    rc = take_locked(&search, &unit, &is_warm);
    unlock_runs();
    if (search.suspect != NONE) {
        uint64_t word = load(search.suspect);
        if (plait__run_kind(word) == PLAIT__RUN_BUSY &&
            plait__member_is_dead(plait__run_member(word)))
            plait__run_rescue(search.suspect, word);
    }
    if (rc < 0)
        return rc;
    if (!is_warm) {
        rc = commit(unit, units);
        if (rc < 0) {
            make_cold(unit, units);
            return rc;
        }
    }
    *ret_unit = unit;
    *ret_is_zero = !is_warm;
    return 0;
}

/* A few warm free runs become BUSY of ours: how many. */
static unsigned take_warm(uint32_t *ret_units)
{
    unsigned n = 0;
    uint64_t word;

    lock_runs();
    for (uint32_t at = 0; at < plait__runs()->count && n < COOL_AT_ONCE;
         at += plait__run_units(word)) {
        word = load(at);
        PLAIT__ASSERT(plait__run_units(word) > 0);
        if (plait__run_kind(word) != PLAIT__RUN_FREE || !plait__run_flag(word))
            continue;
        word = merge(at, word);
        store(at,
              plait__run_of_member(plait__run_make(PLAIT__RUN_BUSY, true, plait__run_units(word)),
                                   plait__member_self()));
        add_warm(-(int64_t)plait__run_units(word));
        ret_units[n++] = at;
    }
    unlock_runs();
    return n;
}

void plait__runs_cool(void)
{
    uint32_t units[COOL_AT_ONCE];
    unsigned n;

    do {
        n = take_warm(units);
        for (unsigned i = 0; i < n; i++)
            make_cold(units[i], plait__run_units(load(units[i])));
    } while (n == COOL_AT_ONCE);
}

/* ---- the beginning ---- */

/* pre: the heap lock is held. Whoever is killed here leaves the count at 0. */
static int divide(void)
{
    struct plait__family *family = plait__family();
    struct plait__runs *runs = plait__runs();
    uint64_t page = plait__os_page_bytes(), shift = UNIT_SHIFT, count;
    int rc;

    while ((UINT64_C(1) << shift) < page)
        shift++;
    runs->shift = shift;
    runs->table = (sizeof *family + page - 1) / page * page;
    count =
        (family->shared.bytes - runs->table - page) / ((UINT64_C(1) << shift) + sizeof(uint64_t));
    runs->first = runs->table + (count * sizeof(uint64_t) + page - 1) / page * page;
    runs->known = 0;
    rc = extend(runs->first);
    if (rc == 0)
        rc = know(0);
    if (rc < 0)
        return rc;
    store(0, plait__run_make(PLAIT__RUN_FREE, false, (uint32_t)count));
    __atomic_store_n(&runs->count, count, __ATOMIC_RELEASE);
    return 0;
}

int plait__runs_open(void)
{
    int rc = plait__member_join();

    if (rc < 0 || __atomic_load_n(&plait__runs()->count, __ATOMIC_ACQUIRE) != 0)
        return rc;
    lock_runs();
    rc = plait__runs()->count == 0 ? divide() : 0;
    unlock_runs();
    return rc;
}
