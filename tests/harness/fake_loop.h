/* A scheduler of coroutines that is as small as can be, for tests of the wait seam: it knows nothing
 * but struct plait__park_ops.
 * SPDX-License-Identifier: MIT
 *
 * The tasks of a loop run one at a time on the thread that called loop_run, each on a stack of its
 * own. A task that parks switches back to the loop; the loop switches to whoever was unparked, whose
 * deadline has passed or whose descriptors are ready, and else sleeps until its bell is rung.
 */
#ifndef PLAIT_TESTS_FAKE_LOOP_H
#define PLAIT_TESTS_FAKE_LOOP_H

#include "os/clock.h"
#include "os/fd.h"
#include "os/sanitize.h"
#include "wait/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

#include "test.h"

#ifdef PLAIT__TSAN
#    include <sanitizer/tsan_interface.h>
#else
static inline void *__tsan_get_current_fiber(void)
{
    return NULL;
}

static inline void *__tsan_create_fiber(unsigned flags)
{
    (void)flags;
    return NULL;
}

static inline void __tsan_destroy_fiber(void *fiber)
{
    (void)fiber;
}

static inline void __tsan_switch_to_fiber(void *fiber, unsigned flags)
{
    (void)fiber;
    (void)flags;
}
#endif

enum {
    LOOP_TASKS = 16,
    LOOP_STACK_BYTES = 256 * 1024
};

struct fake_loop;

struct fake_task {
    struct plait__sleeper sleeper; /* first: the ops get its address */
    struct fake_loop *loop;
    void (*fn)(void *arg);
    void *arg;
    ucontext_t context;
    void *stack, *fiber;
    uint32_t unparked; /* atomic: a token for the next park */
    bool parked, done;
    plait_deadline until;  /* parked: when to run again in any case */
    struct plait__fd *fds; /* parked: run again when one is ready */
    size_t n_fds;
};

struct fake_loop {
    struct fake_task tasks[LOOP_TASKS];
    size_t n, switches;
    int bell; /* an eventfd */
    ucontext_t context;
    void *fiber;
};

static inline void loop_park(struct fake_task *task, plait_deadline until)
{
    task->until = until;
    task->parked = true;
    __tsan_switch_to_fiber(task->loop->fiber, 0);
    swapcontext(&task->context, &task->loop->context);
    task->parked = false;
    task->n_fds = 0;
}

static inline bool loop_take_token(struct fake_task *task)
{
    return __atomic_exchange_n(&task->unparked, 0, __ATOMIC_SEQ_CST) != 0;
}

static inline int fake_park(struct plait__sleeper *sleeper, const struct plait__futex *words,
                            size_t n, plait_deadline until)
{
    (void)words; /* the tests change shared words in this process only */
    (void)n;
    struct fake_task *task = (struct fake_task *)(void *)sleeper;

    if (loop_take_token(task))
        return 0;
    loop_park(task, until);
    loop_take_token(task);
    /* as rude as is allowed: at the deadline it says so even if it was unparked as well */
    return plait__os_now_ns() >= until.ns ? -ETIMEDOUT : 0;
}

static inline void fake_unpark(struct plait__sleeper *sleeper)
{
    struct fake_task *task = (struct fake_task *)(void *)sleeper;
    int bell = task->loop->bell;

    __atomic_store_n(&task->unparked, 1, __ATOMIC_SEQ_CST);
    plait__os_eventfd_raise(bell);
}

static inline int fake_wait_any(struct plait__sleeper *sleeper, struct plait__spots *spots,
                                plait_deadline until)
{
    struct fake_task *task = (struct fake_task *)(void *)sleeper;
    struct plait__fd *fds = spots->fds;
    size_t n = spots->n_fds;
    int rc = plait__os_poll(fds, n, 0);

    if (rc != 0 || until.ns == 0 || loop_take_token(task))
        return rc;
    task->fds = fds;
    task->n_fds = n;
    loop_park(task, until);
    loop_take_token(task);
    return plait__os_poll(fds, n, 0);
}

static const struct plait__park_ops fake_ops = { .park = fake_park,
                                                 .unpark = fake_unpark,
                                                 .wait_any = fake_wait_any };

static struct fake_task *loop_starting; /* makecontext passes ints only */

static inline void loop_enter_task(void)
{
    struct fake_task *task = loop_starting;

    task->fn(task->arg);
    task->done = true;
    __tsan_switch_to_fiber(task->loop->fiber, 0);
    swapcontext(&task->context, &task->loop->context);
}

static inline struct fake_task *loop_add(struct fake_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct fake_task *task = &loop->tasks[loop->n++];

    CHECK(loop->n <= LOOP_TASKS);
    *task = (struct fake_task){ .sleeper = { .ops = &fake_ops }, .loop = loop };
    task->fn = fn;
    task->arg = arg;
    task->stack = malloc(LOOP_STACK_BYTES);
    task->fiber = __tsan_create_fiber(0);
    CHECK(task->stack != NULL);
    CHECK_INT(getcontext(&task->context), 0);
    task->context.uc_stack.ss_sp = task->stack;
    task->context.uc_stack.ss_size = LOOP_STACK_BYTES;
    makecontext(&task->context, loop_enter_task, 0);
    if (loop->bell == 0)
        loop->bell = plait__os_eventfd();
    CHECK(loop->bell > 0);
    return task;
}

static inline bool loop_is_due(struct fake_task *task)
{
    return !task->parked || __atomic_load_n(&task->unparked, __ATOMIC_SEQ_CST) != 0 ||
           plait__os_now_ns() >= task->until.ns || plait__os_poll(task->fds, task->n_fds, 0) != 0;
}

static inline void loop_switch(struct fake_loop *loop, struct fake_task *task)
{
    loop->switches++;
    loop_starting = task;
    plait__sleeper_set_current(&task->sleeper);
    __tsan_switch_to_fiber(task->fiber, 0);
    swapcontext(&loop->context, &task->context);
    plait__sleeper_set_current(NULL);
}

/* Sleeps until the bell, the first deadline or a descriptor. */
static inline void loop_sleep(struct fake_loop *loop)
{
    struct plait__fd all[64] = { { .fd = loop->bell, .wanted = PLAIT__FD_READ } };
    size_t n = 1;
    int64_t until = INT64_MAX;
    uint64_t count;

    for (size_t i = 0; i < loop->n; i++) {
        struct fake_task *task = &loop->tasks[i];
        if (task->done)
            continue;
        until = task->until.ns < until ? task->until.ns : until;
        for (size_t k = 0; k < task->n_fds; k++)
            all[n++] = task->fds[k];
    }
    plait__os_poll(all, n, until);
    (void)!read(loop->bell, &count, sizeof count);
}

/* Runs all tasks to their ends. */
static inline void loop_run(struct fake_loop *loop)
{
    size_t left = loop->n;

    loop->fiber = __tsan_get_current_fiber();
    while (left > 0) {
        bool has_run = false;
        for (size_t i = 0; i < loop->n; i++) {
            struct fake_task *task = &loop->tasks[i];
            if (task->done || !loop_is_due(task))
                continue;
            loop_switch(loop, task);
            left -= task->done;
            has_run = true;
        }
        if (!has_run)
            loop_sleep(loop);
    }
    for (size_t i = 0; i < loop->n; i++) {
        __tsan_destroy_fiber(loop->tasks[i].fiber);
        free(loop->tasks[i].stack);
    }
    close(loop->bell);
    loop->n = 0;
    loop->bell = 0;
}

#endif
