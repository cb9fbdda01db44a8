/* Queues of one process: what they promise beyond the contract, and crowds of threads and coroutines
 * that put, get, give up and are asked to end.
 * SPDX-License-Identifier: MIT
 */
#include "child.h"
#include "queue_support.h"

#include <pthread.h>

static int end(plait_task *task)
{
    plait_outcome outcome = outcome_of(task);

    return outcome.kind == PLAIT_RETURNED ? outcome.code : -ECANCELED;
}

static void make_own(plait_queue_opts opts)
{
    in_one_process = true;
    queue = create(opts);
}

/* ---- who waits is served in order ---- */

enum {
    FEW = 5
};

static unsigned order[FEW], n_served;

static int get_in_turn(void *arg)
{
    unsigned char got;

    CHECK_INT(plait_queue_get(queue, &got, 1, PLAIT_FOREVER), 1);
    CHECK_INT(got, *(unsigned *)arg);
    order[n_served++] = got;
    return 0;
}

TEST(who_came_first_is_served_first)
{
    unsigned numbers[FEW];
    plait_task *tasks[FEW];

    make_own((plait_queue_opts){ 0 });
    for (unsigned i = 0; i < FEW; i++) {
        numbers[i] = i;
        tasks[i] = start_of_kind(PLAIT_COROUTINE, get_in_turn, &numbers[i]);
        await_visitors(i + 1);
    }
    for (unsigned char i = 0; i < FEW; i++)
        CHECK_INT(plait_queue_put(queue, &i, 1, PLAIT_NOWAIT), 0);
    CHECK(plait_queue_is_empty(queue)); /* each has his already, though none has run */
    CHECK_INT(n_served, 0);
    for (unsigned i = 0; i < FEW; i++)
        CHECK_INT(end(tasks[i]), 0);
    for (unsigned i = 0; i < FEW; i++)
        CHECK_INT(order[i], i);
    plait_queue_destroy(queue);
}

static int put_large_one(void *arg)
{
    char bytes[480] = { 0 };

    (void)arg;
    return plait_queue_put(queue, bytes, sizeof bytes, PLAIT_FOREVER);
}

static int put_small_one(void *arg)
{
    (void)arg;
    return plait_queue_put(queue, "small", 5, PLAIT_FOREVER);
}

