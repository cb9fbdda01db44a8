/* What process tasks promise however they are made: one body for each claim, an adapter for each
 * start method.
 * SPDX-License-Identifier: MIT
 *
 * The includer defines METHOD before. A task finds nothing of its starter's memory but the family's
 * heap, and no descriptors but the standard ones.
 */
#ifndef PLAIT_TESTS_START_CONTRACT_H
#define PLAIT_TESTS_START_CONTRACT_H

#include <plait.h>

#include "os/pidfd.h"
#include "task/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "tasks.h"

void test_begin(int *argc, char ***argv)
{
    plait_init(argc, argv);
    /* a spawned process that came back from there would run all cases again, and each of its children */
    if (getenv("PLAIT_SPAWN") != NULL && (*argc != 2 || strcmp((*argv)[1], "-l") != 0))
        _exit(98);
    /* nor one that has lost its environment: where to say that it came back */
    if (getenv("START_RAN") != NULL && write(atoi(getenv("START_RAN")), "r", 1) >= 0)
        _exit(98);
}

/* In the family's heap: what both sides see. */
struct board {
    plait_event gate, ready;
    plait_lock lock;
    int value, other;
    pid_t id, parent;
    char text[64];
    plait_queue *queue;
    struct board *self;
};

static struct board *make_board(void)
{
    struct board *board = plait_shared_alloc(sizeof *board);

    CHECK(board != NULL);
    board->self = board;
    return board;
}

static int start_rc(plait_task **ret, plait_task_fn *fn, void *arg, size_t bytes)
{
    plait_task_opts opts = { .method = METHOD, .arg_bytes = bytes };

    return plait_task_start(ret, PLAIT_PROCESS, fn, arg, &opts);
}

static plait_task *start(plait_task_fn *fn, void *arg)
{
    plait_task *task = NULL;

    CHECK_INT(start_rc(&task, fn, arg, 0), 0);
    CHECK(task != NULL);
    return task;
}

static plait_task *start_int(plait_task_fn *fn, int arg)
{
    plait_task *task = NULL;

    CHECK_INT(start_rc(&task, fn, &arg, sizeof arg), 0);
    return task;
}

static plait_outcome join(plait_task *task)
{
    return end_of(task);
}

static plait_outcome run(plait_task_fn *fn, void *arg)
{
    return outcome_of(start(fn, arg));
}

static int return_code(void *arg)
{
    return *(int *)arg;
}

static int return_7(void *arg)
{
    return arg == NULL ? 7 : 8;
}

static int stand(void *arg)
{
    struct board *board = arg;

    plait_event_set(&board->ready);
    return plait_event_wait(&board->gate, PLAIT_FOREVER);
}

static plait_task *start_standing(struct board *board)
{
    plait_task *task = start(stand, board);

    CHECK_INT(plait_event_wait(&board->ready, PLAIT_FOREVER), 0);
    return task;
}

/* ---- start, join, outcome ---- */

TEST(what_the_function_returns_is_told_whole)
{
    int codes[] = { 0, 1, 255, 256, 70000, -1, INT_MAX, INT_MIN };

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        plait_task *task = start_int(return_code, codes[i]);
        plait_outcome end = join(task);
        CHECK_INT(end.kind, PLAIT_RETURNED);
        CHECK_INT(end.code, codes[i]);
        CHECK_INT(end.signal, 0);
        CHECK_INT(plait_task_join(task, PLAIT_NOWAIT), 0);
        plait_task_destroy(task);
    }
    CHECK_INT(run(return_7, NULL).code, 7);
}

TEST(a_join_ends_at_its_deadline)
{
    struct board *board = make_board();
    plait_outcome end;
    plait_task *task = start_standing(board);

    CHECK_INT(plait_task_join(task, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_task_join(task, plait_after_ms(20)), -ETIMEDOUT);
    CHECK_INT(plait_task_outcome(task, &end), -EAGAIN);
    CHECK(plait_task_is_alive(task));
    CHECK_INT(plait_task_children(NULL, 0), 1);
    plait_event_set(&board->gate);
    CHECK_INT(join(task).code, 0);
    CHECK(!plait_task_is_alive(task));
    CHECK_INT(plait_task_children(NULL, 0), 0);
    plait_task_destroy(task);
}

TEST(an_outcome_is_there_without_a_join)
{
    plait_task *task = start_int(return_code, 5);
    plait_outcome end;

    while (plait_task_is_alive(task))
        CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.code, 5);
    plait_task_destroy(task);
}

static int join_it(void *arg)
{
    return plait_task_join(arg, PLAIT_FOREVER);
}

