/* What this kernel has beyond Linux 5.10, each item found out once and each one possible to switch
 * off. SPDX-License-Identifier: MIT
 *
 * PLAIT_DISABLE=all, or a list of names such as PLAIT_DISABLE=futex_waitv,pidfd_info, makes plait
 * behave as on a kernel without them, so that the fall-backs are tested on every kernel.
 */
#ifndef PLAIT__OS_PROBE_H
#define PLAIT__OS_PROBE_H

#include <stdbool.h>
#include <stddef.h>

enum plait__probe_id {
    PLAIT__PROBE_FUTEX_WAITV,
    PLAIT__PROBE_CLOSE_RANGE,
    PLAIT__PROBE_PIDFD_INFO,
    PLAIT__PROBE_TMPFILE,
    PLAIT__PROBE_EPOLL_PWAIT2,
    PLAIT__PROBE_GUARD_MARKS,
    PLAIT__PROBE_IO_URING,
    PLAIT__PROBE_IO_URING_FUTEX,
    PLAIT__PROBE_MEMBARRIER,
    PLAIT__PROBE_COUNT
};

struct plait__probe {
    const char *name;  /* as in PLAIT_DISABLE */
    const char *since; /* the first kernel that has it */
    const char *what;  /* what plait does with it, and without it */
};

const struct plait__probe *plait__probe_at(enum plait__probe_id id);

/* Is it there, and not switched off? Asked once, then remembered; async-signal-safe after the first
 * call. */
bool plait__probe_has(enum plait__probe_id id);
/* Was it switched off by PLAIT_DISABLE? */
bool plait__probe_is_disabled(enum plait__probe_id id);

#endif
