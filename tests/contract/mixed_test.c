/* A coroutine, a thread and a process at the ends of one thing, in every combination: whoever wakes,
 * whoever sleeps.
 * SPDX-License-Identifier: MIT
 *
 * Processes are started first: beside threads none may be forked.
 */
#include <plait.h>

#include <errno.h>
#include <string.h>

#include "os/sanitize.h"
#include "test.h"

/* In the family's heap. */
struct hall {
    plait_lock lock;
    plait_condition changed;
    plait_event ping, pong;
    plait_semaphore tokens, room;
    plait_barrier barrier;
    plait_queue *queue;
    uint64_t sum;    /* lock */
    uint32_t turn;   /* lock */
    uint32_t n_done; /* atomic */
    uint32_t rounds; /* const */
};

static struct hall *hall;

static const plait_kind kinds[] = { PLAIT_PROCESS, PLAIT_COROUTINE, PLAIT_THREAD };

enum {
    KINDS = sizeof kinds / sizeof *kinds
};

static void prepare(uint32_t rounds)
{
    hall = plait_shared_alloc(sizeof *hall);
    CHECK(hall != NULL);
    hall->rounds = rounds;
    CHECK_INT(plait_keeper_start(), 0);
}

static plait_task *start(plait_kind kind, plait_task_fn *fn, void *arg)
{
    plait_task *task = NULL;

    CHECK_INT(plait_task_start(&task, kind, fn, arg, NULL), 0);
    return task;
}

static void end(plait_task *task)
{
    plait_outcome outcome = { 0 };

    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &outcome), 0);
    plait_task_destroy(task);
    CHECK_INT(outcome.kind, PLAIT_RETURNED);
    CHECK_INT(outcome.code, 0);
}

/* One task of each kind does one part, another one the other: all nine pairs, one after another. */
static void with_all_pairs(plait_task_fn *one, plait_task_fn *other, void (*check)(void))
{
    for (int i = 0; i < KINDS; i++)
        for (int j = 0; j < KINDS; j++) {
            bool is_first = kinds[i] == PLAIT_PROCESS || kinds[j] != PLAIT_PROCESS;
            plait_task *a = is_first ? start(kinds[i], one, NULL) : NULL;
            plait_task *b = start(kinds[j], other, NULL);
            end(is_first ? a : start(kinds[i], one, NULL));
            end(b);
            check();
        }
}

/* As many tasks of each kind at the same time do the same. */
static void with_all_kinds(plait_task_fn *fn, unsigned each)
{
    plait_task *tasks[KINDS * 4];
    unsigned n = 0;

    for (int i = 0; i < KINDS; i++)
        for (unsigned j = 0; j < each; j++)
            tasks[n++] = start(kinds[i], fn, &hall->rounds);
    while (n > 0)
        end(tasks[--n]);
}

/* ---- a queue ---- */

static int put_numbers(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < hall->rounds; i++)
        CHECK_INT(plait_queue_put(hall->queue, &i, sizeof i, PLAIT_FOREVER), 0);
    return 0;
}

static int get_numbers(void *arg)
{
    uint32_t number;

    (void)arg;
    for (uint32_t i = 0; i < hall->rounds; i++) {
        CHECK_INT(plait_queue_get(hall->queue, &number, sizeof number, PLAIT_FOREVER),
                  sizeof number);
        CHECK_INT(number, i);
    }
    return 0;
}

static void see_empty(void)
{
    CHECK(plait_queue_is_empty(hall->queue));
}

static void hand_over(uint32_t max_items, uint32_t rounds)
{
    prepare(rounds);
    CHECK_INT(plait_queue_create(&hall->queue, &(plait_queue_opts){ .max_items = max_items }), 0);
    with_all_pairs(put_numbers, get_numbers, see_empty);
    plait_queue_destroy(hall->queue);
}

TEST_LIMIT(a_queue_hands_over_between_all_kinds_of_task, 120)
{
    hand_over(100, 100000);
}

TEST_LIMIT(a_queue_of_one_item_hands_over_between_all_kinds_of_task, 120)
{
    hand_over(1, 4000);
}

static int put_some(void *arg)
{
    return put_numbers(arg);
}

