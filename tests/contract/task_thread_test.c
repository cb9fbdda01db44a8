/* The contract of tasks, kept by threads; and what only threads promise.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#define KIND      PLAIT_THREAD
#define KIND_WORD "Thread"
#include "task_contract.h"

#include "task_kernel.h"

#include <pthread.h>

TEST(a_thread_that_was_asked_to_end_is_cancelled)
{
    prepare();
    plait_task *task = start(sleep_in_plait, NULL);
    CHECK_INT(plait_task_terminate(task), 0);
    plait_outcome end = join(task);
    CHECK_INT(end.kind, PLAIT_CANCELLED);
    CHECK_INT(end.code, -ECANCELED);
    plait_task_destroy(task);
}

static int ask_self(void *arg)
{
    (void)arg;
    if (plait_task_is_cancelled() || plait_task_terminate(plait_task_current()) < 0)
        return 1;
    if (!plait_task_is_cancelled() || plait_sleep(plait_after_ms(1)) != -ECANCELED)
        return 2;
    if (plait_sleep(PLAIT_NOWAIT) != -ECANCELED)
        return 3;
    return 4;
}

TEST(a_cancel_is_sticky_and_the_function_may_return_what_it_likes)
{
    plait_task *task = start(ask_self, NULL);
    plait_outcome end = join(task);

    CHECK_INT(end.kind, PLAIT_RETURNED);
    CHECK_INT(end.code, 4);
    CHECK(!plait_task_is_cancelled());
    plait_task_destroy(task);
}

static int join_other(void *arg)
{
    return plait_task_join(arg, PLAIT_FOREVER);
}

TEST(a_join_is_cancelled)
{
    prepare();
    plait_task *stander = start(stand, NULL), *joiner = start(join_other, stander);
    CHECK_INT(plait_task_terminate(joiner), 0);
    CHECK_INT(join(joiner).kind, PLAIT_CANCELLED);
    CHECK_INT(plait_task_join(stander, PLAIT_NOWAIT), -ETIMEDOUT);
    open_gate();
    join(stander);
    plait_task_destroy(joiner);
    plait_task_destroy(stander);
}

static int join_ended_while_cancelled(void *arg)
{
    plait_task_terminate(plait_task_current());
    return plait_task_join(arg, PLAIT_NOWAIT);
}

TEST(a_join_that_need_not_wait_succeeds_also_when_cancelled)
{
    plait_task *ended = start(return_code, &zero), *joiner;

    join(ended);
    joiner = start(join_ended_while_cancelled, ended);
    CHECK_INT(join(joiner).code, 0);
    plait_task_destroy(joiner);
    plait_task_destroy(ended);
}

TEST(a_thread_can_neither_be_killed_nor_polled)
{
    prepare();
    plait_task *task = start(stand, NULL);
    CHECK_INT(plait_task_kill(task), -ENOTSUP);
    CHECK_INT(plait_task_fd(task), -ENOTSUP);
    open_gate();
    join(task);
    plait_task_destroy(task);
}

static int start_process(void *arg)
{
    plait_task *task = NULL;

    return plait_task_start(&task, PLAIT_PROCESS, return_code, arg, NULL);
}

TEST(beside_threads_no_process_is_forked)
{
    plait_task *task = start(start_process, &zero);

    CHECK_INT(join(task).code, PLAIT_ETHREADS);
    plait_task_destroy(task);
}

TEST(when_all_threads_are_joined_processes_can_be_forked_again)
{
    char *args[] = { NULL }, **argv = args;
    int argc = 0, nine = 9;
    plait_task *task = NULL;

    CHECK_INT(plait_init(&argc, &argv), 0);
    plait_task_destroy(start(return_code, &nine));
    task = start(return_code, &nine);
    join(task);
    plait_task_destroy(task);
    while (plait_task_start(&task, PLAIT_PROCESS, return_code, &nine, NULL) == PLAIT_ETHREADS)
        plait_sleep(plait_after_ms(1)); /* the one that was let go of may still be ending */
    CHECK_INT(join(task).code, 9);
    plait_task_destroy(task);
}

static int leave_by_pthread_exit(void *arg)
{
    pthread_exit(arg);
}

static int tell_id_when_asked(void *arg)
{
    stand(arg);
    return tell_kernel_id(arg);
}

TEST(the_id_is_known_as_soon_as_the_thread_was_started)
{
    prepare();
    for (int i = 0; i < 100; i++) {
        plait_task *task = start(tell_id_when_asked, NULL);
        pid_t id = plait_task_id(task);
        open_gate();
        join(task);
        CHECK_INT(id, board->id);
        plait_task_destroy(task);
    }
}

/* What a plain thread does that cannot be cancelled: it joins the kernel's thread at once. */
static void *join_for_ever(void *arg)
{
    board->value = plait_task_join(arg, PLAIT_FOREVER);
    return NULL;
}

TEST(one_who_joins_for_ever_does_not_hold_up_those_with_a_deadline)
{
    pthread_t other;

    prepare();
    plait_task *task = start(stand, NULL);
    board->value = 1;
    CHECK_INT(pthread_create(&other, NULL, join_for_ever, task), 0);
    for (int i = 0; i < 20; i++)
        CHECK_INT(plait_task_join(task, plait_after_ms(1)), -ETIMEDOUT);
    CHECK(plait_task_is_alive(task));
    open_gate();
    CHECK_INT(plait_task_join(task, plait_after_ms(60000)), 0);
    CHECK_INT(pthread_join(other, NULL), 0);
    CHECK_INT(board->value, 0);
    CHECK_INT(join(task).code, 0);
    plait_task_destroy(task);
}

