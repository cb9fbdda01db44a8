/* The seam as threads use it.
 * SPDX-License-Identifier: MIT
 */
#include "wait/wait.h"

#include "os/clock.h"
#include "os/thread.h"
#include "test.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "threads.h"

static uint32_t word;
static struct plait__sleeper self; /* of the task that a case is */
static int fds[2];

static void be_a_task(void)
{
    plait__sleeper_set_current(&self);
    CHECK(plait__sleeper_current() == &self);
}

/* ---- words ---- */

TEST(a_value_that_has_changed_already_is_told_first)
{
    be_a_task();
    CHECK_INT(plait__wait_word(&word, 1, PLAIT_FOREVER), 0);
    CHECK_INT(plait__wait_word(&word, 1, PLAIT_NOWAIT), 0);
    plait__cancel(&self);
    CHECK_INT(plait__wait_word(&word, 1, PLAIT_FOREVER), 0);
}

TEST(an_unchanged_word_is_waited_for_until_the_deadline)
{
    plait_deadline until = plait_after_ms(50); /* longer than a slice without futex_waitv */

    CHECK_INT(plait__wait_word(&word, 0, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait__wait_word(&word, 0, until), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(until), 0);
    be_a_task();
    until = plait_after_ms(50);
    CHECK_INT(plait__wait_word(&word, 0, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait__wait_word(&word, 0, until), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(until), 0);
}

static uint32_t n_asleep, n_woken; /* atomic */

static void wait_for_word(void *arg)
{
    struct plait__sleeper mine = { 0 };

    plait__sleeper_set_current(arg != NULL ? arg : &mine);
    __atomic_fetch_add(&n_asleep, 1, __ATOMIC_SEQ_CST);
    int rc = plait__wait_word(&word, 0, PLAIT_FOREVER);
    plait__sleeper_set_current(NULL);
    CHECK(rc == 0 || rc == -ECANCELED);
    __atomic_fetch_add(&n_woken, 1, __ATOMIC_SEQ_CST);
}

static void wait_until(const uint32_t *at, uint32_t least)
{
    while (__atomic_load_n(at, __ATOMIC_SEQ_CST) < least)
        plait_sleep(plait_after_ms(1));
}

TEST(a_wake_wakes_all)
{
    for (int i = 0; i < 4; i++)
        CHECK_INT(start_detached(wait_for_word, NULL, 0), 0);
    wait_until(&n_asleep, 4);
    __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
    plait__wake_word(&word, UINT_MAX);
    wait_until(&n_woken, 4);
}

TEST(a_wake_of_n_wakes_n)
{
    static struct plait__sleeper others[4];

    for (int i = 0; i < 4; i++)
        CHECK_INT(start_detached(wait_for_word, &others[i], 0), 0);
    wait_until(&n_asleep, 4);
    plait_sleep(plait_after_ms(50)); /* or they would not sleep yet: the wake is lost on them */
    plait__wake_word(&word, 2);
    wait_until(&n_woken, 2);
    plait_sleep(plait_after_ms(20));
    CHECK_INT(__atomic_load_n(&n_woken, __ATOMIC_SEQ_CST), 2);
    for (int i = 0; i < 4; i++)
        plait__cancel(&others[i]);
    wait_until(&n_woken, 4);
}

/* ---- cancelling ---- */

static void cancel_soon(void *arg)
{
    plait_sleep(plait_after_ms(10));
    plait__cancel(arg);
}

TEST(a_cancel_finds_who_sleeps_on_a_word)
{
    plait_deadline late = plait_after_ms(5000);

    be_a_task();
    CHECK_INT(start_detached(cancel_soon, &self, 0), 0);
    CHECK_INT(plait__wait_word(&word, 0, PLAIT_FOREVER), -ECANCELED);
    CHECK(plait_left_ns(late) > 0);
    CHECK(plait__is_cancelled(&self));
}

TEST(a_cancel_finds_who_sleeps_on_descriptors)
{
    struct plait__fd end;

    be_a_task();
    CHECK_INT(plait__os_pipe(fds), 0);
    end = (struct plait__fd){ .fd = fds[0], .wanted = PLAIT__FD_READ };
    struct plait__thread_entry entry = { .fn = cancel_soon, .on_exit = no_exit, .arg = &self };
    uintptr_t thread;
    CHECK_INT(plait__os_thread_start(&thread, &entry, 0), 0);
    CHECK_INT(plait__wait_fds(&end, 1, PLAIT_FOREVER), -ECANCELED);
    plait__os_thread_join(thread);
    plait__sleeper_fini(&self);
}

TEST(a_cancel_is_sticky)
{
    struct plait__fd end;

    be_a_task();
    CHECK_INT(plait__os_pipe(fds), 0);
    end = (struct plait__fd){ .fd = fds[0], .wanted = PLAIT__FD_READ };
    plait__cancel(&self);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(plait__wait_word(&word, 0, PLAIT_FOREVER), -ECANCELED);
        CHECK_INT(plait__wait_word(&word, 0, PLAIT_NOWAIT), -ECANCELED);
        CHECK_INT(plait__wait_fds(&end, 1, PLAIT_FOREVER), -ECANCELED);
        CHECK_INT(plait_sleep(PLAIT_FOREVER), -ECANCELED);
    }
    plait__sleeper_fini(&self);
    plait__sleeper_fini(&self); /* harmless */
}

TEST(who_is_no_task_cannot_be_cancelled)
{
    plait__cancel(&self);
    CHECK(plait__sleeper_current() == NULL);
    CHECK(!plait__is_cancelled(NULL));
    CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
}

/* ---- descriptors ---- */

TEST(what_is_ready_is_told_also_to_the_cancelled_and_the_late)
{
    struct plait__fd both[2];

    CHECK_INT(plait__os_pipe(fds), 0);
    for (int as_task = 0; as_task < 2; as_task++) {
        both[0] = (struct plait__fd){ .fd = fds[0], .wanted = PLAIT__FD_READ };
        both[1] = (struct plait__fd){ .fd = fds[1], .wanted = PLAIT__FD_WRITE };
        CHECK_INT(plait__wait_fds(both, 2, PLAIT_NOWAIT), 1);
        CHECK_INT(both[0].ready, 0);
        CHECK_INT(both[1].ready, PLAIT__FD_WRITE);
        be_a_task();
        plait__cancel(&self);
    }
    CHECK_INT(plait__wait_fds(both, 2, PLAIT_FOREVER), 1);
    CHECK_INT(plait__wait_fds(both, 1, PLAIT_FOREVER), -ECANCELED);
    plait__sleeper_fini(&self);
}

TEST(descriptors_are_waited_for_until_the_deadline)
{
    struct plait__fd end;

    CHECK_INT(plait__os_pipe(fds), 0);
    end = (struct plait__fd){ .fd = fds[0], .wanted = PLAIT__FD_READ };
    for (int as_task = 0; as_task < 2; as_task++) {
        plait_deadline until = plait_after_ms(20);
        CHECK_INT(plait__wait_fds(&end, 1, PLAIT_NOWAIT), -ETIMEDOUT);
        CHECK_INT(plait__wait_fds(&end, 1, until), -ETIMEDOUT);
        CHECK_INT(plait_left_ns(until), 0);
        be_a_task();
    }
    plait__sleeper_fini(&self);
}

TEST(many_descriptors_may_be_waited_for)
{
    struct plait__fd many[100];

    CHECK_INT(plait__os_pipe(fds), 0);
    be_a_task();
    for (int i = 0; i < 100; i++)
        many[i] = (struct plait__fd){ .fd = fds[i % 2],
                                      .wanted = i % 2 == 0 ? PLAIT__FD_READ : PLAIT__FD_WRITE };
    CHECK_INT(plait__wait_fds(many, 100, PLAIT_FOREVER), 50);
    CHECK_INT(many[98].ready, 0);
    CHECK_INT(many[99].ready, PLAIT__FD_WRITE);
    plait__sleeper_fini(&self);
}

static void handle(int number)
{
    (void)number;
}

/* Else those who sleep in slices, and look for the dead after each, would begin a new one with each
 * signal, and never look. */
TEST(a_signal_handler_ends_a_wait_for_descriptors_only)
{
    struct itimerval often = { { 0, 5000 }, { 0, 5000 } };
    struct plait__fd end;
    uint32_t quiet = 0;

    CHECK_INT(sigaction(SIGALRM, &(struct sigaction){ .sa_handler = handle }, NULL), 0);
    CHECK_INT(plait__os_pipe(fds), 0);
    end = (struct plait__fd){ .fd = fds[0], .wanted = PLAIT__FD_READ };
    CHECK_INT(setitimer(ITIMER_REAL, &often, NULL), 0);
    CHECK_INT(plait__wait_fds(&end, 1, PLAIT_FOREVER), -EINTR);
    plait_deadline until = plait_after_ms(50);
    CHECK_INT(plait_sleep(until), 0);
    CHECK_INT(plait_left_ns(until), 0);
    CHECK_INT(plait__wait_word(&quiet, 0, plait_after_ms(50)), -ETIMEDOUT);
}
