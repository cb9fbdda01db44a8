/* The contract of timers, for each kind that they have.
 * SPDX-License-Identifier: MIT
 *
 * No time is asserted but "not before"; what comes late may be as late as it likes.
 */
#include <plait.h>

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const plait_kind kinds[] = { PLAIT_THREAD, PLAIT_COROUTINE };

static struct {
    plait_event enough, go_on; /* go_on: the function waits for it, if `waits` */
    uint64_t calls, ticks, most;
    uint64_t wanted; /* ticks */
    bool waits;
    int answer, waited;
} board;

static int tick(void *arg, uint64_t ticks)
{
    CHECK(arg == &board);
    CHECK(ticks >= 1);
    board.calls++;
    board.ticks += ticks;
    if (ticks > board.most)
        board.most = ticks;
    if (board.ticks >= board.wanted)
        plait_event_set(&board.enough);
    if (board.waits)
        board.waited = plait_event_wait(&board.go_on, PLAIT_FOREVER);
    return board.answer;
}

static plait_task *start(plait_kind kind, int64_t after_ms, int64_t repeat_ms)
{
    plait_task *timer = NULL;
    plait_timer_opts opts = { .after_ms = after_ms, .repeat_ms = repeat_ms };

    CHECK_INT(plait_timer_start(&timer, kind, tick, &board, &opts), 0);
    return timer;
}

static void prepare(uint64_t wanted)
{
    memset(&board, 0, sizeof board);
    board.wanted = wanted;
}

