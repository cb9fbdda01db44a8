/* How soon a process runs when it has been woken.
 * SPDX-License-Identifier: MIT
 *
 * A task that was woken with a shorter slice than the one that runs preempts it; with the same
 * slice it waits for the other's turn to end, which on a busy machine is longer than many a command
 * takes.
 */
#include "os/sched.h"

#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    SHORTEST_SLICE_NS = 100 * 1000, /* the kernel's own bound */
    FLAG_RESET_ON_FORK = 1,
};

/* The kernel's struct sched_attr in its first size; not every C library has it. */
struct attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime; /* of a normal task: its slice; 0 on a kernel that knows none */
    uint64_t deadline;
    uint64_t period;
};

void plait__os_sched_short_turns(void)
{
    struct attributes attributes = { .size = sizeof attributes };

    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0 ||
        attributes.policy != SCHED_OTHER || attributes.runtime <= SHORTEST_SLICE_NS)
        return;
    attributes.runtime = SHORTEST_SLICE_NS;
    attributes.flags |= FLAG_RESET_ON_FORK;
    syscall(SYS_sched_setattr, 0, &attributes, 0); /* refused: as before */
}

void plait__os_yield(void)
{
    sched_yield();
}
