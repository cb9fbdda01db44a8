/* The contract of the hook for tasks that fail.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const plait_kind kinds[] = { PLAIT_PROCESS, PLAIT_COROUTINE, PLAIT_THREAD };

/* In shared memory: what was told, by whichever process. */
static struct told {
    int n;
    plait_outcome end;
    plait_task *task;
    pid_t by;
    char name[32];
    char local[32];
} * told;

static plait_local note;

static void tell(plait_task *task, const plait_outcome *end, void *ctx)
{
    const char *value = plait_local_get(&note);

    CHECK(ctx == told);
    told->end = *end;
    told->task = task;
    told->by = getpid();
    strncpy(told->name, plait_task_name(task), sizeof told->name - 1);
    strncpy(told->local, value != NULL ? value : "", sizeof told->local - 1);
    __atomic_add_fetch(&told->n, 1, __ATOMIC_SEQ_CST);
}

static void prepare(void)
{
    told = plait_shared_alloc(sizeof *told);
    CHECK(told != NULL);
    CHECK_INT(plait_on_task_failure(tell, told), 0);
}

static plait_task *start(plait_kind kind, plait_task_fn *fn, intptr_t arg)
{
    plait_task *task = NULL;

    CHECK_INT(plait_task_start(&task, kind, fn, (void *)arg, &(plait_task_opts){ .name = "it" }),
              0);
    return task;
}

static void run(plait_kind kind, plait_task_fn *fn, intptr_t arg)
{
    plait_task *task = start(kind, fn, arg);

    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0); /* it is told once */
    plait_task_destroy(task);
}

static int return_it(void *arg)
{
    static char mine[] = "mine";

    plait_local_set(&note, mine);
    return (int)(intptr_t)arg;
}

TEST(who_returns_a_negative_number_has_failed)
{
    prepare();
    for (int i = 0; i < 3; i++) {
        run(kinds[i], return_it, 0);
        run(kinds[i], return_it, 3);
        CHECK_INT(told->n, i);
        run(kinds[i], return_it, -ENOENT);
        CHECK_INT(told->n, i + 1);
        CHECK_INT(told->end.kind, PLAIT_RETURNED);
        CHECK_INT(told->end.code, -ENOENT);
        CHECK_STR(told->name, "it");
        CHECK_INT(told->by, getpid()); /* also of a process */
        CHECK_STR(told->local, kinds[i] == PLAIT_PROCESS ? "" : "mine");
    }
}

TEST(who_joined_has_heard_of_it_and_the_task_it_was_is_the_handle)
{
    prepare();
    for (int i = 0; i < 3; i++) {
        plait_task *task = start(kinds[i], return_it, -1);
        CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
        CHECK_INT(told->n, i + 1);
        CHECK(told->task == task);
        plait_task_destroy(task);
    }
}

static int die_by(void *arg)
{
    return raise((int)(intptr_t)arg);
}

static int exit_with(void *arg)
{
    _exit((int)(intptr_t)arg);
}

TEST(a_process_fails_by_a_signal_or_an_exit_status)
{
    prepare();
    run(PLAIT_PROCESS, exit_with, 0);
    CHECK_INT(told->n, 0);
    run(PLAIT_PROCESS, exit_with, 7);
    CHECK_INT(told->n, 1);
    CHECK_INT(told->end.kind, PLAIT_EXITED);
    CHECK_INT(told->end.code, 7);
    run(PLAIT_PROCESS, die_by, SIGKILL);
    CHECK_INT(told->n, 2);
    CHECK_INT(told->end.kind, PLAIT_SIGNALLED);
    CHECK_INT(told->end.signal, SIGKILL);
}

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return plait_sleep(PLAIT_FOREVER);
}

TEST(who_was_asked_to_end_has_not_failed)
{
    prepare();
    for (int i = 0; i < 3; i++) {
        plait_task *task = start(kinds[i], sleep_for_ever, 0);
        CHECK_INT(plait_task_terminate(task), 0);
        CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
        plait_task_destroy(task);
    }
    plait_task_destroy(start(PLAIT_PROCESS, sleep_for_ever, 0));
    plait_task *killed = start(PLAIT_PROCESS, sleep_for_ever, 0);
    CHECK_INT(plait_task_kill(killed), 0);
    CHECK_INT(plait_task_join(killed, PLAIT_FOREVER), 0);
    plait_task_destroy(killed);
    CHECK_INT(told->n, 0);
}

static void await_end(const plait_task *task)
{
    plait_waitable end;

    CHECK_INT(plait_on_fd(&end, plait_task_fd(task), PLAIT_READABLE), 0);
    CHECK_INT(plait_select(&end, 1, PLAIT_FOREVER), 0);
}

