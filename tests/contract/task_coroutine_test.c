/* The contract of tasks, kept by coroutines; and what only coroutines promise.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#define KIND      PLAIT_COROUTINE
#define KIND_WORD "Coroutine"
#include "task_contract.h"

static char said[64]; /* what the coroutines of a case say, in their order */
static size_t n_said;

static int say(void *arg)
{
    CHECK(n_said < sizeof said - 1);
    said[n_said++] = *(const char *)arg;
    return 0;
}

static char letters[] = "abcdefghijklmnopqrstuvwxyz";

/* ---- start and order ---- */

TEST(coroutines_begin_in_the_order_of_their_start_when_the_starter_waits)
{
    plait_task *tasks[2];

    CHECK_INT(plait_go(say, &letters[0]), 0);
    tasks[0] = start(say, &letters[1]);
    CHECK_INT(plait_go_copy(say, &letters[2], 1), 0);
    tasks[1] = start(say, &letters[3]);
    CHECK_INT(plait_go(say, &letters[4]), 0);
    CHECK_STR(said, "");
    plait_yield();
    CHECK_STR(said, "abcde");
    for (int i = 0; i < 2; i++) {
        CHECK_INT(join(tasks[i]).code, 0);
        plait_task_destroy(tasks[i]);
    }
}

static int say_thrice(void *arg)
{
    for (int i = 0; i < 3; i++) {
        say(arg);
        plait_yield();
    }
    return 0;
}

TEST(a_yield_lets_all_others_run_in_turn)
{
    plait_yield(); /* there is no loop yet */
    CHECK_INT(plait_go(say_thrice, &letters[0]), 0);
    CHECK_INT(plait_go(say_thrice, &letters[1]), 0);
    CHECK_INT(plait_go(say_thrice, &letters[2]), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(n_said, 3 * i);
        plait_yield();
    }
    CHECK_STR(said, "abcabcabc");
}

struct nap {
    int ms;
    char *letter;
};

static int say_after_a_nap(void *arg)
{
    const struct nap *nap = arg;

    CHECK_INT(plait_sleep(plait_after_ms(nap->ms)), 0);
    return say(nap->letter);
}

TEST(who_sleeps_longer_goes_on_later)
{
    static const int order[] = { 3, 0, 4, 1, 2 };
    plait_task *tasks[5];
    struct nap naps[5];

    for (int i = 0; i < 5; i++) {
        naps[i] = (struct nap){ order[i] * 5, &letters[order[i]] };
        tasks[i] = start(say_after_a_nap, &naps[i]);
    }
    for (int i = 0; i < 5; i++) {
        CHECK_INT(join(tasks[i]).code, 0);
        plait_task_destroy(tasks[i]);
    }
    CHECK_STR(said, "abcde");
}

static int keep_copy(void *arg)
{
    strncpy(said, arg != NULL ? arg : "nothing", sizeof said - 1);
    return 0;
}

TEST(an_argument_is_copied_when_asked_to)
{
    char text[] = "as it was";

    CHECK_INT(plait_go_copy(keep_copy, text, sizeof text), 0);
    memset(text, 'x', sizeof text - 1);
    plait_yield();
    CHECK_STR(said, "as it was");
    CHECK_INT(plait_go_copy(keep_copy, text, 0), 0);
    plait_yield();
    CHECK_STR(said, "nothing");
    CHECK_INT(plait_go_copy(keep_copy, NULL, 1), -EINVAL);
    CHECK_INT(plait_go_copy(NULL, text, 1), -EINVAL);
    CHECK_INT(plait_go(NULL, text), -EINVAL);
}

static int count_one(void *arg)
{
    ++*(int *)arg;
    return 0;
}

TEST_LIMIT(as_many_run_as_were_started, 30)
{
    int n = 0;

    for (int i = 0; i < 3000; i++)
        CHECK_INT(plait_go(count_one, &n), 0);
    CHECK_INT(n, 0);
    plait_yield();
    while (n < 3000)
        plait_yield();
    CHECK_INT(n, 3000);
}

static int use_much_stack(void *arg)
{
    volatile char much[100 * 1024];

    for (size_t i = 0; i < sizeof much; i += 512)
        much[i] = *(char *)arg;
    plait_yield();
    for (size_t i = 0; i < sizeof much; i += 512)
        CHECK_INT(much[i], *(char *)arg);
    return 0;
}

static int use_very_much_stack(void *arg)
{
    volatile char much[3 * 1024 * 1024];

    much[0] = (char)*(int *)arg;
    plait_yield();
    return much[0];
}

TEST(each_has_a_stack_of_its_own)
{
    plait_task *tasks[8];

    for (int i = 0; i < 8; i++)
        tasks[i] = start(use_much_stack, &letters[i]);
    for (int i = 0; i < 8; i++) {
        CHECK_INT(join(tasks[i]).code, 0);
        plait_task_destroy(tasks[i]);
    }
}

