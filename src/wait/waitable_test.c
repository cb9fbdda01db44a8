/* Waiting for several waitables, of which the test decides what they say.
 * SPDX-License-Identifier: MIT
 */
#include "wait/waitable.h"

#include "os/fd.h"
#include "test.h"

#include <unistd.h>

static int fds[2];
static uint32_t word;
static int n_glances, n_left;
static bool has_slept;

static int look_at_fd(const plait_waitable *on, struct plait__watch *watch, struct plait__how how)
{
    (void)on;
    (void)how;
    watch->fd = fds[0];
    watch->wanted = PLAIT__FD_READ;
    return watch->ready_fd != 0;
}

/* Becomes ready between the look before a sleep and the sleep; before it, so does the descriptor. */
static int look_at_word(const plait_waitable *on, struct plait__watch *watch, struct plait__how how)
{
    bool is_ready = word != 0;

    (void)on;
    watch->word = &word;
    if (how.will_sleep && !is_ready) {
        CHECK_INT(write(fds[1], "x", 1), 1);
        word = 1;
    }
    return is_ready;
}

static const struct plait__waitable_ops fd_ops = { .look = look_at_fd };
static const struct plait__waitable_ops word_ops = { .look = look_at_word };

TEST(a_descriptor_that_became_ready_last_is_told_too)
{
    plait_waitable on[2];
    size_t ready[2] = { 99, 99 };
    char byte;

    CHECK_INT(plait__os_pipe(fds), 0);
    plait__waitable_make(&on[0], &fd_ops, NULL, 0);
    plait__waitable_make(&on[1], &word_ops, NULL, 0);
    CHECK_INT(plait__waitables_wait(on, 2, ready, 2, PLAIT_FOREVER), 2);
    CHECK_INT(ready[0], 0);
    CHECK_INT(ready[1], 1);
    CHECK_INT(read(fds[0], &byte, 1), 1);
    word = 0;
    CHECK_INT(plait__waitables_wait(on, 2, ready, 1, PLAIT_FOREVER), 1);
    CHECK_INT(ready[0], 0);
}

static int look_quickly(const plait_waitable *on, struct plait__watch *watch, struct plait__how how)
{
    (void)on;
    (void)watch;
    CHECK_INT(n_left, 0);
    n_glances += how.glance;
    has_slept |= how.will_sleep;
    return n_glances == 3;
}

static void leave(const plait_waitable *on, struct plait__watch *watch)
{
    (void)on;
    (void)watch;
    n_left++;
}

TEST(who_has_only_glanced_leaves_too)
{
    static const struct plait__waitable_ops ops = { look_quickly, leave, true };
    plait_waitable on;
    size_t ready;

    plait__waitable_make(&on, &ops, NULL, 0);
    CHECK_INT(plait__waitables_wait(&on, 1, &ready, 1, PLAIT_FOREVER), 1);
    CHECK_INT(n_glances, 3);
    CHECK(!has_slept);
    CHECK_INT(n_left, 1);
    n_left = 0;
    CHECK_INT(plait__waitables_wait(&on, 1, &ready, 1, PLAIT_FOREVER), 1);
    CHECK_INT(n_left, 0); /* it had not begun to wait */
}
