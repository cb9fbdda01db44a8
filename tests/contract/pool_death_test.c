/* The death of workers, of the keeper and of the owner: exactly one outcome each, and the pool goes
 * on.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#define KIND PLAIT_PROCESS
#include "child.h"
#include "pool_pids.h"
#include "pool_support.h"

#include <poll.h>
#include <sys/wait.h>

/* Says where it runs, and stands, whoever asks it to end; what comes later by that number does not
 * stand. */
static int stand_or_pass(const void *in, void *out, void *ctx)
{
    uint32_t at;

    (void)out;
    (void)ctx;
    memcpy(&at, in, sizeof at);
    if (add(&board->numbers[at]) > 0)
        return 0;
    __atomic_store_n(&board->pids[at], getpid(), __ATOMIC_SEQ_CST);
    while (!load(&board->gate))
        nap();
    return 0;
}

static plait_job standing(uint32_t *at, unsigned attempts)
{
    return (
        plait_job){ .fn = stand_or_pass, .in = at, .in_bytes = sizeof *at, .attempts = attempts };
}

/* The pid of the worker that runs number `at`. */
static pid_t worker_of(uint32_t at)
{
    pid_t pid;

    UNTIL((pid = __atomic_load_n(&board->pids[at], __ATOMIC_SEQ_CST)) != 0);
    return pid;
}

static void kill_worker_of(uint32_t at)
{
    CHECK_INT(kill(worker_of(at), SIGKILL), 0);
}

static plait_future *submit_standing(uint32_t at, unsigned attempts)
{
    return submit_job(standing(&at, attempts));
}

/* ---- workers ---- */

TEST(a_killed_workers_job_is_lost_and_says_how)
{
    create_with(1);
    plait_future *future = submit_standing(0, 0);
    pid_t pid = worker_of(0);
    plait_sleep(plait_after_ms(2));
    kill_worker_of(0);
    plait_result result = end_of(future);
    CHECK_INT(result.end, PLAIT_JOB_LOST);
    CHECK_INT(result.cause, PLAIT_CAUSE_DEATH);
    CHECK_INT(result.pid, pid);
    CHECK_INT(result.signal, SIGKILL);
    CHECK(!result.core);
    CHECK_INT(result.starts, 1);
    CHECK(result.run_ns > 0);
    CHECK_INT(load(&board->numbers[0]), 1);
    check_square(submit_square(3), 3);
    destroy();
}

TEST(a_death_touches_no_other_job)
{
    plait_future *others[20];

    create_with(2);
    plait_future *victim = submit_standing(0, 0), *runs = submit_standing(1, 0);
    UNTIL(worker_of(0) != 0 && worker_of(1) != 0);
    for (long i = 0; i < 20; i++)
        others[i] = submit_square(i);
    kill_worker_of(0);
    for (long i = 0; i < 20; i++) /* the other worker stands: they are done by the new one */
        check_square(others[i], i);
    CHECK_INT(end_of(victim).end, PLAIT_JOB_LOST);
    CHECK(!plait_future_is_ready(runs));
    open_gate();
    CHECK_INT(end_of(runs).end, PLAIT_JOB_VALUE);
    destroy();
}

TEST(a_job_with_attempts_left_is_run_again)
{
    create_with(1);
    plait_future *future = submit_standing(0, 2);
    kill_worker_of(0);
    plait_result result = end_of(future);
    CHECK_INT(result.end, PLAIT_JOB_VALUE);
    CHECK_INT(result.starts, 2);
    CHECK_INT(load(&board->numbers[0]), 2);
    destroy();
}

static int kill_itself(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    add(&board->n_entered);
    return raise(SIGKILL);
}

TEST_LIMIT(a_job_is_begun_as_often_as_its_attempts_say_and_no_more, 30)
{
    create((plait_pool_opts){ .workers = 1, .poison_limit = 10 });
    plait_result result = end_of(submit_job((plait_job){ .fn = kill_itself, .attempts = 4 }));
    CHECK_INT(result.end, PLAIT_JOB_LOST);
    CHECK_INT(result.cause, PLAIT_CAUSE_DEATH);
    CHECK_INT(result.starts, 4);
    CHECK_INT(load(&board->n_entered), 4);
    destroy();
}

TEST_LIMIT(a_job_that_kills_its_workers_is_given_up, 30)
{
    create_with(1);
    plait_result result = end_of(submit_job((plait_job){ .fn = kill_itself, .attempts = 100 }));
    CHECK_INT(result.end, PLAIT_JOB_LOST);
    CHECK_INT(result.cause, PLAIT_CAUSE_POISON);
    CHECK_INT(result.starts, 2);
    CHECK_INT(load(&board->n_entered), 2);
    check_square(submit_square(3), 3);
    destroy();
}