static int get_some(void *arg)
{
    uint32_t number;

    (void)arg;
    while (plait_queue_get(hall->queue, &number, sizeof number, PLAIT_FOREVER) >= 0)
        __atomic_fetch_add(&hall->sum, number + 1, __ATOMIC_SEQ_CST);
    return 0;
}

/* A task of any kind that has four coroutines. */
static int get_by_four(void *arg)
{
    for (int i = 0; i < 4; i++)
        CHECK_INT(plait_go(get_some, arg), 0);
    return 0;
}

static int put_by_four(void *arg)
{
    for (int i = 0; i < 4; i++)
        CHECK_INT(plait_go(put_some, arg), 0);
    return 0;
}

TEST_LIMIT(coroutines_of_several_processes_and_threads_share_a_queue, 120)
{
    plait_task *puts[KINDS], *gets[KINDS];
    uint64_t n = 700;

    if (PLAIT__SANITIZER_THREADS >
        0) /* what one coroutine hands to another goes through a process */
        test_skip("the thread sanitizer does not see what happens in another process");
    prepare((uint32_t)n);
    CHECK_INT(plait_queue_create(&hall->queue, &(plait_queue_opts){ .max_items = 5 }), 0);
    for (int i = 0; i < KINDS; i++) {
        gets[i] = start(kinds[i], get_by_four, NULL);
        puts[i] = start(kinds[i], put_by_four, NULL);
    }
    for (int i = 0; i < KINDS; i++)
        end(puts[i]);
    CHECK_INT(plait_queue_close(hall->queue), 0);
    for (int i = 0; i < KINDS; i++)
        end(gets[i]);
    CHECK_INT(hall->sum, KINDS * 4 * (n * (n + 1) / 2));
    plait_queue_destroy(hall->queue);
}

/* ---- events and semaphores ---- */

static int serve(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < hall->rounds; i++) {
        plait_event_set(&hall->ping);
        CHECK_INT(plait_event_wait(&hall->pong, PLAIT_FOREVER), 0);
        plait_event_clear(&hall->pong);
    }
    return 0;
}

static int answer(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < hall->rounds; i++) {
        CHECK_INT(plait_event_wait(&hall->ping, PLAIT_FOREVER), 0);
        plait_event_clear(&hall->ping);
        plait_event_set(&hall->pong);
    }
    return 0;
}

static void see_calm(void)
{
    CHECK(!plait_event_is_set(&hall->ping) && !plait_event_is_set(&hall->pong));
}

TEST_LIMIT(events_wake_all_kinds_of_task, 120)
{
    prepare(4000);
    with_all_pairs(serve, answer, see_calm);
}

static int release_tokens(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < hall->rounds; i++) {
        CHECK_INT(plait_semaphore_acquire(&hall->room, PLAIT_FOREVER), 0);
        CHECK_INT(plait_semaphore_release(&hall->tokens), 0);
    }
    return 0;
}

static int acquire_tokens(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < hall->rounds; i++) {
        CHECK_INT(plait_semaphore_acquire(&hall->tokens, PLAIT_FOREVER), 0);
        CHECK_INT(plait_semaphore_release(&hall->room), 0);
    }
    return 0;
}

static void see_room(void)
{
    CHECK_INT(plait_semaphore_count(&hall->tokens), 0);
    CHECK_INT(plait_semaphore_count(&hall->room), 2);
}

TEST_LIMIT(semaphores_wake_all_kinds_of_task, 120)
{
    prepare(8000);
    CHECK_INT(plait_semaphore_init(&hall->tokens, 0), 0);
    CHECK_INT(plait_semaphore_init(&hall->room, 2), 0);
    with_all_pairs(release_tokens, acquire_tokens, see_room);
}

/* ---- a lock, a condition, a barrier ---- */

static int add_up(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < hall->rounds; i++) {
        CHECK_INT(plait_lock_acquire(&hall->lock, PLAIT_FOREVER), 0);
        uint64_t sum = hall->sum;
        if (i % 64 == 0)
            plait_sleep(plait_after_ms(1)); /* with the lock held */
        else if (i % 8 == 0)
            plait_yield();
        hall->sum = sum + 1;
        CHECK_INT(plait_lock_release(&hall->lock), 0);
    }
    return 0;
}

