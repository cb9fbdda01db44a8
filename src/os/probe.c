/* Probing the kernel.
 * SPDX-License-Identifier: MIT
 */
#include "os/probe.h"
#include "base/env.h"
#include "os/barrier.h"
#include "os/call_numbers.h"
#include "os/pidfd.h"
#include "os/uring_setup.h"

#include <errno.h>
#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#    define MADV_GUARD_INSTALL 102
#endif

static const struct plait__probe probes[PLAIT__PROBE_COUNT] = {
    [PLAIT__PROBE_FUTEX_WAITV] = { "futex_waitv", "5.16",
                                   "a thread that waits for a word is cancelled at once; without: within 20 ms" },
    [PLAIT__PROBE_CLOSE_RANGE] = { "close_range", "5.9",
                                   "the keeper closes the host's files by one call; without: by a list from /proc" },
    [PLAIT__PROBE_PIDFD_INFO] = { "pidfd_info", "6.15",
                                  "the end of a process that the host reaped is still known; without: said as unknown" },
    [PLAIT__PROBE_TMPFILE] = { "tmpfile", "3.11",
                               "a file of shared memory gets its name when it is whole; without: PATH.plait-new until then" },
    [PLAIT__PROBE_EPOLL_PWAIT2] = { "epoll_pwait2", "5.11",
                                    "a loop's timers are exact; without: late by up to a millisecond" },
    [PLAIT__PROBE_GUARD_MARKS] = { "guard_marks", "6.13",
                                   "each coroutine's stack has a guard page; without: some ten thousand of them" },
    [PLAIT__PROBE_IO_URING] = { "io_uring", "6.1",
                                "a loop asks for all its descriptors by one call; without: by epoll, one by one" },
    [PLAIT__PROBE_IO_URING_FUTEX] = { "io_uring_futex", "6.7",
                                      "a loop waits for words and descriptors by itself; without: with a helper thread" },
    [PLAIT__PROBE_MEMBARRIER] = { "membarrier", "4.14",
                                  "the thread that made a queue of one process needs no lock; without: a mutex" },
};

/* Per probe: 0 not asked yet, else one of these. Threads may ask at the same time: both find the
 * same. */
enum {
    HAS = 1,
    HAS_NOT = 2,
    DISABLED = 3
};

enum {
    NO_ADVICE = 9999 /* means nothing to madvise(2) */
};

/* Atomic: any order, the answer is the same from everybody. */
static int answers[PLAIT__PROBE_COUNT];

/* An emulator that takes any advice is not believed. */
static bool marks_guards(void)
{
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool marks;

    if (page == MAP_FAILED)
        return false;
    marks = madvise(page, bytes, NO_ADVICE) < 0 && madvise(page, bytes, MADV_GUARD_INSTALL) == 0;
    munmap(page, bytes);
    return marks;
}

static bool ask_kernel(enum plait__probe_id id)
{
    switch (id) {
    case PLAIT__PROBE_FUTEX_WAITV:
        /* no waiters: EINVAL from a kernel that knows the call */
        return syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0) < 0 && errno == EINVAL;
    case PLAIT__PROBE_CLOSE_RANGE:
        return syscall(SYS_close_range, UINT_MAX, UINT_MAX, 0) == 0;
    case PLAIT__PROBE_PIDFD_INFO:
        return plait__os_pidfd_status_works();
    case PLAIT__PROBE_TMPFILE:
        return true; /* the kernel has it; of the file system, opening tells */
    case PLAIT__PROBE_EPOLL_PWAIT2:
        return syscall(SYS_epoll_pwait2, -1, NULL, 0, NULL, NULL, 0) < 0 && errno != ENOSYS;
    case PLAIT__PROBE_GUARD_MARKS:
        return marks_guards();
    case PLAIT__PROBE_IO_URING:
        return plait__os_uring_works();
    case PLAIT__PROBE_IO_URING_FUTEX:
        return plait__os_uring_has_futexes();
    case PLAIT__PROBE_MEMBARRIER:
        return plait__os_barrier_works();
    case PLAIT__PROBE_COUNT:
        break;
    }
    return false;
}

static int find_out(enum plait__probe_id id)
{
    if (plait__env_lists("PLAIT_DISABLE", "all") ||
        plait__env_lists("PLAIT_DISABLE", probes[id].name))
        return DISABLED;
    return ask_kernel(id) ? HAS : HAS_NOT;
}

static int answer_of(enum plait__probe_id id)
{
    int answer = __atomic_load_n(&answers[id], __ATOMIC_RELAXED);

    if (answer == 0) {
        answer = find_out(id);
        __atomic_store_n(&answers[id], answer, __ATOMIC_RELAXED);
    }
    return answer;
}

const struct plait__probe *plait__probe_at(enum plait__probe_id id)
{
    return &probes[id];
}

bool plait__probe_has(enum plait__probe_id id)
{
    return answer_of(id) == HAS;
}

bool plait__probe_is_disabled(enum plait__probe_id id)
{
    return answer_of(id) == DISABLED;
}
