/* The named segments that this process has mapped.
 * SPDX-License-Identifier: MIT
 *
 * In a segment a process goes by its member id, as in its family; its proof of life is the byte of
 * that id, which it has locked in the segment's file. A forked child locks the byte of its own id
 * in each segment that it has inherited when it joins the family, before anything can name it.
 */
#ifndef PLAIT__FAMILY_ATTACHED_H
#define PLAIT__FAMILY_ATTACHED_H

#include "family/segment_layout.h"
#include "os/private_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PLAIT__SEGMENTS = 128 /* at once in a process */
};

/* Bytes of the file. None of them holds anything, most are behind its end. */
enum {
    PLAIT__BYTE_OF_ID = 1 << 30,        /* plus the id: that process has it mapped */
    PLAIT__BYTE_IN_USE = (1 << 30) - 1, /* shared: by all who have it open */
    PLAIT__BYTE_GUARD = (1 << 30) - 2,  /* somebody is about to open or remove it */
};

/* One that is mapped. All but the first and the last field are const while it is. */
struct plait_segment {
    uint64_t range; /* atomic: where it is mapped, as attached.c packs it; 0: the entry is free */
    char *base;
    struct plait__segment_shape shape;
    int fd; /* the only one of this file in this process */
    struct plait__file_id id;
    char *name;    /* as it was asked for */
    char *path;    /* absolute; NULL: it has none */
    uint32_t refs; /* lock: how often it was opened */
};

/* Only for the next function. */
extern uint32_t plait__attached_most; /* atomic: entries at or above it were never used */

/* The segment that the address lies in, or NULL. Lock-free. */
struct plait_segment *plait__attached_at(const void *address);

static inline bool plait__attached_has(const void *address)
{
    return __atomic_load_n(&plait__attached_most, __ATOMIC_RELAXED) != 0 &&
           plait__attached_at(address) != NULL;
}

/* Has the process with that id, not ours, ended or left this segment? Proven by the kernel. */
bool plait__attached_is_dead(const struct plait_segment *segment, uint32_t id);

/* Who changes the table has this lock. It is free in a forked child. */
void plait__attached_lock(void);
bool plait__attached_try_lock(void);
void plait__attached_unlock(void);

/* pre, of all of these: lock. */

/* -EBUSY: in one of them another process has that id; -errno. Then we have it in none. */
int plait__attached_take_bytes(uint32_t id);
/* The entry of that file, or NULL. */
struct plait_segment *plait__attached_find(const struct plait__file_id *id);
/* The entry without a path that was opened by that name, or NULL. */
struct plait_segment *plait__attached_find_name(const char *name);
bool plait__attached_is_full(void);
/* Can the table say where it is mapped? */
bool plait__attached_fits(const struct plait_segment *segment);
/* Into the table; it must not be full. Its entry. */
struct plait_segment *plait__attached_add(const struct plait_segment *segment);
/* Out of the table: *segment stays as it is, but its range. */
void plait__attached_remove(struct plait_segment *segment);
/* In a forked process that uses nothing of its parent's and runs no other thread: unmaps them
 * all. */
void plait__attached_forget(void);
/* Is it an entry that is mapped? */
bool plait__attached_is_valid(const struct plait_segment *segment);

#endif
