/* Coroutines beside threads, processes and forks: several loops in a program, and none in a child.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#define KIND      PLAIT_COROUTINE
#define KIND_WORD "Coroutine"
#include "read_gate.h"
#include "tasks.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int *board; /* what children of a fork see, too */

static void prepare(void)
{
    board = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(board != MAP_FAILED);
}

static int end(plait_task *task)
{
    plait_outcome outcome = outcome_of(task);

    return outcome.kind == PLAIT_RETURNED || outcome.kind == PLAIT_CANCELLED ? outcome.code : -1;
}

static int nap(void *arg)
{
    plait_sleep(plait_after_ms(20));
    return *(int *)arg;
}

static int join_and_tell(void *arg)
{
    plait_outcome outcome = { 0 };
    int rc = plait_task_join(arg, PLAIT_FOREVER);

    return rc < 0 || plait_task_outcome(arg, &outcome) < 0 ? -1 : outcome.code;
}

/* ---- joined by others ---- */

TEST(a_thread_joins_a_coroutine_of_another_thread)
{
    int five = 5;
    plait_task *task = start_of_kind(PLAIT_COROUTINE, nap, &five);
    plait_task *joiner = start_of_kind(PLAIT_THREAD, join_and_tell, task);

    CHECK_INT(end(joiner), 5);
    CHECK_INT(end(task), 5);
}

static int join_in_a_loop(void *arg)
{
    return end(start_of_kind(PLAIT_COROUTINE, join_and_tell, arg));
}

TEST(a_coroutine_joins_one_of_another_loop)
{
    int five = 5;
    plait_task *task = start_of_kind(PLAIT_COROUTINE, nap, &five);
    plait_task *joiner = start_of_kind(PLAIT_THREAD, join_in_a_loop, task);

    CHECK_INT(end(joiner), 5);
    CHECK_INT(end(task), 5);
}

static int join_all_kinds(void *arg)
{
    plait_task *thread = start_of_kind(PLAIT_THREAD, nap, arg),
               *other = start_of_kind(PLAIT_COROUTINE, nap, arg);

    return end(thread) + end(other) + join_and_tell(*(plait_task **)((int *)arg + 2));
}

TEST(a_coroutine_joins_tasks_of_all_kinds)
{
    struct {
        int value[2];
        plait_task *process;
    } arg = { { 3, 0 }, NULL };

    CHECK_INT(plait_keeper_start(), 0);
    arg.process = start_of_kind(PLAIT_PROCESS, nap, &arg);
    CHECK_INT(end(start_of_kind(PLAIT_COROUTINE, join_all_kinds, &arg)), 9);
    CHECK_INT(end(arg.process), 3);
}

static int terminate_it(void *arg)
{
    return plait_task_terminate(arg);
}

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return plait_sleep(PLAIT_FOREVER);
}

static int destroy_it(void *arg)
{
    plait_task_destroy(arg);
    return 0;
}

TEST(another_thread_asks_a_coroutine_to_end)
{
    for (int i = 0; i < 100; i++) {
        plait_task *task = start_of_kind(PLAIT_COROUTINE, sleep_for_ever, NULL);
        plait_task *other = start_of_kind(PLAIT_THREAD, terminate_it, task);
        CHECK_INT(end(task), -ECANCELED);
        CHECK_INT(end(other), 0);
    }
}

TEST(another_thread_gives_the_handle_of_a_coroutine_up)
{
    for (int i = 0; i < 100; i++) {
        plait_task *task = start_of_kind(PLAIT_COROUTINE, sleep_for_ever, NULL);
        plait_task *other = start_of_kind(PLAIT_THREAD, destroy_it, task);
        CHECK_INT(end(other), 0);
    }
}

/* ---- several loops ---- */

enum {
    LOOPS = 4,
    PLAYERS = 8,
    HITS = 300
};

struct hall {
    plait_lock lock;
    long sum; /* lock */
    plait_semaphore tokens;
    plait_queue *balls;
    int n_done; /* atomic: players that have ended */
};

