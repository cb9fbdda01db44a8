/* The seam as threads use it: several words and descriptors at once.
 * SPDX-License-Identifier: MIT
 */
#include "wait/wait.h"

#include "os/process.h"
#include "os/thread.h"
#include "test.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "threads.h"

static uint32_t values[3];
static int fds[2];
static struct plait__futex words[4];
static struct plait__fd ends[3];
static struct plait__sleeper self; /* of the task that a case is */

/* Descriptor 0 is never ready, 1 is what write_soon writes to. */
static struct plait__spots spots(size_t n_words, size_t n_fds)
{
    int quiet[2];

    CHECK_INT(plait__os_pipe(quiet), 0);
    CHECK_INT(plait__os_pipe(fds), 0);
    for (size_t i = 0; i < 3; i++)
        words[i] = (struct plait__futex){ &values[i], 0 };
    ends[0] = (struct plait__fd){ .fd = quiet[0], .wanted = PLAIT__FD_READ };
    ends[1] = (struct plait__fd){ .fd = fds[0], .wanted = PLAIT__FD_READ };
    return (struct plait__spots){ words, n_words, ends, n_fds };
}

static void change_soon(void *arg)
{
    plait_sleep(plait_after_ms(10));
    __atomic_store_n((uint32_t *)arg, 1, __ATOMIC_SEQ_CST);
    plait__wake_word(arg, UINT_MAX);
}

static void write_soon(void *arg)
{
    (void)arg;
    plait_sleep(plait_after_ms(10));
    CHECK_INT(write(fds[1], "x", 1), 1);
}

static void cancel_soon(void *arg)
{
    plait_sleep(plait_after_ms(10));
    plait__cancel(arg);
}

static void see_all_wakes(void)
{
    for (size_t n_fds = 0; n_fds < 3; n_fds++) {
        for (size_t i = 0; i < 3; i++) {
            struct plait__spots at = spots(3, n_fds);
            values[i] = 0;
            CHECK_INT(start_detached(change_soon, &values[i], 0), 0);
            CHECK_INT(plait__wait_any(&at, PLAIT_FOREVER), 0);
            while (__atomic_load_n(&values[i], __ATOMIC_SEQ_CST) == 0)
                CHECK_INT(plait__wait_any(&at, PLAIT_FOREVER), 0); /* woken for nothing */
            values[i] = 0;
        }
    }
    for (size_t n_words = 0; n_words < 4; n_words++) {
        struct plait__spots at = spots(n_words, 2);
        CHECK_INT(start_detached(write_soon, NULL, 0), 0);
        while (ends[1].ready == 0)
            CHECK_INT(plait__wait_any(&at, PLAIT_FOREVER), 0);
        CHECK_INT(ends[0].ready, 0);
        CHECK_INT(ends[1].ready, PLAIT__FD_READ);
    }
}

TEST(each_word_and_each_descriptor_wakes)
{
    see_all_wakes();
}

TEST(each_word_and_each_descriptor_wakes_who_can_be_cancelled)
{
    plait__sleeper_set_current(&self);
    see_all_wakes();
}

TEST(a_cancel_finds_who_sleeps_on_several)
{
    for (size_t n_words = 0; n_words < 4; n_words++) {
        for (size_t n_fds = 0; n_fds < 3; n_fds++) {
            static struct plait__sleeper each[4][3];
            struct plait__spots at = spots(n_words, n_fds);
            int rc = 0;
            plait__sleeper_set_current(&each[n_words][n_fds]);
            CHECK_INT(start_detached(cancel_soon, &each[n_words][n_fds], 0), 0);
            while (rc == 0)
                rc = plait__wait_any(&at, PLAIT_FOREVER);
            CHECK_INT(rc, -ECANCELED);
        }
    }
}

TEST(who_has_put_off_its_end_sleeps_on)
{
    plait__sleeper_set_current(&self);
    plait__cancel(&self);
    plait__mask_cancel();
    for (size_t n_fds = 0; n_fds < 2; n_fds++) {
        struct plait__spots at = spots(2, n_fds);
        CHECK_INT(plait__wait_any(&at, plait_after_ms(10)), -ETIMEDOUT);
    }
}

TEST(what_has_changed_is_told_also_to_the_cancelled_and_the_late)
{
    struct plait__spots at = spots(2, 1);

    plait__sleeper_set_current(&self);
    CHECK_INT(plait__wait_any(&at, PLAIT_NOWAIT), -ETIMEDOUT);
    plait__cancel(&self);
    CHECK_INT(plait__wait_any(&at, PLAIT_NOWAIT), -ECANCELED);
    CHECK_INT(plait__wait_any(&at, PLAIT_FOREVER), -ECANCELED);
    at.n_fds = 2;
    CHECK_INT(write(fds[1], "x", 1), 1);
    CHECK_INT(plait__wait_any(&at, PLAIT_FOREVER), 0);
    CHECK_INT(ends[1].ready, PLAIT__FD_READ);
    at.n_fds = 1;
    values[1] = 1;
    CHECK_INT(plait__wait_any(&at, PLAIT_FOREVER), 0);
    at.n_fds = 0;
    CHECK_INT(plait__wait_any(&at, PLAIT_NOWAIT), 0);
    at.n_words = 1;
    CHECK_INT(plait__wait_any(&at, PLAIT_NOWAIT), -ECANCELED);
}

TEST(no_thread_is_left_when_the_sleep_is_over)
{
    struct plait__spots at = spots(3, 2);

    for (int i = 0; i < 50; i++) {
        CHECK_INT(plait__wait_any(&at, plait_after_ns(100000)), -ETIMEDOUT);
        CHECK_INT(plait__os_thread_count(), 1);
    }
}
