/* Queues whose users are killed or stopped at chosen places.
 * SPDX-License-Identifier: MIT
 */
#include "queue_support.h"

#include "sync/owned.h"

#include <signal.h>
#include <sys/wait.h>

/* Forks a child that does this and then stands until it is killed. */
#define CHILD_THAT(does)                                     \
    do {                                                     \
        fflush(NULL);                                        \
        child = fork();                                      \
        if (child == 0) {                                    \
            does;                                            \
            *is_there = 1;                                   \
            for (;;)                                         \
                pause();                                     \
        }                                                    \
        while (!__atomic_load_n(is_there, __ATOMIC_SEQ_CST)) \
            sched_yield();                                   \
        *is_there = 0;                                       \
    } while (0)

static pid_t child;
static volatile int *is_there;

static void prepare(plait_queue_opts opts)
{
    is_there = share(sizeof *is_there);
    queue = create(opts);
}

static void kill_child(void)
{
    CHECK_INT(kill(child, SIGKILL), 0);
    CHECK_INT(test_waitpid(child, NULL, 0), child);
}

static void stop_child(void)
{
    siginfo_t info;

    CHECK_INT(kill(child, SIGSTOP), 0);
    while (waitid(P_PID, (id_t)child, &info, WSTOPPED) < 0)
        CHECK_INT(errno, EINTR);
}

static void reserve(size_t n)
{
    void *bytes = NULL;

    CHECK_INT(plait_queue_reserve(queue, &bytes, n, PLAIT_NOWAIT), 0);
}

static void borrow(size_t n)
{
    const void *bytes = NULL;

    while (n-- > 0)
        CHECK(plait_queue_borrow(queue, &bytes, PLAIT_NOWAIT) >= 0);
}

/* Waits as long as it takes. */
static void await_next(const char *text)
{
    char buf[64];
    ssize_t n = plait_queue_get(queue, buf, sizeof buf, PLAIT_FOREVER);

    CHECK_INT(n, (ssize_t)strlen(text));
    CHECK_MEM(buf, (size_t)n, text, strlen(text));
}

CLAIM(what_a_killed_process_had_reserved_is_passed_over)
{
    prepare((plait_queue_opts){ 0 });
    CHILD_THAT(reserve(100); reserve(0));
    put_text("next");
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), -ETIMEDOUT);
    kill_child();
    check_next("next");
    check_empty();
    CHECK_INT(plait_queue_task_done(queue), 0);
    CHECK_INT(plait_queue_join(queue, PLAIT_NOWAIT), 0);
}

CLAIM(what_a_killed_process_had_borrowed_comes_again)
{
    prepare((plait_queue_opts){ 0 });
    put_text("a");
    put_text("b");
    put_text("c");
    CHILD_THAT(borrow(2));
    CHECK_INT(plait_queue_size(queue), 1);
    kill_child();
    check_next("c"); /* it was the first when we looked */
    check_next("a");
    check_next("b");
    check_empty();
}

CLAIM(it_comes_in_its_place)
{
    prepare((plait_queue_opts){ 0 });
    put_text("a");
    put_text("b");
    CHILD_THAT(borrow(2));
    kill_child();
    CHECK_INT(plait_queue_peek(queue, NULL, 0, PLAIT_NOWAIT), 1);
    put_text("c");
    check_next("a");
    check_next("b");
    check_next("c");
    check_empty();
}

/* The child is killed when we sleep. */
static void await_next_of_the_dead(const char *text)
{
    pid_t killer = fork();

    if (killer == 0) {
        await_sleeper(&queue->ring.shared->get_bell);
        kill(child, SIGKILL);
        _exit(0);
    }
    await_next(text);
    CHECK_INT(test_waitpid(killer, NULL, 0), killer);
    CHECK_INT(test_waitpid(child, NULL, 0), child);
}