TEST(tasks_of_any_kind_may_join_one)
{
    plait_kind kinds[] = { PLAIT_THREAD, PLAIT_COROUTINE, PLAIT_THREAD, PLAIT_COROUTINE };
    plait_task *joiners[4];
    struct board *board = make_board();
    plait_task *task = start_standing(board);

    for (int i = 0; i < 4; i++)
        CHECK_INT(plait_task_start(&joiners[i], kinds[i], join_it, task, NULL), 0);
    CHECK_INT(plait_sleep(plait_after_ms(2)), 0);
    plait_event_set(&board->gate);
    CHECK_INT(join(task).code, 0);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(join(joiners[i]).code, 0);
        plait_task_destroy(joiners[i]);
    }
    plait_task_destroy(task);
}

TEST_LIMIT(many_tasks_at_once_end_each_with_its_own_result, 30)
{
    enum {
        MANY = METHOD == PLAIT_START_SPAWN ? 8 : 40
    };

    plait_task *tasks[MANY];

    for (int i = 0; i < MANY; i++)
        tasks[i] = start_int(return_code, i * 1000);
    for (int i = MANY - 1; i >= 0; i--) {
        CHECK_INT(join(tasks[i]).code, i * 1000);
        plait_task_destroy(tasks[i]);
    }
}

static int call_exit(void *arg)
{
    exit(*(int *)arg);
}

static int call_abort(void *arg)
{
    const struct rlimit none = { 0 };

    (void)arg;
    setrlimit(RLIMIT_CORE, &none);
    abort();
}

TEST(an_exit_and_an_abort_are_no_return)
{
    plait_task *task = start_int(call_exit, 300);
    plait_outcome end = join(task);

    CHECK_INT(end.kind, PLAIT_EXITED);
    CHECK_INT(end.code, 300 & 255);
    plait_task_destroy(task);
    end = run(call_abort, NULL);
    CHECK_INT(end.kind, PLAIT_SIGNALLED);
    CHECK_INT(end.signal, SIGABRT);
    CHECK(!end.core);
}

static int fork_and_leave(void *arg)
{
    pid_t pid = fork();

    if (pid == 0)
        return *(int *)arg; /* as the task does, which has not returned itself */
    waitpid(pid, NULL, 0);
    _exit(9);
}

TEST(a_fork_inside_the_function_that_returns_does_not_speak_for_the_task)
{
    plait_task *task = start_int(fork_and_leave, 1000);
    plait_outcome end = join(task);

    CHECK_INT(end.kind, PLAIT_EXITED);
    CHECK_INT(end.code, 9);
    plait_task_destroy(task);
}

TEST(the_descriptor_is_readable_once_it_has_ended)
{
    struct board *board = make_board();
    plait_task *task = start_standing(board);
    struct pollfd end = { .fd = plait_task_fd(task), .events = POLLIN };

    CHECK(end.fd >= 0);
    CHECK_INT(poll(&end, 1, 0), 0);
    plait_event_set(&board->gate);
    CHECK_INT(test_poll(&end, 1, -1), 1);
    CHECK_INT(plait_task_join(task, PLAIT_NOWAIT), 0);
    plait_task_destroy(task);
}

static int use_memory(void *arg)
{
    volatile char *bytes = malloc(16 * 1024 * 1024);

    (void)arg;
    for (size_t i = 0; bytes != NULL && i < 16 * 1024 * 1024; i += 512)
        bytes[i] = 1;
    free((void *)(uintptr_t)bytes);
    return 0;
}

TEST(the_usage_is_told)
{
    plait_outcome end = run(use_memory, NULL);

    CHECK(end.has_usage);
    CHECK(end.peak_kib >= 16 * 1024);
    CHECK(end.user_ns + end.system_ns > 0);
}

/* ---- ending ---- */

TEST(a_task_can_be_asked_to_end_and_killed)
{
    struct board *board = make_board();
    plait_task *task = start_standing(board);
    plait_outcome end;

    CHECK_INT(plait_task_terminate(task), 0);
    end = join(task);
    CHECK_INT(end.kind, PLAIT_SIGNALLED);
    CHECK_INT(end.signal, SIGTERM);
    CHECK_INT(end.code, 0);
    CHECK_INT(plait_task_terminate(task), 0);
    plait_task_destroy(task);
    task = start_standing(board);
    CHECK_INT(plait_task_kill(task), 0);
    CHECK_INT(join(task).signal, SIGKILL);
    CHECK_INT(plait_task_kill(task), 0);
    plait_task_destroy(task);
}

static int sleep_for_ever(void *arg)
{
    (void)arg;
    for (;;)
        pause();
    return 0;
}

