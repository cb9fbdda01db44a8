/* What a loop promises to whoever wakes and sleeps: timers in order, wakes of other threads at every
 * moment.
 * SPDX-License-Identifier: MIT
 */
#include "wait/wait.h"

#include <plait.h>

#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

/* Under the thread sanitizer a coroutine takes milliseconds to begin. */
static int at_most(int n, int slow)
{
    const char *slowness = getenv("PLAIT_SLOW");

    return slowness != NULL && atoi(slowness) > 1 ? slow : n;
}

static plait_task *start(plait_task_fn *fn, void *arg)
{
    plait_task *task = NULL;

    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, fn, arg, NULL), 0);
    return task;
}

static void end(plait_task *task)
{
    plait_outcome outcome;

    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &outcome), 0);
    CHECK_INT(outcome.code, 0);
    plait_task_destroy(task);
}

/* ---- timers ---- */

static plait_event go;
static plait_deadline base;
static int64_t last_ns;
static int n_slept, n_late;

static int sleep_in_turn(void *arg)
{
    plait_deadline until;

    CHECK_INT(plait_event_wait(&go, PLAIT_FOREVER), 0);
    until.ns = base.ns + (int64_t)(intptr_t)arg * 1000;
    if (plait_left_ns(until) == 0) {
        n_late++;
        return 0;
    }
    CHECK_INT(plait_sleep(until), 0);
    CHECK_INT(plait_left_ns(until), 0);
    CHECK(until.ns >= last_ns);
    last_ns = until.ns;
    n_slept++;
    return 0;
}

TEST_LIMIT(ten_thousand_timers_end_in_their_order, 60)
{
    int n = at_most(10000, 300);

    for (intptr_t i = 0; i < n; i++)
        CHECK_INT(plait_go(sleep_in_turn, (void *)(i * 7919 % n)), 0);
    plait_yield();
    base = plait_after_ms(500);
    CHECK_INT(plait_event_set(&go), 0);
    while (n_slept + n_late < n)
        CHECK_INT(plait_sleep(plait_after_ms(20)), 0);
    CHECK(n_slept > 0);
}

static bool is_over;

static int keep_busy(void *arg)
{
    (void)arg;
    while (!is_over)
        plait_yield();
    return 0;
}

static int nap_and_end(void *arg)
{
    plait_sleep(plait_after_ms(2));
    CHECK_INT(plait__wait_word(arg, 0, PLAIT_FOREVER), 0);
    is_over = true;
    return 0;
}

static void *wake_it(void *arg)
{
    __atomic_store_n((uint32_t *)arg, 1, __ATOMIC_SEQ_CST);
    plait__wake_word(arg, 1);
    return NULL;
}

TEST(a_loop_that_is_always_busy_sees_its_timers_and_other_threads)
{
    uint32_t word = 0;
    pthread_t thread;
    plait_task *busy[] = { start(keep_busy, NULL), start(keep_busy, NULL) };
    plait_task *napper = start(nap_and_end, &word);

    CHECK_INT(pthread_create(&thread, NULL, wake_it, &word), 0);
    end(napper);
    end(busy[0]);
    end(busy[1]);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

/* ---- park and unpark ---- */

static int park_woken(void *arg)
{
    struct plait__sleeper *self = plait__sleeper_current();

    (void)arg;
    self->ops->unpark(self);
    self->ops->unpark(self); /* as good as one */
    CHECK_INT(self->ops->park(self, NULL, 0, PLAIT_FOREVER), 0);
    CHECK_INT(self->ops->park(self, NULL, 0, plait_after_ms(5)), -ETIMEDOUT);
    CHECK_INT(self->ops->park(self, NULL, 0, PLAIT_NOWAIT), -ETIMEDOUT);
    return 0;
}

TEST(an_unpark_before_the_park_is_not_lost_and_counts_once)
{
    end(start(park_woken, NULL));
}

struct race {
    struct plait__sleeper *sleeper; /* atomic */
    uint32_t turn;                  /* atomic: of so many parks */
    uint32_t n;                     /* const */
};

static int park_often(void *arg)
{
    struct race *race = arg;
    struct plait__sleeper *self = plait__sleeper_current();

    __atomic_store_n(&race->sleeper, self, __ATOMIC_SEQ_CST);
    for (uint32_t i = 1; i <= race->n; i++) {
        __atomic_store_n(&race->turn, i, __ATOMIC_SEQ_CST);
        for (volatile unsigned spin = i % 64; spin > 0; spin--) /* at all moments */
            continue;
        if (i % 3 == 0)
            plait_yield();
        CHECK_INT(self->ops->park(self, NULL, 0, PLAIT_FOREVER), 0);
    }
    return 0;
}

static void *unpark_often(void *arg)
{
    struct race *race = arg;

    for (uint32_t i = 1; i <= race->n; i++) {
        while (__atomic_load_n(&race->turn, __ATOMIC_SEQ_CST) < i)
            sched_yield();
        race->sleeper->ops->unpark(race->sleeper);
    }
    return NULL;
}

TEST_LIMIT(an_unpark_of_another_thread_is_not_lost_whenever_it_comes, 60)
{
    struct race races[4];
    pthread_t threads[4];
    plait_task *tasks[4];

    for (int i = 0; i < 4; i++) {
        races[i] = (struct race){ .n = 3000 };
        tasks[i] = start(park_often, &races[i]);
        CHECK_INT(pthread_create(&threads[i], NULL, unpark_often, &races[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        end(tasks[i]);
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
}

/* ---- words, from four threads ---- */

enum {
    THREADS = 4,
    EACH = 8,
    ROUNDS = 300
};

struct talk {
    uint32_t asked, answered; /* atomic */
};

static struct talk talks[THREADS][EACH];

static int answer(void *arg)
{
    struct talk *talk = arg;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        while (__atomic_load_n(&talk->asked, __ATOMIC_SEQ_CST) == i)
            CHECK_INT(plait__wait_word(&talk->asked, i, PLAIT_FOREVER), 0);
        __atomic_store_n(&talk->answered, i + 1, __ATOMIC_SEQ_CST);
        plait__wake_word(&talk->answered, 1);
    }
    return 0;
}

static void *ask(void *arg)
{
    struct talk *mine = arg;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        for (int j = 0; j < EACH; j++) {
            __atomic_store_n(&mine[j].asked, i + 1, __ATOMIC_SEQ_CST);
            plait__wake_word(&mine[j].asked, 1);
        }
        for (int j = 0; j < EACH; j++)
            while (__atomic_load_n(&mine[j].answered, __ATOMIC_SEQ_CST) == i)
                CHECK_INT(plait__wait_word(&mine[j].answered, i, PLAIT_FOREVER), 0);
    }
    return NULL;
}

TEST_LIMIT(four_threads_wake_the_strands_of_one_loop_and_are_answered, 60)
{
    pthread_t threads[THREADS];
    plait_task *tasks[THREADS * EACH];

    for (int i = 0; i < THREADS * EACH; i++)
        tasks[i] = start(answer, &talks[i / EACH][i % EACH]);
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, ask, talks[i]), 0);
    for (int i = 0; i < THREADS * EACH; i++)
        end(tasks[i]);
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
}