TEST(who_asks_it_to_end_too_late_is_told_that_it_had_failed)
{
    prepare();
    for (int i = 0; i < 3; i++) {
        plait_task *task = start(PLAIT_PROCESS, return_it, -2);
        await_end(task);
        if (i == 0)
            CHECK_INT(plait_task_terminate(task), 0);
        else if (i == 1)
            CHECK_INT(plait_task_kill(task), 0);
        plait_task_destroy(task);
        CHECK_INT(told->n, i + 1);
    }
}

static int fail_in_go(void *arg)
{
    (void)arg;
    return plait_go(return_it, (void *)(intptr_t)-3);
}

TEST(what_has_no_handle_is_told_too)
{
    plait_group *group = NULL;

    prepare();
    run(PLAIT_THREAD, fail_in_go, 0);
    CHECK_INT(told->n, 1);
    CHECK_INT(told->end.code, -3);
    CHECK_INT(plait_group_create(&group, NULL), 0);
    CHECK_INT(plait_group_go(group, return_it, (void *)(intptr_t)-4, PLAIT_FOREVER), 0);
    CHECK_INT(plait_group_join(group, PLAIT_FOREVER), 1);
    CHECK_INT(told->n, 2);
    CHECK_INT(told->end.code, -4);
    plait_group_destroy(group);
}

static void start_within(plait_task *task, const plait_outcome *end, void *ctx)
{
    plait_task_children(NULL, 0); /* nothing is locked */
    tell(task, end, ctx);
    if (told->n % 3 != 0)
        run(PLAIT_COROUTINE, return_it, -told->n);
}

TEST(the_hook_may_start_tasks_and_wait_for_them)
{
    prepare();
    plait_on_task_failure(start_within, told);
    for (int i = 0; i < 3; i++) {
        run(kinds[i], return_it, -9);
        CHECK_INT(told->n, 3 * (i + 1));
    }
}

TEST(without_a_hook_nothing_is_called)
{
    prepare();
    CHECK_INT(plait_on_task_failure(NULL, NULL), 0);
    for (int i = 0; i < 3; i++)
        run(kinds[i], return_it, -1);
    CHECK_INT(told->n, 0);
}

static int fail_below(void *arg)
{
    (void)arg;
    run(PLAIT_PROCESS, return_it, -8);
    return told->by == getpid() ? 0 : 1;
}

TEST(a_child_begins_with_its_parents_hook)
{
    prepare();
    run(PLAIT_PROCESS, fail_below, 0);
    CHECK_INT(told->n, 1);
    CHECK_INT(told->end.code, -8);
}

static plait_task *volatile left; /* what nobody destroys: for a leak checker to see */

TEST(at_the_latest_the_exit_tells_it)
{
    int status;

    prepare();
    pid_t pid = fork();
    if (pid == 0) {
        left = start(PLAIT_PROCESS, return_it, -5);
        exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(told->n, 1);
    CHECK_INT(told->end.code, -5);
    CHECK_INT(told->by, pid);
}

static int compare_main(void *arg)
{
    plait_task *main_task = plait_task_main();

    if (plait_task_kind(main_task) != PLAIT_PROCESS || plait_task_id(main_task) != getpid())
        return 1;
    return main_task == arg ? 0 : 2;
}

/* As the first call in a child that a process task forks: that task is not its main one. */
static int compare_main_of_fork(void)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(plait_task_parent(plait_task_main()) == NULL ? 0 : 1);
    return test_waitpid(pid, &status, 0) == pid ? status : -1;
}

static int compare_main_below(void *arg)
{
    plait_task *thread = start(PLAIT_THREAD, compare_main, (intptr_t)plait_task_current());
    plait_outcome end;

    if (arg == plait_task_main() || plait_task_main() != plait_task_current())
        return 1;
    CHECK_INT(plait_task_join(thread, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(thread, &end), 0);
    CHECK_INT(compare_main_of_fork(), 0);
    return end.code;
}

TEST(the_main_task_is_what_the_process_began_as)
{
    plait_task *task;
    plait_outcome end;
    int status;

    CHECK(plait_task_main() == plait_task_current());
    for (int i = 0; i < 3; i++) {
        task = start(kinds[i], kinds[i] == PLAIT_PROCESS ? compare_main_below : compare_main,
                     (intptr_t)plait_task_main());
        CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_outcome(task, &end), 0);
        CHECK_INT(end.code, 0);
        plait_task_destroy(task);
    }
    pid_t pid = fork();
    if (pid == 0)
        _exit(plait_task_id(plait_task_main()) == getpid() ? 0 : 1);
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}
