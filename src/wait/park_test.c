/* The seam holds for tasks that are no threads: a fake scheduler plugs in through struct
 * plait__park_ops alone.
 * SPDX-License-Identifier: MIT
 */
#include "wait/wait.h"

#include "os/thread.h"
#include "test.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>

#include "fake_loop.h"
#include "threads.h"

static struct fake_loop loop;
static uint32_t word;
static int results[LOOP_TASKS]; /* 99: not ended yet */
static size_t order[LOOP_TASKS], n_ended;

static void prepare(void)
{
    for (int i = 0; i < LOOP_TASKS; i++)
        results[i] = 99;
}

static void end(void *arg, int rc)
{
    size_t i = (size_t)(uintptr_t)arg;

    results[i] = rc;
    order[n_ended++] = i;
}

static struct fake_task *add(void (*fn)(void *arg))
{
    return loop_add(&loop, fn, (void *)(uintptr_t)loop.n);
}

static void set_word(uint32_t to)
{
    __atomic_store_n(&word, to, __ATOMIC_SEQ_CST);
}

static void wait_for_ever(void *arg)
{
    end(arg, plait__wait_word(&word, 0, PLAIT_FOREVER));
}

static void wait_a_moment(void *arg)
{
    end(arg, plait__wait_word(&word, 0, plait_after_ms(20)));
}

static void change_and_wake_all(void *arg)
{
    set_word(1);
    plait__wake_word(&word, UINT_MAX);
    end(arg, 0);
}

TEST(a_parked_task_gives_its_thread_to_others_until_one_wakes_it)
{
    prepare();
    add(wait_for_ever);
    add(change_and_wake_all);
    loop_run(&loop);
    CHECK_INT(results[0], 0);
    CHECK_INT(order[0], 1);
    CHECK(plait__sleeper_current() == NULL);
}

static void change_in_thread(void *arg)
{
    plait_sleep(plait_after_ms(10));
    set_word(1);
    plait__wake_word(arg, UINT_MAX);
}

TEST(a_parked_task_is_woken_by_another_thread)
{
    prepare();
    add(wait_for_ever);
    add(wait_for_ever);
    CHECK_INT(start_detached(change_in_thread, &word, 0), 0);
    loop_run(&loop);
    CHECK_INT(results[0], 0);
    CHECK_INT(results[1], 0);
}

TEST(a_parked_task_is_woken_at_its_deadline)
{
    plait_deadline begin = plait_after_ms(20);

    prepare();
    add(wait_a_moment);
    loop_run(&loop);
    CHECK_INT(results[0], -ETIMEDOUT);
    CHECK_INT(plait_left_ns(begin), 0);
}

static void look_without_waiting(void *arg)
{
    size_t before = loop.switches;
    bool ok = plait__wait_word(&word, 0, PLAIT_NOWAIT) == -ETIMEDOUT &&
              plait__wait_word(&word, 7, PLAIT_FOREVER) == 0;

    plait__cancel(plait__sleeper_current());
    ok = ok && plait__wait_word(&word, 7, PLAIT_FOREVER) == 0;
    ok = ok && plait__wait_word(&word, 0, PLAIT_FOREVER) == -ECANCELED;
    ok = ok && plait__wait_word(&word, 0, PLAIT_NOWAIT) == -ECANCELED;
    end(arg, ok && loop.switches == before ? 1 : 0);
}

TEST(what_need_not_wait_does_not_park)
{
    prepare();
    add(look_without_waiting);
    loop_run(&loop);
    CHECK_INT(results[0], 1);
}

static void cancel_first(void *arg)
{
    plait__cancel(&loop.tasks[0].sleeper);
    end(arg, 0);
}

TEST(a_parked_task_is_cancelled_by_its_loop)
{
    prepare();
    add(wait_for_ever);
    add(cancel_first);
    loop_run(&loop);
    CHECK_INT(results[0], -ECANCELED);
}

static void cancel_in_thread(void *arg)
{
    plait_sleep(plait_after_ms(10));
    plait__cancel(arg);
}

TEST(a_parked_task_is_cancelled_by_another_thread)
{
    prepare();
    CHECK_INT(start_detached(cancel_in_thread, &add(wait_for_ever)->sleeper, 0), 0);
    loop_run(&loop);
    CHECK_INT(results[0], -ECANCELED);
}

static void wake_two(void *arg)
{
    plait__wake_word(&word, 2);
    end(arg, 0);
}

TEST(a_wake_of_n_wakes_the_first_n)
{
    prepare();
    for (int i = 0; i < 4; i++)
        add(wait_a_moment);
    add(wake_two);
    loop_run(&loop);
    CHECK_INT(results[0], 0);
    CHECK_INT(results[1], 0);
    CHECK_INT(results[2], -ETIMEDOUT);
    CHECK_INT(results[3], -ETIMEDOUT);
}

static void cancel_then_wake(void *arg)
{
    plait__cancel(&loop.tasks[0].sleeper);
    plait__wake_word(&word, 1);
    end(arg, 0);
}

