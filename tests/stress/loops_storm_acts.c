/* The storm over loops: what its coroutines do.
 * SPDX-License-Identifier: MIT
 */
#include "loops_storm.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    THREADS_MOST = 64,
    A_LITTLE_NS = 200 * 1000,
};

static uint32_t program;            /* const: which one we are */
static pid_t threads[THREADS_MOST]; /* atomic: in which coroutines ran */

static bool is_over(void)
{
    return __atomic_load_n(&loops_round->is_over, __ATOMIC_SEQ_CST) != 0;
}

/* ---- lives ---- */

static void note_thread(void)
{
    pid_t self = gettid();
    uint32_t n = 0, most;

    for (; n < THREADS_MOST; n++) {
        pid_t nobody = 0;
        if (__atomic_load_n(&threads[n], __ATOMIC_SEQ_CST) == self)
            return;
        if (__atomic_compare_exchange_n(&threads[n], &nobody, self, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            break;
        if (nobody == self)
            return;
    }
    most = __atomic_load_n(&loops_round->most_threads, __ATOMIC_SEQ_CST);
    while (n + 1 > most && !__atomic_compare_exchange_n(&loops_round->most_threads, &most, n + 1,
                                                        false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
}

/* NULL: there are no more of them in this round. */
static struct life *begin_life(void)
{
    uint32_t i = __atomic_fetch_add(&loops_round->next_life, 1, __ATOMIC_SEQ_CST);

    note_thread();
    if (i >= LIVES) {
        __atomic_store_n(&loops_round->is_exhausted, 1, __ATOMIC_SEQ_CST);
        return NULL;
    }
    loops_round->lives[i].program = program;
    return &loops_round->lives[i];
}

static uint32_t number_of(const struct life *life)
{
    return (uint32_t)(life - loops_round->lives);
}

/* ---- items ---- */

static uint32_t sum_of(const unsigned char *bytes, const struct loops_item *item)
{
    uint32_t sum = item->number * 2654435761U ^ item->size;

    for (uint32_t i = sizeof *item; i < item->size; i++)
        sum = sum * 16777619U ^ bytes[i];
    return sum;
}

bool loops_storm_is_item(const unsigned char *bytes, struct loops_item *ret)
{
    memcpy(ret, bytes, sizeof *ret);
    return ret->number < EACH && ret->size >= sizeof *ret && ret->size <= ITEM_MOST &&
           sum_of(bytes, ret) == ret->sum;
}

static size_t make_item(unsigned char *bytes, uint32_t number)
{
    struct loops_item item = { number, (uint32_t)sizeof item + number * 7 % (ITEM_MOST - 16), 0 };

    memset(bytes, (int)number, item.size);
    item.sum = sum_of(bytes, &item);
    memcpy(bytes, &item, sizeof item);
    return item.size;
}

static struct loops_item check_item(const unsigned char *bytes, size_t n)
{
    struct loops_item item;

    CHECK(loops_storm_is_item(bytes, &item));
    CHECK_INT(item.size, n);
    return item;
}

static void count(const unsigned char *bytes, size_t n)
{
    struct loops_item item = check_item(bytes, n);

    CHECK_INT(__atomic_fetch_add(&loops_round->seen[item.number], 1, __ATOMIC_SEQ_CST), 0);
}

/* ---- who puts ---- */

static void put_one(uint32_t number)
{
    unsigned char bytes[ITEM_MOST];
    size_t n = make_item(bytes, number);
    void *place = NULL;
    int rc;

    if (number % 5 == 1) {
        CHECK_INT(plait_queue_reserve(loops_queue, &place, ITEM_MOST, PLAIT_FOREVER), 0);
        memcpy(place, bytes, n);
        if (number % 2 == 0)
            plait_yield(); /* others of this thread meanwhile */
        CHECK_INT(plait_queue_commit(loops_queue, place, n), 0);
        return;
    }
    do
        rc = plait_queue_put(loops_queue, bytes, n,
                             number % 7 == 0 ? plait_after_ns(A_LITTLE_NS) : PLAIT_FOREVER);
    while (rc == -ETIMEDOUT);
    CHECK_INT(rc, 0);
}

static int put_items(void *arg)
{
    struct life *life = NULL;
    uint32_t number = 0, end = 0;

    (void)arg;
    while (!is_over()) {
        if (number == end) {
            life = begin_life();
            number = __atomic_fetch_add(&loops_round->next_number, BLOCK, __ATOMIC_SEQ_CST);
            if (life == NULL || number > EACH - BLOCK) {
                __atomic_store_n(&loops_round->is_exhausted, 1, __ATOMIC_SEQ_CST);
                return 0;
            }
            end = number + BLOCK;
            __atomic_store_n(&life->from, number, __ATOMIC_SEQ_CST);
            __atomic_store_n(&life->done, number,
                             __ATOMIC_SEQ_CST); /* the last one: it has begun */
        }
        put_one(number++);
        __atomic_store_n(&life->done, number, __ATOMIC_SEQ_CST);
    }
    return 0;
}

/* ---- who gets ---- */

/* Those that nobody counts are given back until they have come a few times. */
static ssize_t lease_one(struct life *life, uint32_t round)
{
    plait_lease lease;
    ssize_t rc = plait_queue_lease(loops_queue, &lease, PLAIT_FOREVER);
    unsigned char bytes[ITEM_MOST];
    struct loops_item item;

    if (rc < 0)
        return rc;
    CHECK(lease.size <= sizeof bytes);
    memcpy(bytes, lease.bytes, lease.size);
    item = check_item(bytes, lease.size);
    if (round % 3 == 0)
        plait_yield();
    if (round % 4 == 0 && lease.attempts < 3)
        return plait_queue_nack(&lease);
    __atomic_store_n(&life->ending, 1 + item.number, __ATOMIC_SEQ_CST);
    CHECK_INT(plait_queue_ack(&lease), 0);
    count(bytes, item.size);
    __atomic_store_n(&life->ending, 0, __ATOMIC_SEQ_CST);
    return 0;
}

static ssize_t get_one(struct life *life, uint32_t round)
{
    const void *place = NULL;
    ssize_t n;

    switch (round % 4) {
    case 0:
        return lease_one(life, round / 4);
    case 1:
        n = plait_queue_borrow(loops_queue, &place, PLAIT_FOREVER);
        if (n < 0)
            return n;
        memcpy(life->hand, place, (size_t)n);
        if (round % 8 == 1)
            plait_yield();
        CHECK_INT(plait_queue_release(loops_queue, place), 0);
        break;
    case 2:
        n = plait_queue_get(loops_queue, life->hand, ITEM_MOST, plait_after_ns(A_LITTLE_NS));
        break;
    default:
        n = plait_queue_get(loops_queue, life->hand, ITEM_MOST, PLAIT_FOREVER);
    }
    if (n >= 0)
        count(life->hand, (size_t)n);
    return n == -ETIMEDOUT ? 0 : n;
}

static int get_items(void *arg)
{
    struct life *life = begin_life();
    ssize_t rc = life == NULL ? -EPIPE : 0;

    (void)arg;
    for (uint32_t i = 0; rc >= 0; i++)
        rc = get_one(life, i);
    CHECK_INT(rc, -EPIPE);
    return 0;
}

/* ---- who locks ---- */

void loops_storm_repair(void)
{
    struct guarded *guarded = loops_guarded;

    if (guarded->who == 0)
        return;
    guarded->changes[guarded->who - 1] = guarded->next_changes;
    guarded->total = guarded->next_total;
    __atomic_store_n(&guarded->who, 0, __ATOMIC_SEQ_CST);
}

static void lock_guarded(void)
{
    int rc;

    do {
        rc = plait_lock_acquire(&loops_guarded->lock, PLAIT_FOREVER);
        if (rc == -EOWNERDEAD) {
            rc = plait_lock_recover(&loops_guarded->lock, PLAIT_FOREVER);
            if (rc == 0) {
                loops_storm_repair();
                CHECK_INT(plait_lock_repaired(&loops_guarded->lock), 0);
            }
        }
    } while (rc == -EOWNERDEAD);
    CHECK_INT(rc, 0);
}

static void change_guarded(uint32_t number)
{
    struct guarded *guarded = loops_guarded;

    CHECK_INT(guarded->who, 0);
    guarded->next_changes = guarded->changes[number] + 1;
    guarded->next_total = guarded->total + 1;
    __atomic_store_n(&guarded->who, number + 1, __ATOMIC_SEQ_CST);
    if (guarded->total % 3 == 0)
        plait_yield();
    CHECK_INT(guarded->who, number + 1);
    guarded->changes[number] = guarded->next_changes;
    guarded->total = guarded->next_total;
    __atomic_store_n(&guarded->who, 0, __ATOMIC_SEQ_CST);
}

static int lock_again(void *arg)
{
    struct life *life = begin_life();

    (void)arg;
    while (life != NULL && !is_over()) {
        CHECK_INT(plait_held_semaphore_acquire(&loops_guarded->units, PLAIT_FOREVER), 0);
        lock_guarded();
        change_guarded(number_of(life));
        CHECK_INT(plait_lock_release(&loops_guarded->lock), 0);
        __atomic_store_n(&life->changes, life->changes + 1, __ATOMIC_SEQ_CST);
        CHECK_INT(plait_held_semaphore_release(&loops_guarded->units), 0);
        if (life->changes % 16 == 0)
            CHECK_INT(plait_sleep(plait_after_ns(A_LITTLE_NS)), 0);
    }
    return 0;
}

/* ---- the process ---- */

static int begin_all(void *arg)
{
    plait_group *group = NULL;

    CHECK_INT(plait_group_create(&group, NULL), 0);
    for (unsigned i = 0; i < ACTORS_OF_EACH; i++) {
        CHECK_INT(plait_group_go(group, put_items, arg, PLAIT_FOREVER), 0);
        CHECK_INT(plait_go(get_items, arg), 0);
        CHECK_INT(plait_group_go(group, lock_again, arg, PLAIT_FOREVER), 0);
    }
    CHECK_INT(plait_group_join(group, PLAIT_FOREVER), 0);
    plait_group_destroy(group);
    __atomic_fetch_add(&loops_round->n_quiet, 1, __ATOMIC_SEQ_CST);
    return 0; /* with those that get, when the queue was closed */
}

void loops_storm_act(uint32_t number, unsigned loops)
{
    plait_task *task = NULL;

    program = number;
    memset(threads, 0, sizeof threads);
    if (loops > 1)
        CHECK_INT(plait_loops_start(loops - 1), 0);
    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, begin_all, NULL, NULL), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    plait_task_destroy(task);
}