TEST(who_waits_for_little_room_is_not_held_up_by_who_waits_for_much)
{
    char bytes[1000] = { 0 };
    const void *first = NULL, *second = NULL;

    make_own((plait_queue_opts){ .max_bytes = 1024 });
    CHECK_INT(plait_queue_put(queue, bytes, 448, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_put(queue, bytes, 448, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_put(queue, bytes, 64, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_borrow(queue, &first, PLAIT_NOWAIT), 448);
    CHECK_INT(plait_queue_borrow(queue, &second, PLAIT_NOWAIT), 448);
    plait_task *large = start_of_kind(PLAIT_COROUTINE, put_large_one, NULL);
    plait_yield();
    plait_task *small = start_of_kind(PLAIT_COROUTINE, put_small_one, NULL);
    await_visitors(2);
    CHECK_INT(plait_queue_get(queue, bytes, sizeof bytes, PLAIT_NOWAIT), 64);
    CHECK_INT(end(small), 0);
    CHECK_INT(plait_queue_release(queue, first), 0);
    CHECK_INT(plait_queue_release(queue, second), 0);
    CHECK_INT(end(large), 0);
    check_next("small");
    plait_queue_destroy(queue);
}

/* ---- processes ---- */

static void use_none_of_it(void)
{
    plait_waitable on;
    plait_lease lease;
    const void *borrowed;
    void *reserved;

    CHECK_INT(plait_queue_put(queue, "x", 1, PLAIT_NOWAIT), -ECHILD);
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_FOREVER), -ECHILD);
    CHECK_INT(plait_queue_peek(queue, NULL, 0, PLAIT_FOREVER), -ECHILD);
    CHECK_INT(plait_queue_reserve(queue, &reserved, 1, PLAIT_FOREVER), -ECHILD);
    CHECK_INT(plait_queue_borrow(queue, &borrowed, PLAIT_FOREVER), -ECHILD);
    CHECK_INT(plait_queue_lease(queue, &lease, PLAIT_FOREVER), -ECHILD);
    CHECK_INT(plait_queue_join(queue, PLAIT_FOREVER), -ECHILD);
    CHECK_INT(plait_queue_task_done(queue), -ECHILD);
    CHECK_INT(plait_queue_close(queue), -ECHILD);
    CHECK_INT(plait_queue_on_get(&on, queue), 0);
    CHECK_INT(plait_select(&on, 1, PLAIT_NOWAIT), -ECHILD);
    CHECK_INT(plait_queue_size(queue), 0);
    plait_queue_destroy(queue);
}

TEST(a_forked_child_is_refused_and_may_destroy_its_copy)
{
    make_own((plait_queue_opts){ 0 });
    put_text("parent's");
    plait__own_lock(plait__own_of(queue)); /* by a thread that the child lacks */
    in_forked_child(use_none_of_it);
    plait__own_unlock(plait__own_of(queue));
    check_next("parent's");
    plait_queue_destroy(queue);
}

TEST(in_a_segment_there_is_none)
{
    plait_queue_opts opts = { .one_process = true };
    size_t bytes;

    CHECK_INT(plait_queue_bytes(&opts, &bytes), -EINVAL);
}

/* ---- all asleep ---- */

static int wait_for_item(void *arg)
{
    (void)arg;
    return (int)plait_queue_get(queue, NULL, 0, PLAIT_FOREVER);
}

TEST(a_wait_that_nobody_can_end_is_told)
{
    make_own((plait_queue_opts){ .max_items = 1 });
    put_text("x");
    plait_queue *full = queue;
    make_own((plait_queue_opts){ 0 });
    plait_task *task = start_of_kind(PLAIT_COROUTINE, wait_for_item, NULL);
    CHECK_INT(plait_queue_put(full, "y", 1, PLAIT_FOREVER), -EDEADLK);
    CHECK_INT(plait_queue_put(queue, NULL, 0, PLAIT_NOWAIT), 0);
    CHECK_INT(end(task), 0);
    plait_queue_destroy(queue);
    plait_queue_destroy(full);
}

/* ---- crowds ---- */

enum {
    CREWS = 3, /* two are coroutines of one thread each, one is threads */
    EACH = 6,  /* half of them put */
    ITEMS = 300,
};

static unsigned char seen[CREWS * EACH][ITEMS]; /* atomic: how often each came */
static uint32_t n_put[CREWS * EACH];            /* so many of each were put */
static uint32_t n_over;                         /* atomic: crews whose producers have ended */
static plait_queue *never;

struct number {
    uint32_t producer, number;
    char more[600]; /* some are small, some are copied without the lock */
};

/* A deadline that has passed, or passes soon, or never comes. */
static plait_deadline some_deadline(uint32_t i)
{
    return i % 7 == 3 ? PLAIT_NOWAIT : i % 7 == 5 ? plait_after_ns(20000) : PLAIT_FOREVER;
}

static int put_numbers(void *arg)
{
    struct number item = { .producer = (uint32_t)(uintptr_t)arg };
    int rc = 0;

    for (item.number = 0; rc != -ECANCELED && item.number < ITEMS; item.number += rc == 0) {
        static const size_t sizes[] = { 8, 40, 100, 608 };
        rc = plait_queue_put(queue, &item, sizes[item.number % 4],
                             some_deadline(item.number + item.producer));
        CHECK(rc == 0 || rc == -ETIMEDOUT || rc == -ECANCELED);
        if (rc == -ETIMEDOUT)
            plait_yield();
    }
    n_put[item.producer] = item.number;
    return rc;
}

static void note(const struct number *item)
{
    CHECK(item->producer < CREWS * EACH && item->number < ITEMS);
    CHECK_INT(__atomic_fetch_add(&seen[item->producer][item->number], 1, __ATOMIC_SEQ_CST), 0);
}

/* Some select first. */
static int get_numbers(void *arg)
{
    bool selects = (uintptr_t)arg % 4 == 1;
    plait_waitable on[2];
    ssize_t rc = 0;

    CHECK_INT(plait_queue_on_get(&on[0], never), 0);
    CHECK_INT(plait_queue_on_get(&on[1], queue), 0);
    for (uint32_t i = 0; rc != -EPIPE; i++) {
        struct number item;
        rc = selects ? plait_select(on, 2, some_deadline(i)) : 1;
        CHECK(rc == 1 || rc == -ETIMEDOUT);
        rc = plait_queue_get(queue, &item, sizeof item, selects ? PLAIT_NOWAIT : some_deadline(i));
        CHECK(rc >= 8 || rc == -ETIMEDOUT || rc == -EPIPE);
        if (rc >= 0)
            note(&item);
    }
    return 0;
}

/* One of those who put is asked to end on the way. */
static void run_crew(plait_kind kind, uintptr_t first)
{
    plait_task *tasks[EACH];

    for (uintptr_t i = 0; i < EACH; i++)
        tasks[i] =
            start_of_kind(kind, i % 2 == 0 ? put_numbers : get_numbers, (void *)(first * EACH + i));
    plait_task_join(tasks[0], plait_after_ms(1));
    CHECK_INT(plait_task_terminate(tasks[0]), 0);
    for (uintptr_t i = 0; i < EACH; i += 2)
        CHECK(end(tasks[i]) == 0 || i == 0);
    if (__atomic_add_fetch(&n_over, 1, __ATOMIC_SEQ_CST) == CREWS)
        CHECK_INT(plait_queue_close(queue), 0);
    for (uintptr_t i = 1; i < EACH; i += 2)
        CHECK_INT(end(tasks[i]), 0);
}

static int run_coroutines(void *arg)
{
    run_crew(PLAIT_COROUTINE, (uintptr_t)arg);
    return 0;
}

static void run_crowd(plait_queue_opts opts)
{
    plait_task *crews[CREWS - 1];

    make_own((plait_queue_opts){ 0 });
    never = queue;
    make_own(opts);
    n_over = 0;
    memset(seen, 0, sizeof seen);
    for (uintptr_t i = 0; i < CREWS - 1; i++)
        crews[i] = start_of_kind(PLAIT_THREAD, run_coroutines, (void *)i);
    run_crew(PLAIT_THREAD, CREWS - 1);
    for (uintptr_t i = 0; i < CREWS - 1; i++)
        CHECK_INT(end(crews[i]), 0);
    for (uint32_t i = 0; i < CREWS * EACH; i += 2)
        for (uint32_t j = 0; j < ITEMS; j++)
            CHECK_INT(seen[i][j], j < n_put[i]);
    plait_queue_destroy(queue);
    plait_queue_destroy(never);
}

TEST_LIMIT(threads_and_coroutines_lose_and_double_nothing_whoever_gives_up, 30)
{
    run_crowd((plait_queue_opts){ .max_items = 3 });
    run_crowd((plait_queue_opts){ .max_bytes = 4096 });
}

/* ---- the end of a queue that many threads wait at ---- */

static int wait_at_it(void *arg)
{
    (void)arg;
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_FOREVER), -EPIPE);
    return 0;
}