static int play(void *arg)
{
    struct hall *hall = arg;
    long ball;

    for (int i = 0; i < HITS; i++) {
        CHECK_INT(plait_lock_acquire(&hall->lock, PLAIT_FOREVER), 0);
        hall->sum++;
        if (i % 16 == 0)
            plait_yield();
        CHECK_INT(plait_lock_release(&hall->lock), 0);
        CHECK_INT(plait_semaphore_acquire(&hall->tokens, PLAIT_FOREVER), 0);
        CHECK_INT(plait_semaphore_release(&hall->tokens), 0);
        CHECK_INT(plait_queue_get(hall->balls, &ball, sizeof ball, PLAIT_FOREVER), sizeof ball);
        ball++;
        CHECK_INT(plait_queue_put(hall->balls, &ball, sizeof ball, PLAIT_FOREVER), 0);
    }
    __atomic_fetch_add(&hall->n_done, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int run_players(void *arg)
{
    for (int i = 0; i < PLAYERS; i++)
        CHECK_INT(plait_go(play, arg), 0);
    return 0;
}

TEST_LIMIT(several_threads_have_a_loop_each_and_share_everything, 60)
{
    struct hall hall = { .sum = 0 };
    plait_task *loops[LOOPS];
    long ball = 0, total = 0;

    CHECK_INT(plait_semaphore_init(&hall.tokens, 2), 0);
    CHECK_INT(plait_queue_create(&hall.balls, &(plait_queue_opts){ .max_items = 3 }), 0);
    for (int i = 0; i < LOOPS; i++)
        loops[i] = start_of_kind(PLAIT_THREAD, run_players, &hall);
    for (int i = 0; i < 3; i++)
        CHECK_INT(plait_queue_put(hall.balls, &ball, sizeof ball, PLAIT_FOREVER), 0);
    run_players(&hall);
    for (int i = 0; i < LOOPS; i++)
        CHECK_INT(end(loops[i]), 0);
    while (__atomic_load_n(&hall.n_done, __ATOMIC_SEQ_CST) < (LOOPS + 1) * PLAYERS)
        CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
    CHECK_INT(hall.sum, (LOOPS + 1) * PLAYERS * HITS);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(plait_queue_get(hall.balls, &ball, sizeof ball, PLAIT_FOREVER), sizeof ball);
        total += ball;
    }
    CHECK_INT(total, (LOOPS + 1) * PLAYERS * HITS);
    plait_queue_destroy(hall.balls);
}

static void *be_a_loop(void *arg)
{
    plait_task *task = start_of_kind(PLAIT_COROUTINE, nap, arg);

    return (void *)(intptr_t)end(task);
}

TEST(a_thread_of_the_hosts_may_be_a_loop)
{
    int five = 5;
    pthread_t thread;
    void *got;

    CHECK_INT(pthread_create(&thread, NULL, be_a_loop, &five), 0);
    CHECK_INT(pthread_join(thread, &got), 0);
    CHECK_INT((intptr_t)got, 5);
}

/* ---- forks ---- */

static int count_board(void *arg)
{
    (void)arg;
    plait_sleep(plait_after_ms(5));
    __atomic_fetch_add(&board[0], 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int go_thrice(void *arg)
{
    for (int i = 0; i < 3; i++)
        CHECK_INT(plait_go(count_board, NULL), 0);
    return *(int *)arg;
}

static int start_process(void *arg)
{
    CHECK_INT(plait_go(sleep_for_ever, NULL), 0); /* is not in the child */
    plait_yield();
    int code = end(start_of_kind(PLAIT_PROCESS, go_thrice, arg));
    CHECK_INT(plait_task_terminate(plait_task_current()), 0);
    return code;
}

TEST(a_coroutine_starts_a_process_with_coroutines)
{
    int eight = 8;

    prepare();
    CHECK_INT(plait_go(sleep_for_ever, NULL), 0);
    plait_task *task = start_of_kind(PLAIT_COROUTINE, start_process, &eight);
    CHECK_INT(end(task), 8);
    CHECK_INT(board[0], 3);
}

/* In the child: what the host's fork left behind is usable, and ends. */
static void live_as_child(void)
{
    int two = 2;

    CHECK(plait_task_parent(plait_task_current()) == NULL);
    CHECK_INT(plait_task_id(plait_task_current()), getpid());
    CHECK_INT(end(start_of_kind(PLAIT_COROUTINE, nap, &two)), 2);
    CHECK_INT(plait_go(count_board, NULL), 0);
    while (__atomic_load_n(&board[0], __ATOMIC_SEQ_CST) == 0)
        plait_sleep(plait_after_ms(1));
}

static int see_child(pid_t pid)
{
    int status;

    CHECK(pid > 0);
    return test_waitpid(pid, &status, 0) == pid ? status : -1;
}

static int fork_and_exit(void *arg)
{
    pid_t pid = fork();

    (void)arg;
    if (pid == 0) {
        live_as_child();
        exit(0);
    }
    return see_child(pid);
}

static int fork_and_return(void *arg)
{
    pid_t pid = fork();

    (void)arg;
    if (pid == 0) {
        live_as_child();
        return 7;
    }
    return see_child(pid);
}

TEST(in_the_child_of_a_coroutines_fork_it_is_the_main_task)
{
    prepare();
    CHECK_INT(plait_go(sleep_for_ever, NULL), 0);
    CHECK_INT(end(start_of_kind(PLAIT_COROUTINE, fork_and_exit, NULL)), 0);
    CHECK_INT(board[0], 1);
}

TEST(a_child_that_returns_from_the_function_of_the_coroutine_exits_with_that)
{
    prepare();
    CHECK_INT(WEXITSTATUS(end(start_of_kind(PLAIT_COROUTINE, fork_and_return, NULL))), 7);
    CHECK_INT(board[0], 1);
}

TEST(in_the_child_of_a_fork_the_coroutines_are_not_there)
{
    prepare();
    CHECK_INT(plait_go(sleep_for_ever, NULL), 0);
    plait_yield();
    CHECK_INT(plait_go(sleep_for_ever, NULL), 0); /* not begun */
    CHECK_INT(fork_and_exit(NULL), 0);
    CHECK_INT(board[0], 1);
}

static int start_process_with_coroutines(void *arg)
{
    return end(start_of_kind(PLAIT_PROCESS, go_thrice, arg));
}

TEST(a_process_that_a_program_with_coroutines_starts_waits_for_its_own_ones_only)
{
    int eight = 8;

    prepare();
    CHECK_INT(plait_go(sleep_for_ever, NULL), 0);
    CHECK_INT(start_process_with_coroutines(&eight), 8);
    CHECK_INT(board[0], 3);
}
