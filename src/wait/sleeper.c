/* A task as the seam knows it.
 * SPDX-License-Identifier: MIT
 *
 * How a cancel finds a sleeping thread. On a word: the thread sleeps on two words, the one it wants
 * and its own cancel word (futex_waitv); the kernel compares both, so a cancel between our look and
 * the sleep is not lost. Without futex_waitv it sleeps in slices. On descriptors: an eventfd of the
 * task's is polled along.
 */
#include "wait/sleeper.h"
#include "base/debug.h"
#include "base/time.h"
#include "os/clock.h"
#include "os/futex.h"

#include <limits.h>
#include <unistd.h>

_Thread_local struct plait__sleeper *plait__sleeper_now __attribute__((tls_model("initial-exec")));
_Thread_local uint32_t plait__thread_number __attribute__((tls_model("initial-exec")));
_Thread_local uint32_t plait__running_number __attribute__((tls_model("initial-exec")));

uint32_t plait__task_number_new(void)
{
    /* goes on in a forked child: there the thread that forked keeps its number */
    static uint32_t last; /* atomic, relaxed: nothing but the number itself is handed over */
    struct plait__sleeper *sleeper = plait__sleeper_now;
    bool is_thread = sleeper == NULL || sleeper->ops == NULL;
    uint32_t *kept = is_thread ? &plait__thread_number : &sleeper->number;

    while (*kept == 0)
        *kept = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
    if (!plait__debug_locks())
        plait__running_number = *kept;
    return *kept;
}

void plait__sleeper_fini(struct plait__sleeper *sleeper)
{
    int wake_fd = __atomic_load_n(&sleeper->wake_fd, __ATOMIC_RELAXED); /* only its task made one */

    if (wake_fd > 0)
        close(wake_fd - 1);
    __atomic_store_n(&sleeper->wake_fd, 0, __ATOMIC_RELAXED);
}

bool plait__has_passed_its_time(const struct plait__sleeper *sleeper)
{
    return plait__os_now_ns() >= sleeper->until_ns;
}

plait_deadline plait__until_here(plait_deadline until)
{
    return plait__in_scope(plait__sleeper_now, until);
}

plait_deadline plait__sleep_begins(struct plait__sleeper *sleeper, const uint32_t *word,
                                   plait_deadline until)
{
    if (sleeper == NULL)
        return until;
    if (sleeper->until_ns != 0 && sleeper->until_ns < until.ns && sleeper->masks == 0)
        until.ns = sleeper->until_ns;
    if (sleeper->on_sleep != NULL) {
        int64_t slice_ns = sleeper->on_sleep(sleeper, word, true);
        if (slice_ns < INT64_MAX)
            until =
                plait__deadline_earlier(until, plait__deadline_after(plait__os_now_ns(), slice_ns));
    }
    return until;
}

void plait__sleep_ends(struct plait__sleeper *sleeper, const uint32_t *word)
{
    if (sleeper != NULL && sleeper->on_sleep != NULL)
        sleeper->on_sleep(sleeper, word, false);
}

void plait__mask_cancel(void)
{
    if (plait__sleeper_now != NULL)
        plait__sleeper_now->masks++;
}

/* A thread without a sleeper may have got one meanwhile: a loop, by a callback. */
void plait__unmask_cancel(void)
{
    if (plait__sleeper_now != NULL && plait__sleeper_now->masks > 0)
        plait__sleeper_now->masks--;
}

void plait__cancel(struct plait__sleeper *sleeper)
{
    const struct plait__park_ops *ops;
    int wake_fd;

    /* seq_cst: either the sleeper sees `cancel` after it has published wake_fd or ops, or we see
     * them here */
    __atomic_store_n(&sleeper->cancel, 1, __ATOMIC_SEQ_CST);
    ops = __atomic_load_n(&sleeper->ops, __ATOMIC_SEQ_CST);
    if (ops != NULL) {
        ops->unpark(sleeper);
        return;
    }
    plait__os_futex_wake(&sleeper->cancel, UINT_MAX);
    wake_fd = __atomic_load_n(&sleeper->wake_fd, __ATOMIC_SEQ_CST);
    if (wake_fd > 0)
        plait__os_eventfd_raise(wake_fd - 1);
}

int plait__sleeper_wake_fd(struct plait__sleeper *sleeper)
{
    int wake_fd = __atomic_load_n(&sleeper->wake_fd, __ATOMIC_SEQ_CST);

    if (wake_fd > 0)
        return wake_fd - 1;
    wake_fd = plait__os_eventfd();
    if (wake_fd < 0)
        return wake_fd;
    /* seq_cst: the partner is plait__cancel */
    __atomic_store_n(&sleeper->wake_fd, wake_fd + 1, __ATOMIC_SEQ_CST);
    return wake_fd;
}