TEST(who_asks_a_task_to_end_at_once_is_heard)
{
    for (int i = 0; i < 5; i++) {
        plait_task *task = start(sleep_for_ever, NULL);
        CHECK_INT(plait_task_terminate(task), 0);
        CHECK_INT(join(task).signal, SIGTERM);
        plait_task_destroy(task);
    }
}

TEST(a_destroyed_task_is_gone_when_the_call_returns)
{
    struct pollfd end = { .events = POLLIN };
    plait_task *task = start_standing(make_board());

    end.fd = dup(plait_task_fd(task));
    CHECK(end.fd >= 0);
    CHECK_INT(poll(&end, 1, 0), 0);
    plait_task_destroy(task);
    CHECK_INT(poll(&end, 1, 0), 1);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

TEST(a_stopped_task_has_not_ended)
{
    plait_task *task = start_standing(make_board());
    siginfo_t info;

    CHECK_INT(kill(plait_task_id(task), SIGSTOP), 0);
    if (METHOD != PLAIT_START_FORKSERVER) /* whose tasks are not our children */
        while (waitid(P_PID, (id_t)plait_task_id(task), &info, WSTOPPED | WNOWAIT) < 0)
            CHECK_INT(errno, EINTR);
    CHECK(plait_task_is_alive(task));
    CHECK_INT(plait_task_join(task, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_task_kill(task), 0);
    CHECK_INT(join(task).signal, SIGKILL);
    plait_task_destroy(task);
}

/* ---- what it is ---- */

static int look_around(void *arg)
{
    struct board *board = arg;
    plait_task *self = plait_task_current(), *parent = plait_task_parent(self);
    plait_outcome end;

    board->id = plait_task_id(self);
    board->parent = plait_task_id(parent);
    board->value = plait_task_kind(self) == PLAIT_PROCESS && plait_task_is_alive(self) &&
                   plait_task_is_daemon(self) && getpid() == board->id &&
                   plait_task_join(self, PLAIT_NOWAIT) == -EDEADLK &&
                   plait_task_terminate(self) == -ECHILD;
    board->other = plait_task_kind(parent) == PLAIT_PROCESS && !plait_task_is_alive(parent) &&
                   plait_task_join(parent, PLAIT_NOWAIT) == -ECHILD &&
                   plait_task_outcome(parent, &end) == -ECHILD &&
                   plait_task_terminate(parent) == -ECHILD;
    snprintf(board->text, sizeof board->text, "%s of %s", plait_task_name(self),
             plait_task_name(parent));
    return board->self == board ? 0 : 1;
}

TEST(a_task_knows_itself_and_its_parent)
{
    struct board *board = make_board();
    plait_task_opts opts = { .name = "looker", .method = METHOD, .daemon = true };
    plait_task *task = NULL;

    CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, look_around, board, &opts), 0);
    CHECK_INT(join(task).code, 0);
    CHECK_INT(board->id, plait_task_id(task));
    CHECK_INT(board->parent, getpid());
    CHECK_INT(board->value, 1);
    CHECK_INT(board->other, 1);
    CHECK_STR(board->text, "looker of MainProcess");
    CHECK(plait_task_parent(task) == plait_task_current());
    plait_task_destroy(task);
}

static int start_two_below(void *arg)
{
    plait_task *forked = NULL, *task = start_int(return_code, *(int *)arg);
    int code = join(task).code;

    plait_task_destroy(task);
    CHECK_INT(plait_task_start(&forked, PLAIT_PROCESS, return_7, NULL,
                               &(plait_task_opts){ .method = PLAIT_START_FORK }),
              0);
    code += join(forked).code;
    plait_task_destroy(forked);
    return code;
}

TEST(a_task_starts_tasks_of_its_own)
{
    plait_task *task = start_int(start_two_below, 1000);

    CHECK_INT(join(task).code, 1007);
    plait_task_destroy(task);
}

TEST(the_programs_choice_is_that_of_its_tasks)
{
    plait_task *task = NULL;

    CHECK_INT(plait_get_start_method(), PLAIT_START_FORK);
    CHECK_INT(plait_set_start_method(PLAIT_START_DEFAULT), -EINVAL);
    CHECK_INT(plait_set_start_method((plait_start_method)9), -EINVAL);
    CHECK_INT(plait_set_start_method(METHOD), 0);
    CHECK_INT(plait_set_start_method(METHOD), -EALREADY);
    CHECK_INT(plait_get_start_method(), METHOD);
    CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, return_7, NULL, NULL), 0);
    CHECK_INT(join(task).code, 7);
    plait_task_destroy(task);
}