static int start_and_wait(void *arg)
{
    plait_task *task = start_of_kind(PLAIT_COROUTINE, wait_at_it, NULL);

    wait_at_it(arg);
    return end(task);
}

TEST(a_destroy_lets_go_of_threads_and_of_coroutines_elsewhere)
{
    for (int i = 0; i < 20; i++) {
        plait_task *tasks[4];
        make_own((plait_queue_opts){ 0 });
        for (int j = 0; j < 4; j++)
            tasks[j] = start_of_kind(PLAIT_THREAD, j % 2 == 0 ? start_and_wait : wait_at_it, NULL);
        await_visitors(6);
        plait_queue_destroy(queue);
        for (int j = 0; j < 4; j++)
            CHECK_INT(end(tasks[j]), 0);
    }
}

/* ---- whose thread is gone ---- */

static plait_semaphore units;

static int get_for_ever(void *arg)
{
    char got;

    (void)arg;
    plait_queue_get(queue, &got, 1, PLAIT_FOREVER);
    return 0;
}

static int acquire_for_ever(void *arg)
{
    (void)arg;
    plait_semaphore_acquire(&units, PLAIT_FOREVER);
    return 0;
}

/* A thread of the host's, whose coroutines wait when it ends. */
static void *leave_waiting(void *arg)
{
    CHECK_INT(plait_go(get_for_ever, NULL), 0);
    CHECK_INT(plait_go(acquire_for_ever, NULL), 0);
    plait_yield();
    return arg;
}

static int acquire_one(void *arg)
{
    (void)arg;
    return plait_semaphore_acquire(&units, PLAIT_FOREVER);
}

TEST(what_comes_later_is_not_for_a_coroutine_whose_thread_has_ended)
{
    char got = 0;
    pthread_t thread;
    plait_task *task;

    make_own((plait_queue_opts){ 0 });
    CHECK_INT(pthread_create(&thread, NULL, leave_waiting, NULL), 0);
    pthread_join(thread, NULL);
    CHECK_INT(plait_queue_put(queue, "x", 1, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_get(queue, &got, 1, PLAIT_NOWAIT), 1);
    CHECK_INT(got, 'x');
    task = start_of_kind(PLAIT_COROUTINE, acquire_one, NULL);
    plait_yield();
    CHECK_INT(plait_semaphore_release(&units), 0);
    CHECK_INT(end(task), 0);
    plait_queue_destroy(queue);
}

TEST(a_destroy_waits_for_who_looks_again_before_the_first_sleep)
{
    for (int i = 0; i < 100; i++) {
        make_own((plait_queue_opts){ 0 });
        struct plait__own_queue *own = plait__own_of(queue);
        if (own->lock.home == NULL) { /* nothing shows that somebody came */
            plait_queue_destroy(queue);
            return;
        }
        plait_task *task = start_of_kind(PLAIT_THREAD, wait_at_it, NULL);
        while (__atomic_load_n(&own->lock.home, __ATOMIC_ACQUIRE) != NULL)
            plait_yield();
        while (!plait__mutex_try(&own->lock.mutex)) /* at once, not after a sleep */
            ;
        CHECK_INT(own->n_inside, 1);
        plait__mutex_unlock(&own->lock.mutex);
        plait_queue_destroy(queue);
        CHECK_INT(end(task), 0);
    }
}
