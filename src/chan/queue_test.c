/* Tests of the waiting at a queue.
 * SPDX-License-Identifier: MIT
 */
#include "chan/queue.h"
#include "os/sanitize.h"
#include "wait/waitable.h"

#include "test.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static plait_queue *queue;

static void prepare(plait_queue_opts opts)
{
    CHECK_INT(plait_queue_create(&queue, &opts), 0);
}

static void use_queue(plait_deadline later)
{
    static char bytes[20000];
    const void *borrowed = NULL;
    void *reserved = NULL;

    for (size_t i = 0; i < 1000; i++) {
        CHECK_INT(plait_queue_put(queue, bytes, i * 20, PLAIT_FOREVER), 0);
        CHECK_INT(plait_queue_put(queue, bytes, i, later), 0);
        CHECK_INT(plait_queue_reserve(queue, &reserved, i, PLAIT_NOWAIT), 0);
        CHECK_INT(plait_queue_commit(queue, reserved, i), 0);
        CHECK_INT(plait_queue_get(queue, bytes, sizeof bytes, PLAIT_FOREVER), (ssize_t)i * 20);
        CHECK_INT(plait_queue_get(queue, bytes, sizeof bytes, PLAIT_NOWAIT), (ssize_t)i);
        CHECK_INT(plait_queue_borrow(queue, &borrowed, later), (ssize_t)i);
        CHECK_INT(plait_queue_release(queue, borrowed), 0);
    }
}

TEST(no_system_call_is_made_while_nobody_sleeps)
{
    plait_deadline later = plait_after_ms(60000); /* in that mode the clock cannot be read */
    int status;

    prepare((plait_queue_opts){ 0 });
    pid_t pid = fork();
    if (pid == 0) {
        use_queue(later); /* it joins the family */
        if (PLAIT__SANITIZER_THREADS > 0)
            _exit(0); /* the thread sanitizer makes calls of its own */
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0)
            _exit(1);
        use_queue(later);
        syscall(SYS_exit, 0); /* exit_group is not among the calls of that mode */
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

/* ---- wakes are passed on ---- */

static int attempts;

/* There is nothing; then there is, and somebody else sleeps too. */
static ssize_t get_the_second_time(plait_queue *at, void *arg, struct plait__look look)
{
    char byte;

    (void)arg;
    if (++attempts == 1)
        return -EAGAIN;
    plait__bell_announce(&at->ring.shared->get_bell, 0);
    return plait__ring_get(&at->ring, &byte, 1, look);
}

static void wait_and_get(void)
{
    const struct plait__queue_call call = { .side = PLAIT__QUEUE_GETS,
                                            .attempt = get_the_second_time };

    CHECK_INT(plait__queue_wait(queue, &call, PLAIT_FOREVER), 1);
}

TEST(who_waited_and_leaves_items_rings_for_others)
{
    prepare((plait_queue_opts){ 0 });
    CHECK_INT(plait_queue_put(queue, "a", 1, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_put(queue, "b", 1, PLAIT_NOWAIT), 0);
    wait_and_get();
    CHECK_INT(plait__bell_awaited(&queue->ring.shared->get_bell), 0);
}

TEST(who_leaves_nothing_does_not)
{
    prepare((plait_queue_opts){ 0 });
    CHECK_INT(plait_queue_put(queue, "a", 1, PLAIT_NOWAIT), 0);
    wait_and_get();
    CHECK(plait__bell_awaited(&queue->ring.shared->get_bell) != 0);
}

/* ---- who waits ---- */

static uint64_t count_visits(void)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < PLAIT__VISITS; i++)
        n += queue->visits.entries[i] >> 32;
    return n;
}

static ssize_t see_visit(plait_queue *at, void *arg, struct plait__look look)
{
    (void)arg;
    (void)look;
    return plait_queue_size(at) == 0 && count_visits() == 1 ? 7 : -EAGAIN;
}

TEST(who_waits_is_known_until_it_leaves)
{
    const struct plait__queue_call call = { .side = PLAIT__QUEUE_GETS, .attempt = see_visit };

    prepare((plait_queue_opts){ 0 });
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), -ETIMEDOUT); /* joins the family */
    CHECK_INT(plait__queue_wait(queue, &call, PLAIT_FOREVER), 7);
    CHECK_INT(count_visits(), 0);
    CHECK(plait__visits_are_over(&queue->visits));
}

TEST(a_select_is_known_from_its_first_glance_on)
{
    const struct plait__how glance = { .glance = true };
    plait_waitable on[2];

    prepare((plait_queue_opts){ .max_items = 1 });
    CHECK_INT(plait_queue_on_get(&on[0], queue), 0);
    CHECK_INT(plait_queue_on_put(&on[1], queue, 1), 0);
    for (int i = 0; i < 2; i++) {
        const struct plait__waitable_ops *ops = on[i].ops;
        struct plait__watch watch = { .fd = -1 };
        CHECK_INT(ops->look(&on[i], &watch, glance), i);
        CHECK_INT(ops->look(&on[i], &watch, glance), i);
        CHECK_INT(count_visits(), 1);
        ops->leave(&on[i], &watch);
        CHECK_INT(count_visits(), 0);
    }
}

TEST(of_more_than_can_be_known_the_queue_says_so)
{
    const struct plait__queue_call call = { .side = PLAIT__QUEUE_GETS, .attempt = see_visit };

    prepare((plait_queue_opts){ 0 });
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), -ETIMEDOUT);
    for (unsigned i = 0; i < PLAIT__VISITS; i++)
        queue->visits.entries[i] = UINT64_C(1) << 32 | 1; /* the id of a member that never was */
    queue->visits.entries[5] = 0;
    CHECK_INT(plait__queue_wait(queue, &call, plait_after_ms(5)), -ETIMEDOUT);
    CHECK_INT(queue->visits.had_strays, 0);
    CHECK_INT(queue->visits.entries[5], 0);
}
