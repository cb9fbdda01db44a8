/* Futexes, by the raw calls: no libc wraps them.
 * SPDX-License-Identifier: MIT
 */
#include "os/futex.h"
#include "os/call_numbers.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    WORD_32_BITS = 2, /* FUTEX2_SIZE_U32, which older headers call FUTEX_32 */
    WAITV_ON_STACK = 32,
};

/* The kernel's struct futex_waitv, which Linux 5.10 headers lack. */
struct waitv {
    uint64_t expected;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
};

/* NULL: for ever. */
static const struct timespec *to_timespec(int64_t until_ns, struct timespec *storage)
{
    if (until_ns == INT64_MAX)
        return NULL;
    if (until_ns < 0)
        until_ns = 0;
    storage->tv_sec = until_ns / 1000000000;
    storage->tv_nsec = until_ns % 1000000000;
    return storage;
}

static int explain(long rc)
{
    return rc >= 0 ? 0 : -errno;
}

int plait__os_futex_wait(const uint32_t *word, uint32_t expected, int64_t until_ns)
{
    struct timespec storage;

    return explain(syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected,
                           to_timespec(until_ns, &storage), NULL, FUTEX_BITSET_MATCH_ANY));
}

int plait__os_futex_wait2(const uint32_t *word, uint32_t expected, const uint32_t *word2,
                          uint32_t expected2, int64_t until_ns)
{
    struct timespec storage;
    struct waitv waiters[2] = {
        { .expected = expected, .address = (uintptr_t)word, .flags = WORD_32_BITS },
        { .expected = expected2, .address = (uintptr_t)word2, .flags = WORD_32_BITS },
    };

    return explain(
        syscall(SYS_futex_waitv, waiters, 2, 0, to_timespec(until_ns, &storage), CLOCK_MONOTONIC));
}

int plait__os_futex_wait_any(const struct plait__futex *words, size_t n, int64_t until_ns)
{
    struct waitv on_stack[WAITV_ON_STACK];
    struct waitv *waiters = n <= WAITV_ON_STACK ? on_stack : malloc(n * sizeof *waiters);
    struct timespec storage;
    int rc;

    if (waiters == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        waiters[i] = (struct waitv){ .expected = words[i].expected,
                                     .address = (uintptr_t)words[i].word,
                                     .flags = WORD_32_BITS };
    rc = explain(syscall(SYS_futex_waitv, waiters, (unsigned)n, 0, to_timespec(until_ns, &storage),
                         CLOCK_MONOTONIC));
    if (waiters != on_stack)
        free(waiters);
    return rc == -EINTR ? 0 : rc;
}

int plait__os_futex_wake(const uint32_t *word, unsigned n)
{
    int saved = errno; /* also called from where errno must stay */
    long rc = syscall(SYS_futex, word, FUTEX_WAKE, n > INT_MAX ? INT_MAX : (int)n, NULL, NULL, 0);

    errno = saved;
    return rc < 0 ? 0 : (int)rc; /* EFAULT alone: the word is gone, and so are its sleepers */
}
