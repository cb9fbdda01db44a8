/* The notes of the lock debug mode.
 * SPDX-License-Identifier: MIT
 *
 * A note lies at one of the few places that its lock, or, if it waits, its task begins at by hash:
 * so all of a lock are found at once. The way of a place:
 *
 *     free --task, by compare-and-swap--> being written --stamp even--> a note
 *     a note --stamp odd--> being removed --task 0--> free
 *     a note of the dead --stamp odd, by compare-and-swap--> --task, likewise--> being written
 *
 * Who is killed on this way leaves a place that names it. A reader takes what it read only if the
 * stamp was even and the same before and after.
 */
#include "sync/notes.h"
#include "family/member.h"
#include "os/clock.h"
#include "os/place.h"
#include "os/thread.h"
#include "sync/task_id.h"
#include "wait/sleeper.h"

#include <plait/shared.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    PLACES = 4096,
    PLACES_LOG2 = 12,
    WINDOW = 32, /* places that a lock or a task can have */
    WORDS = sizeof(struct plait__note) / sizeof(uint64_t),
    STAMP_WORD = offsetof(struct plait__note, stamp) / sizeof(uint64_t)
};

union place {
    struct plait__note note;
    uint64_t words[WORDS];
};

_Static_assert(sizeof(union place) == 128, "two cache lines");
_Static_assert(1 << PLACES_LOG2 == PLACES, "the hash has as many bits");

/* The table; NULL: there is none yet. */
static union place *find_table(void)
{
    struct plait__family *family = plait__family();

    /* acquire: pairs with the release of who made it */
    return family != NULL ? __atomic_load_n(&family->lock_notes, __ATOMIC_ACQUIRE) : NULL;
}

/* pre: we are in the family. NULL: no memory. */
static union place *make_table(void)
{
    void *table = find_table(), *made;