static int fail_or_die(const void *in, void *out, void *ctx)
{
    long n;

    memcpy(&n, in, sizeof n);
    add(&board->n_entered);
    if (n % 10 == 3)
        raise(SIGKILL);
    return square(in, out, ctx);
}

/* Chunks of any size, so that items before and behind the one that dies are of the same job. */
static void map_with_deaths(size_t chunk)
{
    enum {
        ITEMS = 100
    };

    long in[ITEMS], out[ITEMS];
    plait_result results[ITEMS];

    store(&board->n_entered, 0);
    for (long i = 0; i < ITEMS; i++)
        in[i] = i;
    CHECK_INT(plait_pool_map(pool, fail_or_die, PLAIT_IN(in), PLAIT_OUT(out),
                             &(plait_map_opts){ .chunk = chunk, .results = results },
                             PLAIT_FOREVER),
              ITEMS / 10);
    CHECK_INT(load(&board->n_entered), ITEMS); /* each was entered once */
    for (long i = 0; i < ITEMS; i++) {
        CHECK_INT(results[i].end, i % 10 == 3 ? PLAIT_JOB_LOST : PLAIT_JOB_VALUE);
        CHECK_INT(results[i].starts, 1);
        if (i % 10 != 3)
            CHECK_INT(out[i], i * i);
        else
            CHECK_INT(results[i].signal, SIGKILL);
    }
}

TEST_LIMIT(a_death_costs_a_map_the_item_that_ran_and_no_other, 60)
{
    create_with(2);
    map_with_deaths(1);
    map_with_deaths(25);
    map_with_deaths(100);
    destroy();
}

/* The same where nobody asks how each item ended. */
static void map_with_deaths_unasked(size_t chunk, unsigned attempts)
{
    enum {
        ITEMS = 100
    };

    static long in[ITEMS], out[ITEMS];
    plait_future *future = NULL;
    plait_result first;

    memset(out, 0, sizeof out);
    store(&board->n_entered, 0);
    for (long i = 0; i < ITEMS; i++)
        in[i] = i;
    CHECK_INT(plait_pool_map_async(pool, &future, fail_or_die, PLAIT_IN(in), PLAIT_OUT(out),
                                   &(plait_map_opts){ .chunk = chunk, .attempts = attempts }),
              0);
    CHECK_INT(plait_future_get(future, NULL, 0, PLAIT_FOREVER), ITEMS / 10);
    CHECK_INT(plait_future_result(future, &first), 0);
    CHECK_INT(first.end, PLAIT_JOB_LOST);
    CHECK_INT(first.signal, SIGKILL);
    CHECK_INT(first.starts, attempts);
    CHECK_INT(load(&board->n_entered), ITEMS + (attempts - 1) * ITEMS / 10);
    for (long i = 0; i < ITEMS; i++)
        if (i % 10 != 3)
            CHECK_INT(out[i], i * i);
    plait_future_unref(future);
}

TEST_LIMIT(a_map_of_which_nobody_asks_about_each_item_counts_its_losses, 60)
{
    plait_pool_usage usage;

    create((plait_pool_opts){ .workers = 2, .poison_limit = 10 });
    map_with_deaths_unasked(1, 1);
    map_with_deaths_unasked(25, 1);
    map_with_deaths_unasked(100, 1);
    map_with_deaths_unasked(25, 2);
    CHECK_INT(plait_pool_stats(pool, &usage), 0);
    CHECK_INT(usage.values, 360);
    CHECK_INT(usage.lost, 40);
    destroy();
}

TEST(what_a_worker_committed_before_it_was_killed_is_delivered)
{
    pid_t pid;

    create_with(1);
    for (int i = 0; i < 20; i++) {
        plait_future *future = submit_square(i);
        plait_future *where = submit_standing((uint32_t)i, 0);
        pid = worker_of((uint32_t)i); /* the square is done, and nobody has looked */
        CHECK_INT(kill(pid, SIGKILL), 0);
        check_square(future, i);
        CHECK_INT(end_of(where).end, PLAIT_JOB_LOST);
    }
    destroy();
}

TEST(a_job_that_a_killed_worker_had_not_begun_is_done_by_another)
{
    plait_future *futures[100];

    create_with(1);
    plait_future *first = submit_standing(0, 0);
    for (long i = 0; i < 100; i++)
        futures[i] = submit_square(i);
    kill_worker_of(0);
    CHECK_INT(end_of(first).end, PLAIT_JOB_LOST);
    for (long i = 0; i < 100; i++) {
        CHECK_INT(await_result(futures[i]).starts, 1);
        check_square(futures[i], i);
    }
    destroy();
}

