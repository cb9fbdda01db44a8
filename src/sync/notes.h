/* The notes of the lock debug mode: which task holds which lock, and which waits for one.
 * SPDX-License-Identifier: MIT
 *
 * They lie in the family's heap, so that each process can name the tasks of the others. A note is
 * written and taken away by its task alone, except that the place of a dead one is used again. Who
 * reads one gets all of it as it was at one moment, or nothing.
 */
#ifndef PLAIT__SYNC_NOTES_H
#define PLAIT__SYNC_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum plait__note_kind {
    PLAIT__NOTE_HOLDS = 1,        /* alone */
    PLAIT__NOTE_READS,            /* with others */
    PLAIT__NOTE_WAITS,            /* for who holds it alone */
    PLAIT__NOTE_WAITS_FOR_READERS /* for those who read */
};

enum {
    PLAIT__NOTE_HAS_ENDED = 1, /* flag: its task has ended, and holds it for ever */
    PLAIT__NOTE_IS_LONG = 2,   /* flag: that the wait is long was told */
    PLAIT__NOTE_IS_CYCLE = 4,  /* flag: that it waits for itself was told */
    PLAIT__NOTE_NAME_BYTES = 24,
    PLAIT__NOTE_PLACE_BYTES = 56
};

struct plait__note {
    uint64_t task;    /* atomic: whose it is, as plait__task_id says; 0: nobody's */
    uint32_t stamp;   /* atomic: odd while there is nothing to read; never the same twice */
    uint16_t kind;    /* enum plait__note_kind */
    uint16_t flags;   /* atomic: its task */
    uint64_t lock;    /* its address */
    uint32_t member;  /* the only process that means this lock by that address; 0: all do */
    uint32_t process; /* for people: the kernel's ids */
    uint32_t thread;
    uint32_t index; /* const: its own in the table */
    int64_t since_ns;
    char name[PLAIT__NOTE_NAME_BYTES]; /* of the task; "": it has none */
    char place[PLAIT__NOTE_PLACE_BYTES];
};

/* Makes a note of the running task, of now. Where the table is full, or there is no memory for it,
 * there is none: 32 for each lock and each task are sure to have room. */
void plait__note_make(enum plait__note_kind kind, const void *lock, const void *place);
/* The running task's note of this kind on the lock; of those who read, else another one of this
 * process, as any task may release it. NULL: there is none. */
struct plait__note *plait__note_mine(enum plait__note_kind kind, const void *lock);
/* What the running task waits for. NULL: nothing. */
struct plait__note *plait__note_my_wait(void);
void plait__note_remove(struct plait__note *note);
void plait__note_set_flag(struct plait__note *note, uint16_t flag);

/* Goes through the notes of one kind on a lock; *at is 0 at first. False: there are no more. */
bool plait__note_next_on(uint64_t lock, uint32_t member, enum plait__note_kind kind, uint32_t *at,
                         struct plait__note *ret);
/* What that task waits for. */
bool plait__note_wait_of(uint64_t task, struct plait__note *ret);
/* Is this note, of which these were read, still the same? */
bool plait__note_again(uint32_t index, uint32_t stamp, struct plait__note *ret);
/* Goes through what the tasks of this process hold. NULL: there are no more. */
struct plait__note *plait__note_next_held(uint32_t *at, struct plait__note *ret);

#endif