CLAIM(who_waits_gets_what_a_killed_process_had_borrowed)
{
    prepare((plait_queue_opts){ 0 });
    put_text("a");
    CHILD_THAT(borrow(1));
    await_next_of_the_dead("a");
}

CLAIM(a_stopped_process_keeps_what_it_borrowed)
{
    prepare((plait_queue_opts){ 0 });
    put_text("a");
    CHILD_THAT(borrow(1));
    stop_child();
    CHECK_INT(plait_queue_get(queue, NULL, 0, plait_after_ms(300)), -ETIMEDOUT);
    kill_child();
    check_next("a");
}

CLAIM(a_stopped_process_keeps_what_it_reserved)
{
    prepare((plait_queue_opts){ 0 });
    CHILD_THAT(reserve(1));
    stop_child();
    put_text("a");
    CHECK_INT(plait_queue_get(queue, NULL, 0, plait_after_ms(300)), -ETIMEDOUT);
    kill_child();
    check_next("a");
}

CLAIM(room_that_a_killed_process_had_reserved_is_room_again)
{
    prepare((plait_queue_opts){ .max_items = 2 });
    CHILD_THAT(reserve(100); reserve(1));
    CHECK_INT(plait_queue_put(queue, "a", 1, PLAIT_NOWAIT), -ETIMEDOUT);
    kill_child();
    put_text("a");
    CHILD_THAT(reserve(1));
    kill_child();
    CHECK_INT(plait_queue_put(queue, "b", 1, PLAIT_NOWAIT), -ETIMEDOUT); /* behind one in use */
    check_next("a");
    put_text("b");
    check_next("b");
}

CLAIM(who_waits_for_room_gets_what_a_killed_process_had_reserved)
{
    prepare((plait_queue_opts){ .max_items = 1 });
    CHILD_THAT(reserve(1));
    pid_t killer = fork();
    if (killer == 0) {
        await_sleeper(&queue->ring.shared->put_bell);
        kill(child, SIGKILL);
        _exit(0);
    }
    CHECK_INT(plait_queue_put(queue, "a", 1, PLAIT_FOREVER), 0);
    CHECK_INT(test_waitpid(killer, NULL, 0), killer);
}

CLAIM(room_of_an_item_that_a_killed_process_had_released_is_room_again)
{
    prepare((plait_queue_opts){ .max_items = 1 });
    put_text("a");
    /* as if it was killed between its two last steps */
    CHILD_THAT(borrow(1); ((uint64_t *)(void *)queue->ring.shared->data)[0] &= ~UINT64_C(15);
               ((uint64_t *)(void *)queue->ring.shared->data)[0] |= 5);
    kill_child();
    put_text("b");
    check_next("b");
    check_empty();
}

static int grab(uint32_t *lock)
{
    return plait__owned_acquire(lock, true, PLAIT_NOWAIT);
}

CLAIM(a_process_killed_in_a_put_is_in_nobodys_way)
{
    prepare((plait_queue_opts){ 0 });
    CHILD_THAT(CHECK_INT(grab(&queue->ring.shared->put_lock), 0));
    stop_child();
    CHECK_INT(plait_queue_put(queue, "x", 1, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_queue_put(queue, "x", 1, plait_after_ms(150)), -ETIMEDOUT);
    kill_child();
    put_text("a");
    check_next("a");
}

CLAIM(a_process_killed_in_a_get_is_in_nobodys_way)
{
    prepare((plait_queue_opts){ 0 });
    put_text("a");
    CHILD_THAT(CHECK_INT(grab(&queue->ring.shared->get_lock), 0));
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), -ETIMEDOUT);
    kill_child();
    check_next("a");
    check_empty();
}

CLAIM(what_a_killed_process_had_got_does_not_come_again)
{
    prepare((plait_queue_opts){ 0 });
    put_text("a");
    put_text("b");
    /* as if it was killed between the two steps of the hand-over */
    CHILD_THAT(CHECK_INT(grab(&queue->ring.shared->get_lock), 0);
               queue->ring.shared->free += (UINT64_C(1) << 32) + 2);
    kill_child();
    check_next("b");
    check_empty();
    CHECK_INT(queue->ring.shared->free, queue->ring.shared->take);
}