static plait_outcome join(plait_task *timer)
{
    plait_outcome end;

    CHECK_INT(plait_task_join(timer, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(timer, &end), 0);
    plait_task_destroy(timer);
    return end;
}

TEST(one_tick_comes_not_before_its_time_and_ends_the_timer)
{
    for (int i = 0; i < 2; i++) {
        prepare(1);
        board.answer = 7;
        plait_deadline then = plait_after_ms(20);
        plait_outcome end = join(start(kinds[i], 20, 0));
        CHECK_INT(plait_left_ns(then), 0);
        CHECK_INT(end.kind, PLAIT_RETURNED);
        CHECK_INT(end.code, 7);
        CHECK_INT(board.calls, 1);
        CHECK_INT(board.ticks, 1);
    }
}

TEST(without_options_it_comes_at_once)
{
    plait_task *timer = NULL;

    for (int i = 0; i < 2; i++) {
        prepare(1);
        CHECK_INT(plait_timer_start(&timer, kinds[i], tick, &board, NULL), 0);
        CHECK(plait_task_is_daemon(timer));
        CHECK_INT(join(timer).kind, PLAIT_RETURNED);
        CHECK_INT(board.calls, 1);
    }
}

TEST(one_that_repeats_goes_on_until_it_is_asked_to_end)
{
    for (int i = 0; i < 2; i++) {
        prepare(5);
        plait_deadline fifth = plait_after_ms(25);
        plait_task *timer = start(kinds[i], 0, 5);
        CHECK_INT(plait_event_wait(&board.enough, PLAIT_FOREVER), 0);
        CHECK_INT(plait_left_ns(fifth), 0);
        CHECK_INT(plait_task_terminate(timer), 0);
        plait_outcome end = join(timer);
        CHECK_INT(end.kind, PLAIT_CANCELLED);
        uint64_t calls = board.calls;
        CHECK_INT(plait_sleep(plait_after_ms(10)), 0);
        CHECK_INT(board.calls, calls);
    }
}

TEST(the_first_tick_may_have_a_time_of_its_own)
{
    for (int i = 0; i < 2; i++) {
        prepare(1);
        plait_task *timer = start(kinds[i], 1, 3600000);
        CHECK_INT(plait_event_wait(&board.enough, PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_terminate(timer), 0);
        CHECK_INT(join(timer).kind, PLAIT_CANCELLED);
        CHECK_INT(board.ticks, 1);
    }
}

TEST(ticks_that_come_late_are_counted_and_the_schedule_is_kept)
{
    for (int i = 0; i < 2; i++) {
        prepare(1);
        board.waits = true;
        plait_deadline begin = plait_after_ms(0);
        plait_task *timer = start(kinds[i], 0, 2);
        CHECK_INT(plait_event_wait(&board.enough, PLAIT_FOREVER), 0);
        CHECK_INT(plait_sleep(plait_after_ms(30)), 0); /* it is in its first call */
        plait_event_clear(&board.enough);
        board.wanted = 15;
        plait_event_set(&board.go_on);
        CHECK_INT(plait_event_wait(&board.enough, PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_terminate(timer), 0);
        join(timer);
        CHECK(board.most >= 10); /* of 15 that were due when it went on */
        CHECK(board.ticks <= (uint64_t)(plait_after_ms(0).ns - begin.ns) / 2000000);
        CHECK(board.calls < board.ticks);
    }
}

enum {
    PERIOD_MS = 4
};

static struct {
    int64_t begun_ns; /* atomic: not before that; 0: not known yet */
    int64_t left_ns;  /* when the last call was over */
    uint64_t ticks;
    int calls;
} slow;

/* Whatever was due when the last call was over has been counted by now. */
static int be_slow(void *arg, uint64_t ticks)
{
    int64_t begun_ns = __atomic_load_n(&slow.begun_ns, __ATOMIC_SEQ_CST);

    (void)arg;
    slow.ticks += ticks;
    if (begun_ns != 0 && slow.left_ns > begun_ns)
        CHECK((int64_t)slow.ticks >= (slow.left_ns - begun_ns) / 1000000 / PERIOD_MS);
    CHECK_INT(plait_sleep(plait_after_ms(PERIOD_MS - 1)), 0);
    slow.left_ns = plait_after_ms(0).ns;
    return ++slow.calls == 8 ? -1 : 0;
}

TEST(the_schedule_does_not_move_by_the_time_that_the_function_takes)
{
    const plait_timer_opts opts = { .repeat_ms = PERIOD_MS };

    for (int i = 0; i < 2; i++) {
        plait_task *timer = NULL;
        memset(&slow, 0, sizeof slow);
        CHECK_INT(plait_timer_start(&timer, kinds[i], be_slow, NULL, &opts), 0);
        __atomic_store_n(&slow.begun_ns, plait_after_ms(0).ns, __ATOMIC_SEQ_CST);
        CHECK_INT(join(timer).code, -1);
    }
}

TEST(one_that_is_called_off_before_its_time_is_never_called)
{
    for (int i = 0; i < 2; i++) {
        prepare(1);
        plait_task *timer = start(kinds[i], 3600000, 1);
        CHECK(plait_task_is_alive(timer));
        CHECK_INT(plait_task_join(timer, plait_after_ms(1)), -ETIMEDOUT);
        CHECK_INT(plait_task_terminate(timer), 0);
        plait_outcome end = join(timer);
        CHECK_INT(end.kind, PLAIT_CANCELLED);
        CHECK_INT(end.code, -ECANCELED);
        plait_task_destroy(start(kinds[i], 3600000, 0));
        CHECK_INT(board.calls, 0);
    }
}

TEST(a_function_that_runs_is_told_by_its_waits_and_not_called_again)
{
    for (int i = 0; i < 2; i++) {
        prepare(1);
        board.waits = true;
        plait_task *timer = start(kinds[i], 1, 1);
        CHECK_INT(plait_event_wait(&board.enough, PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_terminate(timer), 0);
        join(timer);
        CHECK_INT(board.waited, -ECANCELED);
        CHECK_INT(board.calls, 1);
    }
}

TEST(a_negative_number_ends_one_that_repeats)
{
    for (int i = 0; i < 2; i++) {
        prepare(1);
        board.answer = -5;
        CHECK_INT(join(start(kinds[i], 1, 1)).code, -5);
        CHECK_INT(board.calls, 1);
    }
}

TEST(the_end_of_the_program_does_not_wait_for_them)
{
    for (int i = 0; i < 2; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            prepare(1);
            start(kinds[i], 3600000, 0);
            start(kinds[i], 3600000, 3600000);
            exit(5);
        }
        CHECK_INT(test_waitpid(pid, &status, 0), pid);
        CHECK_INT(WEXITSTATUS(status), 5);
    }
}

TEST(what_makes_no_sense_is_refused)
{
    plait_task *timer = NULL;

    struct {
        plait_timer_opts opts;
        int later; /* what a later version knows */
    } large = { .later = 1 };

    for (int i = 0; i < 2; i++) {
        CHECK_INT(plait_timer_start(NULL, kinds[i], tick, NULL, NULL), -EINVAL);
        CHECK_INT(plait_timer_start(&timer, kinds[i], NULL, NULL, NULL), -EINVAL);
        CHECK_INT(
            plait_timer_start(&timer, kinds[i], tick, NULL, &(plait_timer_opts){ .after_ms = -1 }),
            -EINVAL);
        CHECK_INT(
            plait_timer_start(&timer, kinds[i], tick, NULL, &(plait_timer_opts){ .repeat_ms = -1 }),
            -EINVAL);
        CHECK_INT(plait_timer_start_sized(&timer, kinds[i], tick, NULL, &large.opts, sizeof large),
                  -E2BIG);
    }
    CHECK_INT(plait_timer_start(&timer, PLAIT_THREAD, tick, NULL,
                                &(plait_timer_opts){ .after_ms = 1, .stack_bytes = 1 }),
              -EINVAL);
    CHECK_INT(plait_timer_start(&timer, PLAIT_PROCESS, tick, NULL, NULL), -ENOTSUP);
    CHECK_INT(plait_timer_start(&timer, (plait_kind)0, tick, NULL, NULL), -EINVAL);
    CHECK_INT(plait_timer_start(&timer, (plait_kind)9, tick, NULL, NULL), -EINVAL);
    CHECK(timer == NULL);
}

TEST(a_time_beyond_all_times_is_one_that_never_comes)
{
    for (int i = 0; i < 2; i++) {
        prepare(1);
        plait_task *never = start(kinds[i], INT64_MAX, INT64_MAX);
        CHECK_INT(plait_task_join(never, plait_after_ms(1)), -ETIMEDOUT);
        plait_task_destroy(never);
        plait_task *once = start(kinds[i], 1, INT64_MAX);
        CHECK_INT(plait_event_wait(&board.enough, PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_terminate(once), 0);
        CHECK_INT(plait_task_join(once, PLAIT_FOREVER), 0);
        plait_task_destroy(once);
        CHECK_INT(board.calls, 1);
    }
}
