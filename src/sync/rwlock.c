/* Locks for many readers or one writer.
 * SPDX-License-Identifier: MIT
 *
 * A writer takes the word, which keeps new readers out, and then waits until all readers have left.
 * A reader counts itself into an entry that names its process, and then looks whether a writer has
 * the word: if so, it takes itself out again and waits until the word is free. Each side writes
 * first and looks then, all seq_cst: at least one of them sees the other.
 *
 * A reader that is killed leaves its entry behind, which the waiting writer takes out when the
 * death is proven.
 */
#include <plait/rwlock.h>

#include "sync/debug.h"
#include "sync/eventcount.h"
#include "sync/lock.h"
#include "sync/nap.h"
#include "sync/owned.h"

#include <errno.h>
#include <stddef.h>

enum {
    ENTRIES = sizeof((plait_rwlock *)NULL)->readers / sizeof(uint64_t)
};

static uint32_t member_of(uint64_t entry)
{
    return (uint32_t)(entry >> 32);
}

static uint64_t make_entry(uint32_t member, uint32_t count)
{
    return count == 0 ? 0 : (uint64_t)member << 32 | count;
}

static bool change(uint64_t *entry, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(entry, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static bool is_mine(const plait_rwlock *rwlock)
{
    return __atomic_load_n(&rwlock->holder, __ATOMIC_RELAXED) == plait__task_id();
}

static void release_word(plait_rwlock *rwlock)
{
    if (plait__debug_locks())
        plait__debug_releases(PLAIT__NOTE_HOLDS, rwlock);
    __atomic_store_n(&rwlock->holder, 0, __ATOMIC_RELAXED);
    plait__owned_release(&rwlock->word);
}

static int acquire_word(plait_rwlock *rwlock, bool takes_broken, plait_deadline until,
                        const void *place)
{
    bool is_watched = plait__debug_locks();
    int rc;

    if (is_mine(rwlock))
        return -EDEADLK;
    if (is_watched)
        plait__debug_waits(PLAIT__NOTE_WAITS, rwlock, place);
    if (__atomic_load_n(&rwlock->word, __ATOMIC_RELAXED) != 0)
        plait__say_wait(PLAIT__ON_RWLOCK, &rwlock->word);
    rc = plait__owned_acquire(&rwlock->word, takes_broken, until);
    if (is_watched)
        plait__debug_waits_no_more();
    if (rc < 0)
        return rc;
    if (is_watched)
        plait__debug_holds(PLAIT__NOTE_HOLDS, rwlock, place);
    __atomic_store_n(&rwlock->holder, plait__task_id(), __ATOMIC_RELAXED);
    return 0;
}

/* ---- entries ---- */

/* The dead read no more; in private memory other members are what a fork has copied. */
static void forget_dead(plait_rwlock *rwlock)
{
    bool is_shared = plait__is_shared(rwlock);

    for (int i = 0; i < ENTRIES; i++) {
        uint64_t entry = __atomic_load_n(&rwlock->readers[i], __ATOMIC_SEQ_CST);
        uint32_t member = member_of(entry);
        if (entry != 0 && member != plait__member_self() &&
            (!is_shared || plait__holder_is_dead(rwlock, member)))
            change(&rwlock->readers[i], entry, 0);
    }
}

/* pre: we are in the family. False: no entry is left. */
static bool count_in(plait_rwlock *rwlock)
{
    uint32_t self = plait__member_self();

    for (uint32_t i = 0; i < ENTRIES; i++) {
        uint64_t *at = &rwlock->readers[(self + i) % ENTRIES];
        uint64_t entry = __atomic_load_n(at, __ATOMIC_SEQ_CST);
        while (entry == 0 || member_of(entry) == self) {
            if (change(at, entry, make_entry(self, (uint32_t)entry + 1)))
                return true;
            entry = __atomic_load_n(at, __ATOMIC_SEQ_CST);
        }
    }
    return false;
}

/* False: this process does not read. */
static bool count_out(plait_rwlock *rwlock)
{
    uint32_t self = plait__member_self();

    for (uint32_t i = 0; self != 0 && i < ENTRIES; i++) {
        uint64_t *at = &rwlock->readers[(self + i) % ENTRIES];
        uint64_t entry = __atomic_load_n(at, __ATOMIC_SEQ_CST);
        while (member_of(entry) == self) {
            if (!change(at, entry, make_entry(self, (uint32_t)entry - 1))) {
                entry = __atomic_load_n(at, __ATOMIC_SEQ_CST);
                continue;
            }
            /* a writer that has the word may sleep until we are out */
            if (plait__owned_by(__atomic_load_n(&rwlock->word, __ATOMIC_SEQ_CST)) != 0)
                plait__eventcount_signal(&rwlock->event, 1);
            return true;
        }
    }
    return false;
}

static bool has_readers(const plait_rwlock *rwlock)
{
    for (int i = 0; i < ENTRIES; i++)
        if (__atomic_load_n(&rwlock->readers[i], __ATOMIC_SEQ_CST) != 0)
            return true;
    return false;
}

/* ---- reading ---- */

/* 0: we read · -EAGAIN: a writer is there, or was killed · -EUSERS. */
static int try_to_read(plait_rwlock *rwlock)
{
    if (__atomic_load_n(&rwlock->word, __ATOMIC_SEQ_CST) != 0)
        return -EAGAIN;
    if (!count_in(rwlock)) {
        forget_dead(rwlock);
        if (!count_in(rwlock))
            return -EUSERS;
    }
    if (__atomic_load_n(&rwlock->word, __ATOMIC_SEQ_CST) == 0)
        return 0;
    count_out(rwlock);
    return -EAGAIN;
}

static int wait_for_writer(plait_rwlock *rwlock, plait_deadline until, const void *place)
{
    bool is_watched = plait__debug_locks();
    int rc;

    if (is_mine(rwlock))
        return -EDEADLK;
    if (is_watched)
        plait__debug_waits(PLAIT__NOTE_WAITS, rwlock, place);
    plait__say_wait(PLAIT__ON_RWLOCK, &rwlock->word);
    rc = plait__owned_wait(&rwlock->word, until);
    if (is_watched)
        plait__debug_waits_no_more();
    return rc;
}

int plait_rwlock_acquire_read(plait_rwlock *rwlock, plait_deadline until)
{
    int rc;

    if (rwlock == NULL)
        return -EINVAL;
    rc = plait__member_join();
    if (rc < 0)
        return rc;
    while ((rc = try_to_read(rwlock)) == -EAGAIN) {
        rc = wait_for_writer(rwlock, until, PLAIT__CALLER);
        if (rc < 0)
            return rc;
    }
    if (rc == 0 && plait__debug_locks())
        plait__debug_holds(PLAIT__NOTE_READS, rwlock, PLAIT__CALLER);
    return rc;
}

/* ---- writing ---- */

/* We have the word. 0: nobody reads any more. */
static int wait_for_readers(plait_rwlock *rwlock, plait_deadline until)
{
    int rc = 0;

    /* the word was taken with less than seq_cst: what a reader that has not seen it wrote before,
     * we see after this */
    __atomic_fetch_or(&rwlock->word, 0, __ATOMIC_SEQ_CST);
    for (unsigned round = 0; has_readers(rwlock); round++) {
        uint32_t event;
        if (rc < 0)
            return rc;
        if (round == 0 && !plait__is_shared(rwlock))
            forget_dead(rwlock);
        event = plait__eventcount_announce(&rwlock->event);
        if (!has_readers(rwlock))
            return 0;
        plait__say_wait(PLAIT__ON_RWLOCK, &rwlock->event);
        rc = plait__nap(&rwlock->event, event, round, until);
        if (rc == 1 || rc == -ETIMEDOUT)
            forget_dead(rwlock);
    }
    return 0;
}

static int acquire_write(plait_rwlock *rwlock, bool takes_broken, plait_deadline until,
                         const void *place)
{
    int rc;

    if (rwlock == NULL)
        return -EINVAL;
    rc = acquire_word(rwlock, takes_broken, until, place);
    if (rc < 0)
        return rc;
    if (plait__debug_locks())
        plait__debug_waits(PLAIT__NOTE_WAITS_FOR_READERS, rwlock, place);
    rc = wait_for_readers(rwlock, until);
    if (plait__debug_locks())
        plait__debug_waits_no_more();
    if (rc < 0)
        release_word(rwlock);
    return rc;
}

int plait_rwlock_acquire_write(plait_rwlock *rwlock, plait_deadline until)
{
    return acquire_write(rwlock, false, until, PLAIT__CALLER);
}

int plait_rwlock_recover(plait_rwlock *rwlock, plait_deadline until)
{
    return acquire_write(rwlock, true, until, PLAIT__CALLER);
}

int plait_rwlock_repaired(plait_rwlock *rwlock)
{
    if (rwlock == NULL)
        return -EINVAL;
    if (!is_mine(rwlock))
        return -EPERM;
    plait__owned_mend(&rwlock->word);
    return 0;
}

int plait_rwlock_release(plait_rwlock *rwlock)
{
    if (rwlock == NULL)
        return -EINVAL;
    if (is_mine(rwlock)) {
        release_word(rwlock);
        return 0;
    }
    if (plait__debug_locks())
        plait__debug_releases(PLAIT__NOTE_READS, rwlock);
    return count_out(rwlock) ? 0 : -EPERM;
}