CLAIM(a_single_producer_and_consumer_is_followed_by_another_when_it_is_dead)
{
    prepare((plait_queue_opts){ .single_producer = true, .single_consumer = true });
    CHILD_THAT(put_text("a"); put_text("b"); check_next("a"));
    CHECK_INT(plait_queue_put(queue, "x", 1, PLAIT_NOWAIT), -EBUSY);
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), -EBUSY);
    kill_child();
    check_next("b");
    put_text("c");
    check_next("c");
    check_empty();
}

CLAIM(a_reservation_of_a_killed_process_does_not_hold_up_the_end)
{
    prepare((plait_queue_opts){ 0 });
    CHILD_THAT(reserve(10));
    CHECK_INT(plait_queue_close(queue), 0);
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), -ETIMEDOUT);
    kill_child();
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_FOREVER), -EPIPE);
    CHECK_INT(plait_queue_join(queue, PLAIT_NOWAIT), 0);
}

CLAIM(a_closed_queue_is_drained_when_nothing_can_come_back)
{
    prepare((plait_queue_opts){ 0 });
    put_text("a");
    CHILD_THAT(borrow(1));
    CHECK_INT(plait_queue_close(queue), 0);
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), -ETIMEDOUT);
    kill_child();
    check_next("a");
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), -EPIPE);
}

static int join_and_tell(void)
{
    int rc = plait_queue_join(queue, PLAIT_FOREVER);

    _exit(rc == 0 ? 0 : 1);
}

CLAIM(a_join_does_not_wait_for_what_a_killed_process_had_reserved)
{
    int status;

    prepare((plait_queue_opts){ 0 });
    CHILD_THAT(reserve(10));
    pid_t joiner = fork();
    if (joiner == 0)
        join_and_tell();
    await_sleeper(&queue->ring.shared->join_bell);
    kill_child();
    CHECK_INT(test_waitpid(joiner, &status, 0), joiner);
    CHECK_INT(status, 0);
}

CLAIM(a_destroy_does_not_wait_for_a_killed_process)
{
    prepare((plait_queue_opts){ 0 });
    child = fork();
    if (child == 0)
        plait_queue_get(queue, NULL, 0, PLAIT_FOREVER);
    await_visitors(1);
    kill_child();
    CHECK(plait__visits_are_over(&queue->visits));
    plait_queue_destroy(queue);
}

/* ---- leases ---- */

static uint64_t count_blocks(void)
{
    plait_shared_usage usage;

    CHECK_INT(plait_shared_stats(&usage), 0);
    return usage.blocks;
}

static void lease(unsigned n, unsigned acked)
{
    plait_lease leased;

    for (unsigned i = 0; i < n; i++) {
        CHECK_INT(plait_queue_lease(queue, &leased, PLAIT_NOWAIT), 0);
        if (i < acked)
            CHECK_INT(plait_queue_ack(&leased), 0);
    }
}

static void check_leased(const char *text, unsigned attempts)
{
    plait_lease leased;

    CHECK_INT(plait_queue_lease(queue, &leased, PLAIT_NOWAIT), 0);
    CHECK_MEM(leased.bytes, leased.size, text, strlen(text));
    CHECK_INT(leased.attempts, attempts);
    CHECK_INT(plait_queue_ack(&leased), 0);
}

CLAIM(what_a_killed_process_had_leased_comes_again_before_all_others)
{
    prepare((plait_queue_opts){ 0 });
    put_text("a");
    put_text("b");
    put_text("c");
    put_text("d");
    CHILD_THAT(lease(3, 1));
    CHECK_INT(plait_queue_size(queue), 1);
    kill_child();
    queue->ring.shared->lease_look = 0; /* as if some time had passed */
    check_leased("b", 2);
    check_next("c");
    check_next("d");
    check_empty();
}