/* The back-off is for workers that die without having done anything: it would take minutes. */
TEST_LIMIT(workers_that_are_killed_in_their_first_jobs_are_replaced_at_once, 30)
{
    create_with(1);
    for (uint32_t i = 0; i < 12; i++) {
        plait_future *future = submit_standing(i, 0);
        kill_worker_of(i);
        CHECK_INT(end_of(future).end, PLAIT_JOB_LOST);
    }
    check_square(submit_square(3), 3);
    destroy();
}

TEST(a_worker_that_is_only_stopped_keeps_its_job)
{
    create_with(2);
    plait_future *future = submit_standing(0, 0);
    CHECK_INT(kill(worker_of(0), SIGSTOP), 0);
    for (int i = 0; i < 20; i++)
        check_square(submit_square(i), i);
    open_gate();
    CHECK_INT(plait_future_wait(future, plait_after_ms(300)), -ETIMEDOUT);
    CHECK_INT(kill(worker_of(0), SIGCONT), 0);
    CHECK_INT(end_of(future).end, PLAIT_JOB_VALUE);
    CHECK_INT(load(&board->numbers[0]), 1);
    destroy();
}

/* ---- cancelling and limits, by force ---- */

TEST(a_job_that_does_not_listen_is_killed_when_it_is_cancelled_so)
{
    create_with(1);
    plait_future *future = submit_standing(0, 5); /* attempts are for deaths, not for this */
    pid_t pid = worker_of(0);
    CHECK_INT(plait_future_cancel(future, false), 0);
    CHECK_INT(plait_future_wait(future, plait_after_ms(50)), -ETIMEDOUT);
    CHECK_INT(plait_future_cancel(future, true), 0);
    plait_result result = end_of(future);
    CHECK_INT(result.end, PLAIT_JOB_CANCELLED);
    CHECK_INT(result.pid, pid);
    CHECK_INT(load(&board->numbers[0]), 1);
    check_square(submit_square(3), 3);
    destroy();
}

static int loop(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    add(&board->n_entered);
    for (volatile int i = 0; i >= 0;)
        ;
    return 0;
}

TEST(a_job_that_never_ends_is_ended_by_its_hard_limit)
{
    create_with(1);
    plait_future *future =
        submit_job((plait_job){ .fn = loop, .hard_ms = 50, .soft_ms = 10, .attempts = 5 });
    plait_result result = end_of(future);
    CHECK_INT(result.end, PLAIT_JOB_EXPIRED);
    CHECK(result.run_ns >= 50 * INT64_C(1000000));
    CHECK_INT(load(&board->n_entered), 1);
    check_square(submit_square(3), 3);
    destroy();
}

TEST(a_hard_limit_is_of_each_item_of_a_map)
{
    uint32_t in[20];
    plait_result results[20];

    create_with(1);
    for (uint32_t i = 0; i < 20; i++) {
        in[i] = i;
        store(&board->numbers[i], i == 7 ? 0 : 1);
    }
    CHECK_INT(plait_pool_map(pool, stand_or_pass, PLAIT_IN(in), plait_items_of(NULL, 0, 20),
                             &(plait_map_opts){ .chunk = 20, .hard_ms = 200, .results = results },
                             PLAIT_FOREVER),
              1);
    for (uint32_t i = 0; i < 20; i++)
        CHECK_INT(results[i].end, i == 7 ? PLAIT_JOB_EXPIRED : PLAIT_JOB_VALUE);
    destroy();
}

/* ---- the keeper ---- */

TEST_LIMIT(when_the_keeper_is_killed_what_ran_is_lost_and_the_rest_is_done, 30)
{
    plait_future *futures[20];

    create_with(1);
    plait_future *runs = submit_standing(0, 0);
    for (long i = 0; i < 20; i++)
        futures[i] = submit_square(i);
    UNTIL(worker_of(0) != 0);
    int worker = watch(worker_of(0));
    kill_keeper();
    await_gone(worker);
    plait_result result = end_of(runs);
    CHECK_INT(result.end, PLAIT_JOB_LOST);
    CHECK_INT(result.cause, PLAIT_CAUSE_KEEPER);
    CHECK_INT(load(&board->numbers[0]), 1);
    for (long i = 0; i < 20; i++)
        check_square(futures[i], i);
    check_square(submit_square(21), 21);
    destroy();
}