TEST(a_function_that_calls_pthread_exit_has_ended)
{
    plait_task *task = start(leave_by_pthread_exit, NULL);

    CHECK_INT(join(task).kind, PLAIT_EXITED);
    plait_task_destroy(task);
}

TEST(a_stack_that_is_too_small_is_refused)
{
    plait_task *task = NULL;

    CHECK_INT(
        plait_task_start(&task, KIND, return_code, &zero, &(plait_task_opts){ .stack_bytes = 1 }),
        -EINVAL);
    CHECK(task == NULL);
    CHECK_INT(plait_task_start(&task, KIND, return_code, &zero,
                               &(plait_task_opts){ .stack_bytes = 1024 * 1024 }),
              0);
    join(task);
    plait_task_destroy(task);
}

static int tell_native_name(void *arg)
{
    (void)arg;
    return pthread_getname_np(pthread_self(), board->text, sizeof board->text);
}

TEST(the_kernel_knows_the_name_as_far_as_it_has_room)
{
    static const char *const names[] = { "short", "exactly-15-long", "more-than-15-is-cut" };
    static const char *const native[] = { "short", "exactly-15-long", "more-than-15-is" };

    prepare();
    for (int i = 0; i < 3; i++) {
        plait_task *task = NULL;
        plait_task_opts opts = { .name = names[i] };
        CHECK_INT(plait_task_start(&task, KIND, tell_native_name, NULL, &opts), 0);
        CHECK_INT(join(task).code, 0);
        CHECK_STR(board->text, native[i]);
        CHECK_STR(plait_task_name(task), names[i]);
        plait_task_destroy(task);
    }
}

static int see_main(void *arg)
{
    return plait_task_current() == arg ? 0 : 1;
}

static void *run_foreign(void *arg)
{
    board->value = see_main(arg) == 0 && !plait_task_is_cancelled();
    return NULL;
}

TEST(a_thread_that_plait_did_not_start_is_the_main_task)
{
    pthread_t thread;

    prepare();
    CHECK_INT(pthread_create(&thread, NULL, run_foreign, plait_task_current()), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(board->value, 1);
}

static int fork_inside(void *arg)
{
    int status;
    pid_t pid = fork();

    (void)arg;
    if (pid == 0) /* of all threads, only this one is in the child: as its main task */
        _exit(plait_task_parent(plait_task_current()) == NULL &&
                      plait_task_id(plait_task_current()) == getpid() && !plait_task_is_cancelled()
                  ? 0
                  : 1);
    return waitpid(pid, &status, 0) == pid ? status : -1;
}

TEST(a_fork_of_the_hosts_in_a_thread_has_a_main_task)
{
    plait_task *task = start(fork_inside, NULL);

    CHECK_INT(join(task).code, 0);
    plait_task_destroy(task);
}

static int exit_cancelled(void *arg)
{
    plait_task_terminate(plait_task_current());
    leave_a_task();
    exit(*(int *)arg);
}

static void exit_in_a_cancelled_thread(void)
{
    join(start(exit_cancelled, &zero));
}

TEST(also_when_a_cancelled_thread_exits_the_others_are_waited_for)
{
    prepare();
    run_program(exit_in_a_cancelled_thread);
    CHECK_INT(__atomic_load_n(&board->value, __ATOMIC_SEQ_CST), 1);
}

TEST(a_join_of_a_process_is_cancelled)
{
    plait_task *process = NULL, *joiner;

    prepare();
    CHECK_INT(plait_task_start(&process, PLAIT_PROCESS, stand, NULL, NULL), 0);
    joiner = start(join_other, process);
    CHECK_INT(plait_task_terminate(joiner), 0);
    CHECK_INT(join(joiner).kind, PLAIT_CANCELLED);
    CHECK(plait_task_is_alive(process));
    open_gate();
    CHECK_INT(join(process).code, 0);
    plait_task_destroy(joiner);
    plait_task_destroy(process);
}

static int say_what_sleeping_said(void *arg)
{
    int rc = plait_sleep(PLAIT_FOREVER);

    return write(*(int *)arg, &rc, sizeof rc) == (ssize_t)sizeof rc ? rc : 1;
}

TEST(a_destroyed_thread_is_asked_to_end)
{
    int said[2], rc;

    CHECK_INT(pipe(said), 0);
    plait_task_destroy(start(say_what_sleeping_said, &said[1]));
    CHECK_INT(read(said[0], &rc, sizeof rc), sizeof rc);
    CHECK_INT(rc, -ECANCELED);
}

TEST(without_plait_init_a_keeper_cannot_be_made_beside_threads)
{
    prepare();
    plait_task *task = start(stand, NULL);
    CHECK_INT(plait_keeper_start(), PLAIT_ETHREADS);
    open_gate();
    join(task);
    CHECK_INT(plait_keeper_start(), 0);
    plait_task_destroy(task);
}

TEST(after_plait_init_the_keeper_is_made_before_the_first_thread)
{
    char *args[] = { NULL }, **argv = args;
    int argc = 0;

    prepare();
    CHECK_INT(plait_init(&argc, &argv), 0);
    CHECK_INT(plait_init(NULL, &argv), -EINVAL);
    CHECK_INT(plait_init(&argc, NULL), -EINVAL);
    plait_task *task = start(stand, NULL);
    CHECK_INT(plait_keeper_start(), 0); /* it is there */
    open_gate();
    join(task);
    plait_task_destroy(task);
}