CLAIM(it_counts_how_often_it_was_leased)
{
    prepare((plait_queue_opts){ .max_leases = 1 });
    put_text("a");
    for (unsigned i = 0; i < 3; i++) {
        CHILD_THAT(lease(1, 0));
        kill_child();
    }
    check_leased("a", 4);
    check_empty();
}

CLAIM(a_stopped_process_keeps_what_it_leased)
{
    prepare((plait_queue_opts){ 0 });
    put_text("a");
    CHILD_THAT(lease(1, 0));
    stop_child();
    CHECK_INT(plait_queue_get(queue, NULL, 0, plait_after_ms(300)), -ETIMEDOUT);
    kill_child();
    check_leased("a", 2);
}

CLAIM(who_waits_gets_what_a_killed_process_had_leased)
{
    prepare((plait_queue_opts){ 0 });
    put_text("a");
    CHILD_THAT(lease(1, 0));
    await_next_of_the_dead("a");
}

CLAIM(it_comes_again_also_where_there_is_always_something_to_get)
{
    char byte = 'b';

    prepare((plait_queue_opts){ 0 });
    put_text("a");
    CHILD_THAT(lease(1, 0));
    kill_child();
    while (byte != 'a') {
        put_text("b");
        CHECK_INT(plait_queue_get(queue, &byte, 1, PLAIT_NOWAIT), 1);
    }
    check_next("b");
    check_empty();
}

CLAIM(a_closed_queue_is_not_drained_while_a_leased_item_can_come_back)
{
    prepare((plait_queue_opts){ 0 });
    put_text("a");
    CHILD_THAT(lease(1, 0));
    CHECK_INT(plait_queue_close(queue), 0);
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), -ETIMEDOUT);
    kill_child();
    check_next("a");
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), -EPIPE);
}

CLAIM(an_entry_of_a_killed_process_is_not_lost)
{
    prepare((plait_queue_opts){ .max_leases = 1 });
    put_text("a");
    put_text("b");
    CHILD_THAT(lease(1, 0));
    kill_child();
    lease(2, 2);
    check_empty();
}

static void check_large_leases(size_t max_bytes)
{
    static char large[100000], again[100000];
    uint64_t blocks;

    prepare((plait_queue_opts){ .max_bytes = max_bytes });
    memset(large, 'x', sizeof large);
    blocks = count_blocks();
    for (unsigned i = 0; i < 5; i++) {
        CHECK_INT(plait_queue_put(queue, large, sizeof large, PLAIT_NOWAIT), 0);
        CHILD_THAT(lease(1, i % 2));
        kill_child();
        if (i % 2 == 0) {
            CHECK_INT(plait_queue_get(queue, again, sizeof again, PLAIT_NOWAIT), sizeof again);
            CHECK_MEM(again, sizeof again, large, sizeof large);
        }
        check_empty();
    }
    CHECK_INT(count_blocks(), blocks);
}

TEST(a_large_item_that_a_killed_process_had_leased_is_whole_and_freed_once)
{
    check_large_leases(1 << 20); /* copied from the ring */
    check_large_leases(65536);   /* not copied */
}

/* ---- large items ---- */

TEST(a_large_item_that_a_killed_process_had_reserved_is_freed)
{
    uint64_t blocks;

    prepare((plait_queue_opts){ .max_bytes = 65536 });
    blocks = count_blocks();
    for (unsigned i = 0; i < 3; i++) {
        CHILD_THAT(reserve(1000000));
        CHECK_INT(plait_queue_put(queue, NULL, 0, PLAIT_NOWAIT), 0);
        kill_child();
        CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), 0);
        check_empty();
        CHECK_INT(count_blocks(), blocks);
    }
    put_text("a");
    check_next("a");
}