    if (table != NULL)
        return table;
    made = plait_shared_alloc(PLACES * sizeof(union place));
    if (made == NULL)
        return NULL;
    if (__atomic_compare_exchange_n(&plait__family()->lock_notes, &table, made, false,
                                    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return made;
    plait_shared_free(made);
    return table;
}

static uint32_t hash(uint64_t key)
{
    return (uint32_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> (64 - PLACES_LOG2));
}

static uint32_t hash_lock(uint64_t lock, uint32_t member)
{
    return hash(lock ^ (uint64_t)member << 34);
}

static bool is_wait(unsigned kind)
{
    return kind == PLAIT__NOTE_WAITS || kind == PLAIT__NOTE_WAITS_FOR_READERS;
}

/* Is this address ours alone? Then other processes can mean something else by it. */
static uint32_t member_of(const void *lock)
{
    return plait__is_shared(lock) ? 0 : plait__member_self();
}

static uint32_t member_of_task(uint64_t task)
{
    return (uint32_t)(task >> 32);
}

/* ---- reading ---- */

static bool read_note(const union place *place, union place *ret)
{
    const struct plait__note *note = &place->note;
    /* acquire: pairs with the release of who wrote this stamp: what follows is not older */
    uint32_t stamp = __atomic_load_n(&note->stamp, __ATOMIC_ACQUIRE);

    if (stamp % 2 != 0)
        return false;
    /* acquire: nor newer, as the stamp is read after them, and who changes a word has changed the
     * stamp before */
    for (int i = 0; i < WORDS; i++)
        ret->words[i] = __atomic_load_n(&place->words[i], __ATOMIC_ACQUIRE);
    return ret->note.task != 0 && ret->note.kind != 0 &&
           __atomic_load_n(&note->stamp, __ATOMIC_RELAXED) == stamp;
}

bool plait__note_next_on(uint64_t lock, uint32_t member, enum plait__note_kind kind, uint32_t *at,
                         struct plait__note *ret)
{
    union place *table = find_table(), copy;

    while (table != NULL && *at < WINDOW) {
        uint32_t i = (hash_lock(lock, member) + (*at)++) % PLACES;
        if (read_note(&table[i], &copy) && copy.note.kind == kind && copy.note.lock == lock &&
            copy.note.member == member) {
            *ret = copy.note;
            return true;
        }
    }
    return false;
}

static struct plait__note *find_wait(uint64_t task, union place *ret)
{
    union place *table = find_table();

    for (uint32_t n = 0; table != NULL && n < WINDOW; n++) {
        uint32_t i = (hash(task) + n) % PLACES;
        if (read_note(&table[i], ret) && is_wait(ret->note.kind) && ret->note.task == task)
            return &table[i].note;
    }
    return NULL;
}

bool plait__note_wait_of(uint64_t task, struct plait__note *ret)
{
    union place copy;

    if (find_wait(task, &copy) == NULL)
        return false;
    *ret = copy.note;
    return true;
}

struct plait__note *plait__note_my_wait(void)
{
    union place copy;

    return find_wait(plait__task_id(), &copy);
}

bool plait__note_again(uint32_t index, uint32_t stamp, struct plait__note *ret)
{
    union place copy;

    if (!read_note(&find_table()[index], &copy) || copy.note.stamp != stamp)
        return false;
    *ret = copy.note;
    return true;
}

struct plait__note *plait__note_mine(enum plait__note_kind kind, const void *lock)
{
    uint64_t self = plait__task_id();
    struct plait__note note, *of_ours = NULL;
    uint32_t at = 0;

    while (plait__note_next_on((uintptr_t)lock, member_of(lock), kind, &at, &note)) {
        struct plait__note *found = &find_table()[note.index].note;
        if (note.task == self)
            return found;
        if (kind == PLAIT__NOTE_READS && member_of_task(note.task) == member_of_task(self))
            of_ours = found;
    }
    return of_ours;
}

struct plait__note *plait__note_next_held(uint32_t *at, struct plait__note *ret)
{
    union place *table = find_table(), copy;
    uint32_t self = plait__member_self();

    while (table != NULL && self != 0 && *at < PLACES) {
        union place *place = &table[(*at)++];
        if (read_note(place, &copy) && !is_wait(copy.note.kind) &&
            member_of_task(copy.note.task) == self) {
            *ret = copy.note;
            return &place->note;
        }
    }
    return NULL;
}

/* ---- writing ---- */

/* Makes a free place, or one of a dead task, the running task's; its stamp is odd then. */
static bool claim(union place *place, uint64_t self, bool from_dead)
{
    struct plait__note *note = &place->note;
    /* the stamp first: as long as it stays, that task is not one that came after the dead */
    uint32_t stamp = __atomic_load_n(&note->stamp, __ATOMIC_ACQUIRE);
    uint64_t task = __atomic_load_n(&note->task, __ATOMIC_ACQUIRE);

    if (task != 0) {
        if (!from_dead || !plait__member_is_dead(member_of_task(task)))
            return false;
        /* else a reader could take the words of the dead for ours */
        if (stamp % 2 == 0 && !__atomic_compare_exchange_n(&note->stamp, &stamp, stamp + 1, false,
                                                           __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            return false;
    }
    if (!__atomic_compare_exchange_n(&note->task, &task, self, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return false;
    stamp = __atomic_load_n(&note->stamp, __ATOMIC_RELAXED);
    __atomic_store_n(&note->stamp, stamp | 1, __ATOMIC_RELAXED); /* 0 at the very first */
    return true;
}

static union place *claim_any(union place *table, uint32_t from, uint64_t self)
{
    for (uint32_t n = 0; n < 2 * WINDOW; n++) {
        union place *place = &table[(from + n % WINDOW) % PLACES];
        if (claim(place, self, n >= WINDOW))
            return place;
    }
    return NULL;
}

/* pre: it is ours, its stamp odd. */
static void write_note(union place *place, union place *from)
{
    uint32_t stamp = __atomic_load_n(&place->note.stamp, __ATOMIC_RELAXED);

    from->note.stamp = stamp;
    /* release: who sees one of these words sees the odd stamp */
    for (int i = STAMP_WORD; i < WORDS; i++)
        __atomic_store_n(&place->words[i], from->words[i], __ATOMIC_RELEASE);
    __atomic_store_n(&place->note.stamp, stamp + 1, __ATOMIC_RELEASE);
}

void plait__note_make(enum plait__note_kind kind, const void *lock, const void *place)
{
    const struct plait__sleeper *sleeper = plait__sleeper_current();
    const char *name = sleeper != NULL && sleeper->name != NULL ? sleeper->name : "";
    union place note = { .words = { 0 } }, *table, *at;
    uint64_t self;

    if (plait__member_join() < 0 || (table = make_table()) == NULL)
        return;
    self = plait__task_id();
    note.note = (struct plait__note){ .task = self,
                                      .kind = (uint16_t)kind,
                                      .lock = (uintptr_t)lock,
                                      .member = member_of(lock),
                                      .process = (uint32_t)getpid(),
                                      .thread = (uint32_t)plait__os_thread_id(),
                                      .since_ns = plait__os_now_ns() };
    snprintf(note.note.name, sizeof note.note.name, "%s", name);
    plait__os_place_write(place, note.note.place, sizeof note.note.place);
    at = claim_any(table, is_wait(kind) ? hash(self) : hash_lock(note.note.lock, note.note.member),
                   self);
    if (at == NULL)
        return;
    note.note.index = (uint32_t)(at - table);
    write_note(at, &note);
}

void plait__note_remove(struct plait__note *note)
{
    if (note == NULL)
        return;
    __atomic_fetch_add(&note->stamp, 1, __ATOMIC_RELEASE);
    __atomic_store_n(&note->task, 0, __ATOMIC_RELEASE);
}

void plait__note_set_flag(struct plait__note *note, uint16_t flag)
{
    __atomic_fetch_or(&note->flags, flag, __ATOMIC_RELAXED); /* nothing else is handed over */
}