static int add_5(const void *in, void *out, void *ctx)
{
    (void)ctx;
    *(int *)out = *(const int *)in + 5;
    return 0;
}

static int use_a_pool(void *arg)
{
    const int *kind = arg;
    int number = 37, sum = 0;
    plait_job job = {
        .fn = add_5, .in = &number, .in_bytes = sizeof number, .out_bytes = sizeof sum
    };
    plait_pool_opts opts = { .workers = 2 };
    plait_pool *pool = NULL;
    plait_future *future = NULL;

    CHECK_INT(plait_pool_create(&pool, (plait_kind)*kind, &opts), 0);
    CHECK_INT(plait_pool_submit(pool, &future, &job, PLAIT_FOREVER), 0);
    CHECK_INT(plait_future_get(future, &sum, sizeof sum, PLAIT_FOREVER), sizeof sum);
    plait_future_unref(future);
    plait_pool_destroy(pool);
    return sum;
}

TEST(it_has_pools_and_futures_of_its_own)
{
    for (int kind = PLAIT_PROCESS; kind <= PLAIT_COROUTINE; kind++) {
        plait_task *task = start_int(use_a_pool, kind);
        CHECK_INT(join(task).code, 42);
        plait_task_destroy(task);
    }
}

/* ---- what it has ---- */

static int count_open(void *arg)
{
    int n = 0;

    (void)arg;
    for (int fd = 0; fd < 1000; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

TEST(starting_and_joining_leaks_no_descriptor)
{
    int before = 0;

    for (int i = 0; i < (METHOD == PLAIT_START_SPAWN ? 5 : 20); i++) {
        plait_task *task = start(count_open, NULL);
        int inside = join(task).code;
        plait_task_destroy(task);
        if (i == 0)
            before = count_open(NULL);
        CHECK(inside <= before);
        if (METHOD == PLAIT_START_FORK)
            CHECK_INT(inside, before - 2); /* without the parent's keeper */
    }
    CHECK_INT(count_open(NULL), before);
}

static int default_signals(void *arg)
{
    struct sigaction action;
    sigset_t blocked;
    int n = 0;

    (void)arg;
    for (int number = 1; number <= SIGTERM; number++)
        n += sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    return n * 100 + sigismember(&blocked, SIGCHLD) * 10 + (getpgrp() == getpgid(getppid()));
}

TEST(it_ignores_and_blocks_no_signal)
{
    int result = run(default_signals, NULL).code;

    CHECK_INT(result / 10, 0);
}

/* ---- the family ---- */

static int use_the_heap(void *arg)
{
    struct board *board = arg, *sent = NULL;
    int *mine;

    if (plait_queue_get(board->queue, &sent, sizeof sent, PLAIT_FOREVER) != sizeof sent ||
        sent != board)
        return 1;
    mine = plait_shared_alloc(sizeof *mine);
    if (mine == NULL || plait_lock_acquire(&sent->lock, PLAIT_FOREVER) != 0)
        return 2;
    *mine = ++sent->value;
    plait_lock_release(&sent->lock);
    return plait_queue_put(board->queue, &mine, sizeof mine, PLAIT_FOREVER);
}

TEST(queues_locks_and_pointers_of_the_heap_work_there)
{
    struct board *board = make_board();
    int *theirs = NULL;

    board->value = 41;
    CHECK_INT(plait_queue_create(&board->queue, NULL), 0);
    CHECK_INT(plait_queue_put(board->queue, &board, sizeof board, PLAIT_FOREVER), 0);
    CHECK_INT(run(use_the_heap, board).code, 0);
    CHECK_INT(plait_queue_get(board->queue, &theirs, sizeof theirs, PLAIT_NOWAIT), sizeof theirs);
    CHECK_INT(*theirs, 42);
    CHECK_INT(plait_shared_free(theirs), 0);
    plait_queue_destroy(board->queue);
}

static int die_with_lock(void *arg)
{
    struct board *board = arg;

    if (plait_lock_acquire(&board->lock, PLAIT_FOREVER) != 0)
        return 1;
    return raise(SIGKILL);
}

TEST(a_lock_that_it_held_is_told_as_its_dead_owners)
{
    struct board *board = make_board();

    CHECK_INT(run(die_with_lock, board).signal, SIGKILL);
    CHECK_INT(plait_lock_acquire(&board->lock, PLAIT_FOREVER), -EOWNERDEAD);
    CHECK_INT(plait_lock_recover(&board->lock, PLAIT_FOREVER), 0);
    plait_lock_repaired(&board->lock);
    plait_lock_release(&board->lock);
}

#endif
