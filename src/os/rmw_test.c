/* Read-modify-writes, of one thread and of two.
 * SPDX-License-Identifier: MIT
 */
#include "os/rmw.h"

#include "test.h"

#include <pthread.h>
#include <sched.h>

enum {
    ADDS = 200000
};

static uint32_t word, lock, guarded;

static void *add_often(void *arg)
{
    (void)arg;
    CHECK(!plait__has_one_thread());
    for (int i = 0; i < ADDS; i++)
        plait__rmw_add(&word, 1);
    return NULL;
}

static void *replace_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < ADDS; i++) {
        while (!plait__rmw_replace(&lock, 0, 1))
            sched_yield();
        guarded++;
        plait__rmw_exchange(&lock, 0);
    }
    return NULL;
}

static void *exchange_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < ADDS; i++) {
        while (plait__rmw_exchange(&lock, 1) != 0)
            sched_yield();
        guarded++;
        plait__rmw_exchange(&lock, 0);
    }
    return NULL;
}

static pthread_barrier_t both;

static void *begin_together(void *arg)
{
    pthread_barrier_wait(&both);
    return (*(void *(**)(void *))arg)(NULL);
}

static void run_two(void *(*fn)(void *arg))
{
    pthread_t other;

    CHECK_INT(pthread_barrier_init(&both, NULL, 2), 0);
    CHECK_INT(pthread_create(&other, NULL, begin_together, &fn), 0);
    begin_together(&fn);
    CHECK_INT(pthread_join(other, NULL), 0);
    pthread_barrier_destroy(&both);
}

TEST(each_tells_what_was_there)
{
    word = 3;
    CHECK_INT(plait__rmw_add(&word, 2), 3);
    CHECK_INT(plait__rmw_add(&word, UINT32_MAX), 5);
    CHECK_INT(word, 4);
    CHECK(!plait__rmw_replace(&word, 3, 9));
    CHECK_INT(word, 4);
    CHECK(plait__rmw_replace(&word, 4, 9));
    CHECK_INT(plait__rmw_exchange(&word, 7), 9);
    CHECK_INT(word, 7);
}

TEST(between_two_threads_no_add_is_lost)
{
    for (int i = 0; i < ADDS; i++) /* alone */
        plait__rmw_add(&word, 1);
    run_two(add_often);
    CHECK_INT(word, 3 * ADDS);
}

TEST(of_two_threads_one_alone_replaces)
{
    run_two(replace_often);
    CHECK_INT(guarded, 2 * ADDS);
}

TEST(of_two_threads_one_alone_gets_what_was_there)
{
    run_two(exchange_often);
    CHECK_INT(guarded, 2 * ADDS);
}
