/* Threads, or processes, that sleep on a futex each.
 * SPDX-License-Identifier: MIT
 */
#include "wakes.h"

#include <linux/futex.h>
#include <sys/syscall.h>

static uint32_t *words; /* atomic: 1: woken; a cache line each */

static uint32_t *word_of(unsigned number)
{
    return words + number * (BENCH_LINE / sizeof *words);
}

static long futex(uint32_t *word, int op, uint32_t value)
{
    op |= wakes.are_threads ? FUTEX_PRIVATE_FLAG : 0;
    return syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

static int wakes_make(void)
{
    words = bench_shared(2 * BENCH_LINE);
    return words == NULL ? -ENOMEM : 0;
}

static int wakes_run(unsigned number, int (*fn)(void *), void *arg)
{
    (void)number;
    return fn(arg);
}

static int wakes_wait(unsigned number)
{
    while (__atomic_exchange_n(word_of(number), 0, __ATOMIC_ACQUIRE) == 0)
        if (futex(word_of(number), FUTEX_WAIT, 0) < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
    return 0;
}

static int wakes_wake(unsigned number)
{
    __atomic_store_n(word_of(number), 1, __ATOMIC_RELEASE);
    return futex(word_of(number), FUTEX_WAKE, 1) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
    return wakes_main(argc, argv);
}