TEST(a_wake_that_hits_a_cancelled_task_is_told_to_it)
{
    prepare();
    add(wait_for_ever);
    add(wait_a_moment);
    add(cancel_then_wake);
    loop_run(&loop);
    CHECK_INT(results[0], 0); /* it knows of the wake, and passes it on if it does not need it */
    CHECK_INT(results[1], -ETIMEDOUT);
}

static void oversleep_then_wake(void *arg)
{
    plait_deadline until = plait_after_ms(30);

    while (plait_left_ns(until) > 0) /* meanwhile the other's deadline passes */
        ;
    plait__wake_word(&word, 1);
    end(arg, 0);
}

TEST(a_wake_that_comes_after_the_deadline_is_not_lost)
{
    prepare();
    add(wait_a_moment);
    add(oversleep_then_wake);
    loop_run(&loop);
    CHECK_INT(results[0], 0);
}

static void sleep_a_moment(void *arg)
{
    end(arg, plait_sleep(plait_after_ms(20)));
}

TEST(many_sleep_at_once_on_one_thread)
{
    plait_deadline late = plait_after_ms(20 * LOOP_TASKS);

    prepare();
    for (int i = 0; i < LOOP_TASKS; i++)
        add(sleep_a_moment);
    loop_run(&loop);
    CHECK(plait_left_ns(late) > 0);
    for (int i = 0; i < LOOP_TASKS; i++)
        CHECK_INT(results[i], 0);
}

/* ---- descriptors ---- */

static int fds[2];

static void read_when_ready(void *arg)
{
    struct plait__fd one = { .fd = fds[0], .wanted = PLAIT__FD_READ };
    int rc = plait__wait_fds(&one, 1, PLAIT_FOREVER);

    end(arg, rc == 1 && one.ready == PLAIT__FD_READ ? 1 : rc);
}

static void wait_for_fd_a_moment(void *arg)
{
    struct plait__fd one = { .fd = fds[0], .wanted = PLAIT__FD_READ };

    end(arg, plait__wait_fds(&one, 1, plait_after_ms(20)));
}

static void write_byte(void *arg)
{
    CHECK_INT(write(fds[1], "x", 1), 1);
    end(arg, 0);
}

TEST(a_parked_task_waits_for_descriptors)
{
    prepare();
    CHECK_INT(plait__os_pipe(fds), 0);
    add(read_when_ready);
    add(write_byte);
    loop_run(&loop);
    CHECK_INT(results[0], 1);
    CHECK_INT(order[0], 1);
}

TEST(a_parked_wait_for_descriptors_ends_at_its_deadline_and_by_cancel)
{
    prepare();
    CHECK_INT(plait__os_pipe(fds), 0);
    add(read_when_ready);
    add(wait_for_fd_a_moment);
    add(cancel_first);
    loop_run(&loop);
    CHECK_INT(results[0], -ECANCELED);
    CHECK_INT(results[1], -ETIMEDOUT);
}

static void read_ready_while_cancelled(void *arg)
{
    struct plait__fd one = { .fd = fds[0], .wanted = PLAIT__FD_READ };

    plait__cancel(plait__sleeper_current());
    CHECK_INT(write(fds[1], "x", 1), 1);
    end(arg, plait__wait_fds(&one, 1, PLAIT_NOWAIT));
}

TEST(a_ready_descriptor_is_told_also_to_a_cancelled_task)
{
    prepare();
    CHECK_INT(plait__os_pipe(fds), 0);
    add(read_ready_while_cancelled);
    loop_run(&loop);
    CHECK_INT(results[0], 1);
}

/* ---- a wake is never lost ----
 *
 * A semaphore of one word. Patient consumers, some threads and some parked, wait for ever and take.
 * Impatient ones of both kinds come to their deadlines or are cancelled all the time, take nothing
 * and pass on each wake that they are told of. A producer gives one and goes on when it was taken:
 * a single wake that is lost, or swallowed by a wait that says it was not woken, stops the test. */

enum {
    STRESS_OF_A_KIND = 2, /* patient and impatient, as threads and parked: four times so many */
    STRESS_GIVEN = 6000
};

static uint32_t tokens;    /* atomic: the word */
static uint32_t given;     /* atomic */
static uint32_t taken;     /* atomic */
static uint32_t n_running; /* atomic: threads */
static uint32_t n_timed_out, n_cancelled, n_passed_on;
static unsigned seed;
static struct plait__sleeper sleepers[STRESS_OF_A_KIND]; /* of the impatient threads */

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 16;
}

static uint32_t load(const uint32_t *at)
{
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);
}

static void add_one(uint32_t *to)
{
    __atomic_fetch_add(to, 1, __ATOMIC_SEQ_CST);
}

/* Not less: a deadline that has passed before the wait would not park, and a loop would stand. */
static void let_others_run(void)
{
    plait_sleep(plait_after_ns(20000));
}

static bool is_over(void)
{
    return load(&taken) >= STRESS_GIVEN;
}

