/* Priority queues whose users are killed: at chosen places, and in a storm in which each item is
 * accounted for.
 * SPDX-License-Identifier: MIT
 *
 * The oracle of the storm. A producer writes down before each call which number it puts, and after
 * it that it is put; so of what it was about to put when it was killed nothing is known, and all
 * before that must come. A consumer gets into memory that outlives it, and then counts the item. So
 * an item that was not counted must lie, whole, in the memory of a consumer that was killed.
 */
#include "priority_queue_support.h"

#include "sync/owned.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

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

enum {
    SIDES = 3,
    LIVES = 20000,  /* that begin on one side, at most */
    EACH = 1 << 22, /* items of all producers together */
    BLOCK = 256     /* numbers that a producer takes at once */
};

/* A process. */
struct life {
    uint32_t is_inside;
    uint32_t from, done; /* producer: its items' first number, and behind its last one put */
};

static struct storm {
    uint32_t is_over;
    uint32_t next_number; /* atomic: of the items, in blocks */
    struct life lives[2][LIVES];
    unsigned char seen[EACH]; /* atomic: how often each was counted */
    unsigned char hands[LIVES][ITEM_MOST];
} * storm;

static uint32_t seed;

static uint32_t random_below(uint32_t limit)
{
    seed = seed * 1664525U + 1013904223U;
    return (uint32_t)((uint64_t)seed * limit >> 32);
}

static void produce(struct life *life)
{
    uint32_t number = __atomic_fetch_add(&storm->next_number, BLOCK, __ATOMIC_SEQ_CST);
    unsigned char bytes[ITEM_MOST];

    CHECK(number < EACH - BLOCK);
    __atomic_store_n(&life->from, number, __ATOMIC_SEQ_CST);
    __atomic_store_n(&life->done, number, __ATOMIC_SEQ_CST); /* the last one: it has begun */
    life->is_inside = 1;
    for (; !__atomic_load_n(&storm->is_over, __ATOMIC_SEQ_CST) && number < life->from + BLOCK;
         number++) {
        size_t n = make_item(bytes, number);
        CHECK_INT(plait_priority_queue_put(queue, item_priority(number), bytes, n, PLAIT_FOREVER),
                  0);
        __atomic_store_n(&life->done, number + 1, __ATOMIC_SEQ_CST);
    }
    life->is_inside = 0;
}

static void consume(struct life *life, unsigned char *hand)
{
    uint32_t number;
    int64_t priority;
    ssize_t n;

    life->is_inside = 1;
    while ((n = plait_priority_queue_get(queue, &priority, hand, ITEM_MOST, PLAIT_FOREVER)) >= 0) {
        CHECK(is_item(hand, (size_t)n, &number));
        CHECK_INT(priority, item_priority(number));
        CHECK(number < EACH);
        CHECK_INT(__atomic_fetch_add(&storm->seen[number], 1, __ATOMIC_SEQ_CST), 0);
    }
    CHECK_INT(n, -EPIPE);
    life->is_inside = 0;
}

struct place {
    pid_t pid;
    uint32_t life;
    bool is_consumer;
};

static struct place places[2 * SIDES];
static uint32_t begun[2], killed, killed_inside;

static void begin(struct place *place)
{
    place->life = begun[place->is_consumer]++;
    CHECK(place->life < LIVES);
    place->pid = fork();
    CHECK(place->pid >= 0);
    if (place->pid > 0)
        return;
    struct life *life = &storm->lives[place->is_consumer][place->life];
    if (place->is_consumer)
        consume(life, storm->hands[place->life]);
    else
        produce(life);
    _exit(0);
}

static void kill_one(struct place *place)
{
    int status;

    CHECK_INT(kill(place->pid, SIGKILL), 0);
    CHECK_INT(waitpid(place->pid, &status, 0), place->pid);
    if (WIFEXITED(status)) {
        CHECK_INT(status, 0);
    } else {
        killed++;
        killed_inside += storm->lives[place->is_consumer][place->life].is_inside;
    }
    begin(place);
}

/* Whoever ended by itself is replaced. */
static void replace_ended(void)
{
    for (struct place *place = places; place < places + 2 * SIDES; place++) {
        int status;
        if (waitpid(place->pid, &status, WNOHANG) == place->pid) {
            CHECK_INT(status, 0);
            begin(place);
        }
    }
}

static void nap(uint32_t most_us)
{
    struct timespec time = { .tv_nsec = (long)random_below(most_us) * 1000 };

    nanosleep(&time, NULL);
}

static void await_all(bool consumers)
{
    for (struct place *place = places; place < places + 2 * SIDES; place++) {
        int status;
        if (place->is_consumer == consumers) {
            CHECK_INT(waitpid(place->pid, &status, 0), place->pid);
            CHECK_INT(status, 0);
        }
    }
}

static void rage(plait_deadline until)
{
    for (unsigned i = 0; i < 2 * SIDES; i++) {
        places[i].is_consumer = i >= SIDES;
        begin(&places[i]);
    }
    while (plait_left_ns(until) > 0) {
        struct place *place = &places[random_below(2 * SIDES)];
        nap(random_below(4) == 0 ? 6000 : 600);
        if (random_below(8) == 0) {
            kill(place->pid, SIGSTOP);
            nap(2000);
            kill(place->pid, SIGCONT);
        } else {
            kill_one(place);
        }
        replace_ended();
    }
    __atomic_store_n(&storm->is_over, 1, __ATOMIC_SEQ_CST);
    await_all(false);
    CHECK_INT(plait_priority_queue_close(queue), 0);
    await_all(true);
}

static void account(void)
{
    static unsigned char in_hand[EACH];
    uint32_t number, lost = 0, put = 0;

    for (uint32_t i = 0; i < begun[1]; i++) {
        struct item head;
        memcpy(&head, storm->hands[i], sizeof head);
        if (head.size <= ITEM_MOST && is_item(storm->hands[i], head.size, &number) && number < EACH)
            in_hand[number] = 1;
    }
    for (uint32_t i = 0; i < begun[0]; i++) {
        const struct life *life = &storm->lives[0][i];
        put += life->done > life->from ? life->done - life->from : 0;
        for (number = life->from; number < life->done; number++)
            if (storm->seen[number] == 0) {
                if (!in_hand[number])
                    test_fail(__FILE__, __LINE__, "item %u of life %u is gone", number, i);
                lost++;
            }
    }
    printf("    %u killed, %u inside, %u lives; %u items put, %u died with their getter\n", killed,
           killed_inside, begun[0] + begun[1], put, lost);
    CHECK(lost <= killed);
    CHECK(killed > 0 && killed_inside * 2 >= killed);
}

static void run_storm(plait_priority_queue_opts opts, int ms)
{
    const char *given = getenv("PLAIT_SEED");

    seed = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : (uint32_t)getpid();
    printf("    PLAIT_SEED=%u\n", seed);
    storm = share(sizeof *storm);
    queue = create(opts);
    rage(plait_after_ms(ms));
    account();
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