TEST_LIMIT(a_job_with_attempts_left_outlives_the_keeper, 30)
{
    create_with(1);
    plait_future *runs = submit_standing(0, 3);
    UNTIL(worker_of(0) != 0);
    kill_keeper();
    plait_result result = end_of(runs);
    CHECK_INT(result.end, PLAIT_JOB_VALUE);
    CHECK_INT(result.starts, 2);
    destroy();
}

TEST_LIMIT(the_keeper_may_be_killed_again_and_again, 30)
{
    create_with(2);
    for (long i = 0; i < 5; i++) {
        check_square(submit_square(i), i);
        kill_keeper();
    }
    check_square(submit_square(9), 9);
    destroy();
}

TEST_LIMIT(a_pool_can_be_ended_when_its_keeper_is_gone, 30)
{
    create_with(2);
    plait_future *future = submit_standing(0, 0);
    UNTIL(worker_of(0) != 0);
    kill_keeper();
    destroy();
    CHECK(plait_future_is_ready(future));
    plait_future_unref(future);
}

/* ---- the owner ---- */

/* Workers that do nothing, that stand, and that have blocked all they can. */
static int stand_deaf(const void *in, void *out, void *ctx)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    return stand_or_pass(in, out, ctx);
}

static int say_pid(void *arg)
{
    (void)arg;
    __atomic_store_n(&board->pids[8 + add(&board->n_left)], getpid(), __ATOMIC_SEQ_CST);
    return 0;
}

static void own_a_pool(void)
{
    uint32_t at[2] = { 0, 1 };
    plait_job deaf = { .fn = stand_deaf, .in = &at[1], .in_bytes = sizeof at[1] };

    create((plait_pool_opts){ .workers = 4, .init = say_pid });
    submit_standing(at[0], 0);
    submit_job(deaf);
    for (;;)
        pause();
}

TEST_LIMIT(when_the_owner_is_killed_its_workers_are_gone, 30)
{
    int pidfds[4], status;

    prepare();
    pid_t owner = fork_checked();
    if (owner == 0)
        own_a_pool();
    UNTIL(load(&board->n_left) == 4 && worker_of(0) != 0 && worker_of(1) != 0);
    for (uint32_t i = 0; i < 4; i++)
        pidfds[i] = watch(worker_of(8 + i));
    CHECK_INT(kill(owner, SIGKILL), 0);
    CHECK_INT(test_waitpid(owner, &status, 0), owner);
    for (int i = 0; i < 4; i++)
        await_gone(pidfds[i]);
}

/* ---- signals of the terminal ---- */

static void do_nothing(int number)
{
    (void)number;
}

TEST(ctrl_c_is_for_the_owner_and_ends_no_job)
{
    create_with(2);
    sigaction(SIGINT, &(struct sigaction){ .sa_handler = do_nothing }, NULL);
    plait_future *future = submit_standing(0, 0);
    UNTIL(worker_of(0) != 0);
    for (int i = 0; i < 20; i++)
        CHECK_INT(kill(0, SIGINT), 0);
    CHECK_INT(kill(worker_of(0), SIGINT), 0); /* that of the terminal may come to it, too */
    check_square(submit_square(3), 3);
    open_gate();
    CHECK_INT(end_of(future).end, PLAIT_JOB_VALUE);
    CHECK_INT(load(&board->numbers[0]), 1);
    destroy();
}

/* ---- what a worker held ---- */

static int die_with_a_lock(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    if (plait_lock_acquire(ctx, PLAIT_FOREVER) == 0)
        raise(SIGKILL);
    return 0;
}

static int acquire(const void *in, void *out, void *ctx)
{
    int rc = plait_lock_acquire(ctx, PLAIT_FOREVER);

    (void)in;
    (void)out;
    if (rc != -EOWNERDEAD)
        return 1000;
    rc = plait_lock_recover(ctx, PLAIT_FOREVER);
    if (rc == 0)
        rc = plait_lock_repaired(ctx);
    return rc == 0 ? plait_lock_release(ctx) : rc;
}

TEST(a_lock_that_a_lost_job_held_is_told_of_in_the_next)
{
    plait_lock *lock = plait_shared_alloc(sizeof *lock);

    CHECK(lock != NULL);
    create_with(1);
    CHECK_INT(end_of(submit_job((plait_job){ .fn = die_with_a_lock, .ctx = lock })).end,
              PLAIT_JOB_LOST);
    CHECK_INT(end_of(submit_job((plait_job){ .fn = acquire, .ctx = lock })).code, 0);
    CHECK_INT(end_of(submit_job((plait_job){ .fn = acquire, .ctx = lock })).code, 1000);
    destroy();
    CHECK_INT(plait_shared_free(lock), 0);
}