/* ---- what a coroutine is ---- */

static int keep_errno(void *arg)
{
    for (int i = 0; i < 3; i++) {
        errno = *(int *)arg + i;
        plait_sleep(plait_after_ms(1));
        CHECK_INT(errno, *(int *)arg + i);
        plait_yield();
        CHECK_INT(errno, *(int *)arg + i);
    }
    return 0;
}

TEST(each_keeps_its_errno)
{
    int numbers[] = { 100, 200 };
    plait_task *one = start(keep_errno, &numbers[0]), *other = start(keep_errno, &numbers[1]);

    errno = 77;
    CHECK_INT(plait_task_join(one, PLAIT_FOREVER), 0);
    CHECK_INT(errno, 77);
    CHECK_INT(join(one).code, 0);
    CHECK_INT(join(other).code, 0);
    plait_task_destroy(one);
    plait_task_destroy(other);
}

static int see_self(void *arg)
{
    const plait_task *self = plait_task_current();

    CHECK_STR(plait_task_name(self), "Coroutine-1");
    CHECK_INT(plait_task_kind(self), PLAIT_COROUTINE);
    CHECK_INT(plait_task_id(self), 1);
    CHECK(plait_task_parent(self) == arg);
    return say(&letters[0]);
}

TEST(also_without_a_handle_it_has_a_name_a_number_and_a_parent)
{
    CHECK_INT(plait_go(see_self, plait_task_current()), 0);
    plait_yield();
    CHECK_STR(said, "a");
    CHECK_STR(plait_task_name(plait_task_current()), "MainProcess");
}

static int tell_thread(void *arg)
{
    *(long *)arg = syscall(SYS_gettid);
    return 0;
}

TEST(all_run_in_the_thread_that_started_them)
{
    long id = 0;
    plait_task *task = start(tell_thread, &id);

    join(task);
    CHECK_INT(id, syscall(SYS_gettid));
    plait_task_destroy(task);
}

TEST(a_coroutine_is_none_of_the_children_and_can_neither_be_killed_nor_polled)
{
    prepare();
    plait_task *task = start(stand, NULL);
    CHECK_INT(plait_task_children(NULL, 0), 0);
    CHECK_INT(plait_task_kill(task), -ENOTSUP);
    CHECK_INT(plait_task_fd(task), -ENOTSUP);
    open_gate();
    join(task);
    plait_task_destroy(task);
}

TEST(a_stack_is_at_least_as_large_as_asked_for)
{
    plait_task_opts opts[] = { { .stack_bytes = 1 }, { .stack_bytes = 4 * 1024 * 1024 } };

    for (int i = 0; i < 2; i++) {
        plait_task *task = NULL;
        CHECK_INT(plait_task_start(&task, KIND, i == 0 ? return_code : use_very_much_stack, &zero,
                                   &opts[i]),
                  0);
        CHECK_INT(join(task).code, 0);
        plait_task_destroy(task);
    }
}

TEST(a_select_waits_for_its_end)
{
    plait_waitable on[2];

    prepare();
    plait_task *stander = start(stand, NULL), *ended = start(return_code, &zero);
    CHECK_INT(plait_task_on_end(&on[0], stander), 0);
    CHECK_INT(plait_task_on_end(&on[1], ended), 0);
    CHECK_INT(plait_select(on, 2, PLAIT_FOREVER), 1);
    CHECK_INT(plait_select(on, 1, plait_after_ms(10)), -ETIMEDOUT);
    open_gate();
    CHECK_INT(plait_select(on, 1, PLAIT_FOREVER), 0);
    plait_task_destroy(stander);
    plait_task_destroy(ended);
}

/* ---- ends with what it started ---- */

static int count_late(void *arg)
{
    plait_sleep(plait_after_ms(20));
    return count_one(arg);
}

static int start_three_late(void *arg)
{
    for (int i = 0; i < 3; i++)
        CHECK_INT(plait_go(count_late, arg), 0);
    return 5;
}

static int start_nine_late(void *arg)
{
    for (int i = 0; i < 3; i++)
        CHECK_INT(plait_go(start_three_late, arg), 0);
    return 6;
}

static void check_ends_after_nine(plait_kind kind)
{
    plait_task *task = NULL;

    prepare();
    CHECK_INT(plait_task_start(&task, kind, start_nine_late, &board->value, NULL), 0);
    CHECK_INT(join(task).code, 6);
    CHECK_INT(board->value, 9);
    plait_task_destroy(task);
}

TEST(a_coroutine_ends_only_after_what_it_started)
{
    check_ends_after_nine(PLAIT_COROUTINE);
}

