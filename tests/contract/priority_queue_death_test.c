/* Priority queues whose users are killed: at chosen places, and in a storm in which each item is
 * accounted for.
 * SPDX-License-Identifier: MIT
 */
#include "priority_queue_support.h"

#include "sync/owned.h"

enum {
    HAND = ITEM_MOST, /* bytes of a consumer's memory */
    MANY = 1,         /* items at once */
};

#include "rage.h"

static pid_t child;
static volatile int *is_there;

/* A child that holds the lock, as in the middle of a call, and has left everything wrong that may
 * be wrong then. */
static void start_insider(void)
{
    is_there = share(sizeof *is_there);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK_INT(plait__member_join(), 0);
        CHECK_INT(plait__owned_acquire(&queue->items.lock, true, PLAIT_FOREVER), 0);
        queue->items.count += 7;
        queue->items.n_used = 1;
        queue->items.free = 12345678;
        *is_there = 1;
        for (;;)
            pause();
    }
    while (!__atomic_load_n(is_there, __ATOMIC_SEQ_CST))
        sched_yield();
}

static void kill_child(void)
{
    CHECK_INT(kill(child, SIGKILL), 0);
    CHECK_INT(waitpid(child, NULL, 0), child);
}

TEST(a_task_that_stands_within_a_call_is_waited_for_and_its_death_is_noticed)
{
    queue = create((plait_priority_queue_opts){ 0 });
    put_text(2, "b");
    put_text(1, "a");
    start_insider();
    CHECK_INT(plait_priority_queue_get(queue, NULL, NULL, 0, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_priority_queue_put(queue, 0, "c", 1, plait_after_ms(300)), -ETIMEDOUT);
    CHECK_INT(plait_priority_queue_join(queue, PLAIT_NOWAIT), -ETIMEDOUT);
    kill_child();
    check_next(1, "a");
    check_next(2, "b");
    check_empty();
    plait_priority_queue_destroy(queue);
}

TEST(a_look_sees_through_what_a_killed_process_left)
{
    queue = create((plait_priority_queue_opts){ .max_items = 3 });
    put_text(0, "a");
    start_insider();
    CHECK_INT(plait_priority_queue_size(queue), 8); /* it lives, and may be in the middle of that */
    kill_child();
    CHECK_INT(plait_priority_queue_size(queue), 1);
    CHECK(!plait_priority_queue_is_full(queue) && !plait_priority_queue_is_empty(queue));
    plait_priority_queue_destroy(queue);
}

TEST(who_waits_goes_on_when_the_one_inside_is_killed)
{
    int status;

    queue = create((plait_priority_queue_opts){ 0 });
    put_text(0, "abc");
    start_insider();
    pid_t getter = fork();
    if (getter == 0) {
        char buf[8];
        _exit((int)plait_priority_queue_get(queue, NULL, buf, sizeof buf, PLAIT_FOREVER));
    }
    while (!(__atomic_load_n(&queue->items.lock, __ATOMIC_SEQ_CST) & PLAIT__OWNED_WAITERS))
        sched_yield();
    kill_child();
    CHECK_INT(waitpid(getter, &status, 0), getter);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 3);
    plait_priority_queue_destroy(queue);
}

TEST(what_was_put_without_a_ring_is_found)
{
    int status;

    queue = create((plait_priority_queue_opts){ 0 });
    pid_t getter = fork();
    if (getter == 0) {
        char buf[8];
        _exit((int)plait_priority_queue_get(queue, NULL, buf, sizeof buf, PLAIT_FOREVER));
    }
    await_sleeper(&queue->get_bell);
    /* as by a process that is killed before it rings */
    CHECK_INT(plait__items_put(&queue->items, 0, &(plait_bytes){ "abcd", 4 }, PLAIT_NOWAIT), 0);
    CHECK_INT(waitpid(getter, &status, 0), getter);
    CHECK_INT(WEXITSTATUS(status), 4);
    plait_priority_queue_destroy(queue);
}

TEST(a_destroy_does_not_wait_for_a_killed_process)
{
    queue = create((plait_priority_queue_opts){ 0 });
    child = fork();
    if (child == 0)
        plait_priority_queue_get(queue, NULL, NULL, 0, PLAIT_FOREVER);
    await_visitors(1);
    kill_child();
    CHECK(plait__visits_are_over(&queue->visits));
    plait_priority_queue_destroy(queue);
}

/* ---- the storm ---- */

static uint32_t put_some(uint32_t number)
{
    unsigned char bytes[ITEM_MOST];
    size_t n = make_item(bytes, number);

    CHECK_INT(plait_priority_queue_put(queue, item_priority(number), bytes, n, PLAIT_FOREVER), 0);
    return 1;
}

static void consume(struct life *life, unsigned char *hand)
{
    uint32_t number;
    int64_t priority;
    ssize_t n;

    (void)life;
    while ((n = plait_priority_queue_get(queue, &priority, hand, HAND, PLAIT_FOREVER)) >= 0) {
        CHECK(is_item(hand, (size_t)n, &number));
        CHECK_INT(priority, item_priority(number));
        count_number(number);
    }
    CHECK_INT(n, -EPIPE);
}

static void close_queue(void)
{
    CHECK_INT(plait_priority_queue_close(queue), 0);
}

static void account_for_all(void)
{
    static unsigned char in_hand[EACH];
    uint32_t number;

    for (uint32_t i = 0; i < begun[1]; i++) {
        struct item head;
        memcpy(&head, storm->hands[i], sizeof head);
        if (head.size <= ITEM_MOST && is_item(storm->hands[i], head.size, &number) && number < EACH)
            in_hand[number] = 1;
    }
    account(in_hand);
}

static void run_storm(plait_priority_queue_opts opts, int ms)
{
    static const unsigned sides[2] = { SIDES, SIDES };

    prepare_storm();
    queue = create(opts);
    rage(sides, ms);
    account_for_all();
    CHECK_INT(plait_priority_queue_size(queue), 0);
    CHECK_INT(queue->items.n_used, 0); /* no cell is lost */
    plait_priority_queue_destroy(queue);
}

TEST_LIMIT(a_storm_loses_and_doubles_nothing, 60)
{
    run_storm((plait_priority_queue_opts){ .max_bytes = 16384 }, 2500);
}

TEST_LIMIT(nor_in_a_stack_in_which_few_items_fit, 60)
{
    run_storm((plait_priority_queue_opts){ .max_items = 6, .newest_first = true }, 2000);
}