TEST(room_for_large_items_that_a_killed_process_had_reserved_is_room_again)
{
    static char large[50000];

    prepare((plait_queue_opts){ .max_bytes = 65536 });
    CHILD_THAT(reserve(50000));
    CHECK_INT(plait_queue_put(queue, large, sizeof large, PLAIT_NOWAIT), -ETIMEDOUT);
    kill_child();
    CHECK_INT(plait_queue_put(queue, large, sizeof large, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_get(queue, large, sizeof large, PLAIT_NOWAIT), sizeof large);
}

TEST(a_large_item_that_a_killed_process_had_borrowed_comes_again_and_is_freed_once)
{
    static char large[100000], again[100000];
    uint64_t blocks;

    prepare((plait_queue_opts){ .max_bytes = 65536 });
    blocks = count_blocks();
    memset(large, 'x', sizeof large);
    CHECK_INT(plait_queue_put(queue, large, sizeof large, PLAIT_NOWAIT), 0);
    for (unsigned i = 0; i < 3; i++) {
        CHILD_THAT(borrow(1));
        kill_child();
        CHECK_INT(plait_queue_peek(queue, NULL, 0, PLAIT_NOWAIT), sizeof large);
    }
    CHECK_INT(plait_queue_get(queue, again, sizeof again, PLAIT_NOWAIT), sizeof again);
    CHECK_MEM(again, sizeof again, large, sizeof large);
    check_empty();
    CHECK_INT(count_blocks(), blocks);
}

/* ---- lanes ---- */

/* There is always something in lane 1. */
static void await_past_lane_1(const char *text)
{
    char buf[8];

    do {
        CHECK_INT(plait_queue_put_lane(queue, 1, "", 0, PLAIT_NOWAIT), 0);
    } while (plait_queue_get(queue, buf, sizeof buf, PLAIT_NOWAIT) == 0);
    CHECK_MEM(buf, strlen(text), text, strlen(text));
}

CLAIM(what_the_dead_had_reserved_does_not_hold_up_its_lane_where_another_is_never_empty)
{
    prepare((plait_queue_opts){ .lanes = 2 });
    CHILD_THAT(reserve(100));
    put_text("a");
    kill_child();
    await_past_lane_1("a");
}

CLAIM(nor_is_what_they_had_borrowed_or_leased_in_a_lane_forgotten)
{
    prepare((plait_queue_opts){ .lanes = 2 });
    put_text("a");
    CHILD_THAT(borrow(1));
    kill_child();
    await_past_lane_1("a");
    put_text("b");
    CHILD_THAT(lease(1, 0));
    kill_child();
    await_past_lane_1("b");
}

static void close_first_lane(void)
{
    __atomic_fetch_or(&queue->ring.shared->tail, PLAIT__RING_CLOSED, __ATOMIC_SEQ_CST);
}

CLAIM(a_process_killed_in_a_close_of_many_lanes_has_closed_all_or_none)
{
    prepare((plait_queue_opts){ .lanes = 3 });
    CHECK_INT(plait_queue_put_lane(queue, 2, "c", 1, PLAIT_NOWAIT), 0);
    CHILD_THAT(close_first_lane());
    kill_child();
    check_next("c");
    CHECK_INT(plait_queue_put_lane(queue, 1, "b", 1, PLAIT_NOWAIT), -EPIPE);
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_FOREVER), -EPIPE);
}

CLAIM(who_waits_is_told_when_a_process_is_killed_in_a_close_of_many_lanes)
{
    prepare((plait_queue_opts){ .lanes = 2, .max_items = 1 });
    CHECK_INT(plait_queue_put_lane(queue, 1, "b", 1, PLAIT_NOWAIT), 0);
    CHILD_THAT(close_first_lane());
    kill_child();
    CHECK_INT(plait_queue_put_lane(queue, 1, "b", 1, PLAIT_FOREVER), -EPIPE);
}