TEST(a_thread_ends_only_after_what_it_started)
{
    check_ends_after_nine(PLAIT_THREAD);
}

TEST(a_process_ends_only_after_what_it_started)
{
    check_ends_after_nine(PLAIT_PROCESS);
}

static int count_when_cancelled(void *arg)
{
    int rc = plait_sleep(PLAIT_FOREVER);

    CHECK_INT(rc, -ECANCELED);
    CHECK(plait_task_is_cancelled());
    CHECK_INT(plait_sleep(PLAIT_FOREVER), -ECANCELED); /* sticky */
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_SEQ_CST);
    return rc;
}

static int start_three_for_ever(void *arg)
{
    for (int i = 0; i < 3; i++)
        CHECK_INT(plait_go(count_when_cancelled, arg), 0);
    return plait_sleep(PLAIT_FOREVER);
}

static void check_cancel_reaches_all(plait_kind kind, bool begin)
{
    plait_task *task = NULL;
    plait_outcome end;

    prepare();
    CHECK_INT(plait_task_start(&task, kind, start_three_for_ever, &board->value, NULL), 0);
    if (begin)
        plait_sleep(plait_after_ms(30));
    CHECK_INT(plait_task_terminate(task), 0);
    end = join(task);
    CHECK_INT(end.kind, PLAIT_CANCELLED);
    CHECK_INT(end.code, -ECANCELED);
    CHECK_INT(board->value, 3);
    plait_task_destroy(task);
}

TEST(who_is_asked_to_end_asks_what_it_started)
{
    check_cancel_reaches_all(PLAIT_COROUTINE, true);
}

TEST(a_thread_that_is_asked_to_end_asks_what_it_started)
{
    check_cancel_reaches_all(PLAIT_THREAD, true);
}

TEST(who_is_asked_to_end_before_it_began_begins_and_is_told)
{
    check_cancel_reaches_all(PLAIT_COROUTINE, false);
}

TEST(a_destroyed_coroutine_is_asked_to_end)
{
    prepare();
    plait_task_destroy(start(count_when_cancelled, &board->value));
    CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
    CHECK_INT(board->value, 1);
    plait_task *task = start(count_when_cancelled, &board->value);
    plait_yield();
    plait_task_destroy(task);
    plait_yield();
    CHECK_INT(board->value, 2);
}

static int join_other(void *arg)
{
    return plait_task_join(arg, PLAIT_FOREVER);
}

TEST(a_join_is_cancelled)
{
    plait_task *process = NULL, *joiners[2];

    prepare();
    CHECK_INT(plait_task_start(&process, PLAIT_PROCESS, sleep_in_plait, NULL, NULL), 0);
    plait_task *sleeper = start(sleep_in_plait, NULL);
    joiners[0] = start(join_other, sleeper);
    joiners[1] = start(join_other, process);
    plait_yield();
    for (int i = 0; i < 2; i++) {
        CHECK_INT(plait_task_terminate(joiners[i]), 0);
        CHECK_INT(join(joiners[i]).kind, PLAIT_CANCELLED);
        plait_task_destroy(joiners[i]);
    }
    CHECK(plait_task_is_alive(sleeper) && plait_task_is_alive(process));
    plait_task_destroy(sleeper);
    plait_task_destroy(process);
}

/* ---- the end of the program ---- */

static void leave_three(void)
{
    for (int i = 0; i < 2; i++)
        CHECK_INT(plait_go(count_when_cancelled, &board->value), 0);
    plait_yield();
    CHECK_INT(plait_go(count_when_cancelled, &board->value), 0);
}

TEST(at_exit_what_is_left_is_asked_to_end_and_waited_for)
{
    prepare();
    run_program(leave_three);
    CHECK_INT(board->value, 3);
}

static int exit_inside(void *arg)
{
    (void)arg;
    plait_yield();
    board->other = 1;
    exit(0);
}

static void leave_by_a_coroutine(void)
{
    CHECK_INT(plait_go(count_when_cancelled, &board->value), 0);
    CHECK_INT(plait_go(exit_inside, NULL), 0);
    plait_sleep(PLAIT_FOREVER);
}

TEST(an_exit_in_a_coroutine_waits_for_no_other)
{
    prepare();
    run_program(leave_by_a_coroutine);
    CHECK_INT(board->other, 1);
    CHECK_INT(board->value, 0);
}

static void go_in_a_handler(void)
{
    CHECK_INT(plait_go(count_one, &board->value), 0);
}

static void go_in_a_late_handler(void)
{
    atexit(go_in_a_handler);
    CHECK_INT(plait_go(count_one, &board->value), 0);
    plait_yield();
}

TEST(what_a_late_exit_handler_starts_is_run)
{
    prepare();
    run_program(go_in_a_late_handler);
    CHECK_INT(board->value, 2);
}
