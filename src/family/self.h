/* What this process knows of itself.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__FAMILY_SELF_H
#define PLAIT__FAMILY_SELF_H

#include <stdint.h>
#include <sys/types.h>

/* Zero again in each forked child. */
struct plait__self {
    uint32_t member;         /* atomic: 0: not in the family yet */
    uint32_t is_joining;     /* atomic: a thread of this process is about to join */
    uint32_t heap_lock;      /* atomic: of heap.c, between the threads of this process */
    uint32_t segments_lock;  /* atomic: of attached.c, likewise */
    uint32_t heap_slabs[32]; /* of heap.c: the slab of each size that we take blocks from */
    uint32_t pools;          /* atomic: of pool/bell.c: which process of our line of forks we are */
    uint32_t pid;            /* atomic: kept here once it was asked for */
};

/* Only for the next function. Atomic: set once. */
extern struct plait__self *plait__self;

/* Where it is; zeroes before the first join. */
static inline struct plait__self *plait__myself(void)
{
    return __atomic_load_n(&plait__self, __ATOMIC_ACQUIRE);
}

/* From now on what this process knows of itself is kept; before, or without memory, it is found out
 * each time. */
void plait__self_keep(void);

/* Only for the next function. */
pid_t plait__self_find_pid(void);

/* 0: it is not kept yet. */
static inline pid_t plait__self_kept_pid(void)
{
    /* relaxed: all threads of a process store the same */
    return (pid_t)__atomic_load_n(&plait__myself()->pid, __ATOMIC_RELAXED);
}

/* The id of this process, also in a forked child; in most cases without a system call. */
static inline pid_t plait__self_pid(void)
{
    pid_t pid = plait__self_kept_pid();

    return pid != 0 ? pid : plait__self_find_pid();
}

#endif