TEST_LIMIT(a_lock_is_held_by_one_of_all_kinds_of_task, 120)
{
    prepare(600);
    with_all_kinds(add_up, 3);
    CHECK_INT(hall->sum, KINDS * 3 * 600);
}

static int take_turns(void *arg)
{
    uint32_t mine = __atomic_fetch_add(&hall->n_done, 1, __ATOMIC_SEQ_CST);

    (void)arg;
    CHECK_INT(plait_lock_acquire(&hall->lock, PLAIT_FOREVER), 0);
    for (uint32_t i = 0; i < hall->rounds; i++) {
        while (hall->turn % (KINDS * 2) != mine)
            CHECK_INT(plait_condition_wait(&hall->changed, &hall->lock, PLAIT_FOREVER), 0);
        hall->turn++;
        CHECK_INT(plait_condition_notify_all(&hall->changed), 0);
    }
    return plait_lock_release(&hall->lock);
}

TEST_LIMIT(a_condition_wakes_all_kinds_of_task, 120)
{
    prepare(150);
    with_all_kinds(take_turns, 2);
    CHECK_INT(hall->turn, KINDS * 2 * 150);
}

static int notify_the_next(void *arg)
{
    (void)arg;
    CHECK_INT(plait_lock_acquire(&hall->lock, PLAIT_FOREVER), 0);
    for (uint32_t i = 0; i < hall->rounds; i++) {
        while (hall->turn == 0)
            CHECK_INT(plait_condition_wait(&hall->changed, &hall->lock, PLAIT_FOREVER), 0);
        hall->turn--; /* one of the tokens, which goes on to somebody else */
        CHECK_INT(plait_lock_release(&hall->lock), 0);
        CHECK_INT(plait_lock_acquire(&hall->lock, PLAIT_FOREVER), 0);
        hall->turn++;
        CHECK_INT(plait_condition_notify(&hall->changed, 1), 0);
    }
    return plait_lock_release(&hall->lock);
}

TEST_LIMIT(a_notify_of_one_is_not_lost_between_all_kinds_of_task, 120)
{
    prepare(500);
    hall->turn = 2;
    with_all_kinds(notify_the_next, 3);
    CHECK_INT(hall->turn, 2);
}

static int meet(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < hall->rounds; i++)
        CHECK(plait_barrier_wait(&hall->barrier, PLAIT_FOREVER) >= 0);
    return 0;
}

TEST_LIMIT(all_kinds_of_task_meet_at_a_barrier, 120)
{
    prepare(200);
    CHECK_INT(plait_barrier_init(&hall->barrier, KINDS * 2), 0);
    with_all_kinds(meet, 2);
}

/* ---- a select over all of it ---- */

static int select_numbers(void *arg)
{
    plait_waitable on[2];
    uint32_t n = 0, number;

    (void)arg;
    CHECK_INT(plait_queue_on_get(&on[0], hall->queue), 0);
    CHECK_INT(plait_event_on_set(&on[1], &hall->ping), 0);
    for (;;) {
        ssize_t which = plait_select(on, 2, PLAIT_FOREVER);
        CHECK(which >= 0);
        while (plait_queue_get(hall->queue, &number, sizeof number, PLAIT_NOWAIT) >= 0)
            CHECK_INT(number, n++);
        if (n == hall->rounds && plait_event_is_set(&hall->ping))
            return 0;
    }
}

static int put_numbers_and_set(void *arg)
{
    put_numbers(arg);
    plait_event_set(&hall->ping);
    return 0;
}

static void clear_up(void)
{
    see_empty();
    plait_event_clear(&hall->ping);
}

TEST_LIMIT(a_select_of_all_kinds_of_task_is_woken_by_all, 120)
{
    prepare(500);
    CHECK_INT(plait_queue_create(&hall->queue, &(plait_queue_opts){ .max_items = 3 }), 0);
    with_all_pairs(put_numbers_and_set, select_numbers, clear_up);
    plait_queue_destroy(hall->queue);
}