static void consume(void)
{
    while (!is_over()) {
        uint32_t n = load(&tokens);
        if (n == 0)
            CHECK_INT(plait__wait_word(&tokens, 0, PLAIT_FOREVER), 0);
        else if (__atomic_compare_exchange_n(&tokens, &n, n - 1, false, __ATOMIC_SEQ_CST,
                                             __ATOMIC_SEQ_CST))
            add_one(&taken);
    }
}

static void disturb(unsigned state)
{
    struct plait__sleeper *self = plait__sleeper_current();

    while (!is_over()) {
        if (load(&tokens) > 0) {
            __atomic_store_n(&self->cancel, 0, __ATOMIC_SEQ_CST); /* or it would not sleep */
            let_others_run();
            continue;
        }
        int rc = plait__wait_word(&tokens, 0, plait_after_ns(next_random(&state) % 100000));
        if (rc == 0) {
            add_one(&n_passed_on);
            plait__wake_word(&tokens, 1);
            continue;
        }
        add_one(rc == -ECANCELED ? &n_cancelled : &n_timed_out);
        __atomic_store_n(&self->cancel, 0, __ATOMIC_SEQ_CST); /* the next task in its place */
    }
}

static void produce(unsigned state)
{
    uint32_t mine;

    while ((mine = __atomic_add_fetch(&given, 1, __ATOMIC_SEQ_CST)) <= STRESS_GIVEN) {
        add_one(&tokens);
        plait__wake_word(&tokens, 1);
        if (next_random(&state) % 2 == 0)
            plait__cancel(&sleepers[next_random(&state) % STRESS_OF_A_KIND]);
        if (next_random(&state) % 2 == 0)
            plait__cancel(&loop.tasks[next_random(&state) % STRESS_OF_A_KIND].sleeper);
        while (load(&taken) < mine && !is_over())
            let_others_run();
    }
}

static void consume_parked(void *arg)
{
    (void)arg;
    consume();
}

static void disturb_parked(void *arg)
{
    disturb(seed + (unsigned)(uintptr_t)arg);
}

static void produce_parked(void *arg)
{
    (void)arg;
    produce(seed + 200);
}

static void leave_thread(void)
{
    __atomic_fetch_sub(&n_running, 1, __ATOMIC_SEQ_CST);
}

static void consume_in_thread(void *arg)
{
    (void)arg;
    consume();
    leave_thread();
}

static void disturb_in_thread(void *arg)
{
    plait__sleeper_set_current(arg);
    disturb(seed + 100);
    plait__sleeper_set_current(NULL);
    leave_thread();
}

static void produce_in_thread(void *arg)
{
    (void)arg;
    produce(seed + 300);
    leave_thread();
}

/* Gives the next one at once: the other side is just about to park. */
static void produce_quickly(void *arg)
{
    (void)arg;
    for (uint32_t i = 1; i <= STRESS_GIVEN; i++) {
        add_one(&tokens);
        plait__wake_word(&tokens, 1);
        while (load(&taken) < i)
            ;
    }
    leave_thread();
}

TEST_LIMIT(a_wake_between_look_and_park_is_not_lost, 30)
{
    add(consume_parked); /* nobody else could take what it misses */
    n_running = 1;
    CHECK_INT(start_detached(produce_quickly, NULL, 0), 0);
    loop_run(&loop);
    CHECK_INT(taken, STRESS_GIVEN);
}

/* At the end the patient sleep with nothing to come: tells them until all have gone. */
static void finish_stress(void *arg)
{
    (void)arg;
    while (!is_over() || load(&n_running) > 0) {
        if (is_over())
            plait__wake_word(&tokens, UINT_MAX);
        plait_sleep(plait_after_ms(1));
    }
    plait__wake_word(&tokens, UINT_MAX);
}

TEST_LIMIT(a_wake_is_never_lost_among_threads_and_parked_tasks, 30)
{
    seed = (unsigned)time(NULL) ^ (unsigned)getpid();
    printf("    seed %u\n", seed);
    n_running = 2 * STRESS_OF_A_KIND + 1;
    for (int i = 0; i < STRESS_OF_A_KIND; i++)
        add(disturb_parked); /* the first ones: produce cancels them */
    for (int i = 0; i < STRESS_OF_A_KIND; i++)
        add(consume_parked);
    add(produce_parked);
    add(finish_stress);
    for (int i = 0; i < STRESS_OF_A_KIND; i++) {
        CHECK_INT(start_detached(consume_in_thread, NULL, 0), 0);
        CHECK_INT(start_detached(disturb_in_thread, &sleepers[i], 0), 0);
    }
    CHECK_INT(start_detached(produce_in_thread, NULL, 0), 0);
    loop_run(&loop);
    CHECK_INT(taken, STRESS_GIVEN);
    printf("    %u tokens, %u time-outs, %u cancels, %u wakes passed on\n", taken, n_timed_out,
           n_cancelled, n_passed_on);
}
