/* A storm: the processes at both ends of a queue are killed and stopped at random, and each item is
 * accounted for.
 * SPDX-License-Identifier: MIT
 *
 * The oracle. A producer writes down after each call up to which number it has put; so of what it was
 * about to put when it was killed nothing is known, and all before that must come. A consumer gets into memory that outlives it, and then counts the item. So an item
 * that was not counted must lie, whole, in the memory of a consumer that was killed. What it leases
 * it leaves in its place, writes down that it is about to end the lease, and counts after that: an
 * item that was not counted must have been written down.
 */
#include "queue_support.h"

#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <time.h>

enum {
    SIDES = 3,      /* processes on each side */
    LIVES = 20000,  /* that begin on one side, at most */
    EACH = 1 << 22, /* items of all producers together */
    HAND = 4096,    /* bytes of a consumer's memory */
    MANY = 4,
};

/* A process. */
struct life {
    uint32_t is_inside;  /* a call */
    uint32_t from, done; /* producer: its items' first number, and behind the last */
    uint32_t ending;     /* consumer: 1 + the number of the item whose lease it ends */
};

static struct storm {
    uint32_t is_over;
    uint32_t next_number; /* atomic: of the items, in blocks */
    struct life lives[2][LIVES];
    unsigned char seen[EACH]; /* atomic: how often each was counted */
    _Alignas(16) unsigned char hands[LIVES][HAND];
} * storm;

static uint32_t seed;
static uint32_t n_lanes = 1;

static uint32_t random_below(uint32_t limit)
{
    seed = seed * 1664525U + 1013904223U;
    return (uint32_t)((uint64_t)seed * limit >> 32);
}

static void nap(uint32_t most_us)
{
    struct timespec time = { .tv_nsec = (long)random_below(most_us) * 1000 };

    nanosleep(&time, NULL);
}

/* ---- the processes ---- */

enum {
    BLOCK = 256 /* numbers that a producer takes at once */
};

static int put_some(struct life *life, uint32_t number)
{
    static unsigned char bytes[MANY][ITEM_MOST];
    plait_bytes items[MANY];
    void *place = NULL;
    uint32_t n = number % 16 == 0 ? MANY : 1;

    for (uint32_t i = 0; i < n; i++)
        items[i] = (plait_bytes){ bytes[i], make_item(bytes[i], 0, number + i) };
    if (number % 7 == 3) {
        CHECK_INT(plait_queue_reserve(queue, &place, 100, PLAIT_FOREVER), 0);
        if (number % 3 == 0)
            CHECK_INT(plait_queue_abort(queue, place), 0);
        else
            CHECK_INT(plait_queue_commit(queue, place, 0), 0);
    }
    if (n > 1) {
        CHECK_INT(plait_queue_put_many(queue, items, n, PLAIT_FOREVER), n);
    } else if (number % 5 == 1) {
        CHECK_INT(plait_queue_reserve(queue, &place, items[0].size + 5, PLAIT_FOREVER), 0);
        memcpy(place, bytes[0], items[0].size);
        CHECK_INT(plait_queue_commit(queue, place, items[0].size), 0);
    } else {
        CHECK_INT(
            plait_queue_put_lane(queue, number % n_lanes, bytes[0], items[0].size, PLAIT_FOREVER),
            0);
    }
    __atomic_store_n(&life->done, number + n, __ATOMIC_SEQ_CST);
    return (int)n;
}

static void produce(struct life *life)
{
    uint32_t number = __atomic_fetch_add(&storm->next_number, BLOCK, __ATOMIC_SEQ_CST);

    while (number > EACH - BLOCK && !__atomic_load_n(&storm->is_over, __ATOMIC_SEQ_CST))
        nap(1000); /* a fast machine: all are put */
    __atomic_store_n(&life->from, number, __ATOMIC_SEQ_CST);
    __atomic_store_n(&life->done, number, __ATOMIC_SEQ_CST); /* the last one: it has begun */
    life->is_inside = 1;
    while (!__atomic_load_n(&storm->is_over, __ATOMIC_SEQ_CST) &&
           number + MANY <= life->from + BLOCK)
        number += (uint32_t)put_some(life, number);
    life->is_inside = 0;
}

static void count(unsigned char *bytes, size_t n)
{
    if (n == 0) /* what was committed for the sake of it */
        return;
    struct item item = check_item(bytes, n);
    CHECK(item.number < EACH);
    CHECK_INT(__atomic_fetch_add(&storm->seen[item.number], 1, __ATOMIC_SEQ_CST), 0);
}

/* Gives some back. What came a second time is worth a look: it had been leased, or given back. */
static ssize_t lease_one(struct life *life, uint32_t round)
{
    static unsigned char bytes[ITEM_MOST];
    plait_lease lease;
    int rc = plait_queue_lease(queue, &lease, PLAIT_FOREVER);
    size_t n;

    if (rc < 0)
        return rc;
    CHECK(lease.size <= sizeof bytes);
    n = lease.size;
    memcpy(bytes, lease.bytes, n);
    if (round % 3 == 0 && lease.attempts < 3)
        return plait_queue_nack(&lease);
    if (n > 0)
        __atomic_store_n(&life->ending, 1 + check_item(bytes, n).number, __ATOMIC_SEQ_CST);
    CHECK_INT(plait_queue_ack(&lease), 0);
    count(bytes, n);
    __atomic_store_n(&life->ending, 0, __ATOMIC_SEQ_CST);
    return 0;
}

/* 0, or -EPIPE. */
static ssize_t get_some(struct life *life, unsigned char *hand, uint32_t round)
{
    plait_bytes items[MANY];
    plait_queue_batch batch = { hand, HAND, items, MANY };
    const void *place = NULL;
    ssize_t n;

    if (round % 5 >= 3)
        return lease_one(life, round / 5);
    if (round % 5 == 2) {
        n = plait_queue_get_many(queue, &batch, PLAIT_FOREVER);
        for (ssize_t i = 0; i < n; i++)
            count((unsigned char *)(uintptr_t)items[i].bytes, items[i].size);
        return n;
    }
    if (round % 5 == 1) {
        n = plait_queue_borrow(queue, &place, PLAIT_FOREVER);
        if (n < 0)
            return n;
        memcpy(hand, place, (size_t)n);
        CHECK_INT(plait_queue_release(queue, place), 0);
    } else {
        n = plait_queue_get(queue, hand, HAND, PLAIT_FOREVER);
    }
    if (n >= 0)
        count(hand, (size_t)n);
    return n;
}

static void consume(struct life *life, unsigned char *hand)
{
    ssize_t rc = 0;

    life->is_inside = 1;
    for (uint32_t i = 0; rc >= 0; i++)
        rc = get_some(life, hand, i);
    CHECK_INT(rc, -EPIPE);
    life->is_inside = 0;
}

/* ---- the killing ---- */

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

/* Whoever ended by itself is replaced. */
static void replace_ended(void)
{
    for (struct place *place = places; place < places + 2 * SIDES; place++) {
        int status;
        if (place->pid > 0 && test_waitpid(place->pid, &status, WNOHANG) == place->pid) {
            CHECK_INT(status, 0);
            begin(place);
        }
    }
}

static void kill_one(struct place *place)
{
    int status;

    CHECK_INT(kill(place->pid, SIGKILL), 0);
    CHECK_INT(test_waitpid(place->pid, &status, 0), place->pid);
    if (WIFEXITED(status)) {
        CHECK_INT(status, 0);
    } else {
        killed++;
        killed_inside += storm->lives[place->is_consumer][place->life].is_inside;
    }
    begin(place);
}

static uint32_t numbers_counted(void)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < EACH; i++)
        n += __atomic_load_n(&storm->seen[i], __ATOMIC_RELAXED);
    return n;
}

static void rage(unsigned sides[2], plait_deadline until)
{
    unsigned n = 0;

    for (unsigned side = 0; side < 2; side++)
        for (unsigned i = 0; i < sides[side]; i++) {
            places[n].is_consumer = side == 1;
            begin(&places[n++]);
        }
    while (plait_left_ns(until) > 0) {
        struct place *place = &places[random_below(n)];
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
    for (struct place *place = places; place < places + n; place++)
        if (!place->is_consumer)
            CHECK_INT(test_waitpid(place->pid, NULL, 0), place->pid);
    CHECK_INT(plait_queue_close(queue), 0);
    for (struct place *place = places; place < places + n; place++)
        if (place->is_consumer)
            CHECK_INT(test_waitpid(place->pid, NULL, 0), place->pid);
}

/* ---- the oracle ---- */

/* Marks what lies whole in this memory. */
static void look_into(unsigned char *hand, unsigned char *in_hand)
{
    for (size_t at = 0; at + sizeof(struct item) <= HAND; at += 16) {
        struct item item;
        memcpy(&item, hand + at, sizeof item);
        if (item.producer == 0 && item.number < EACH && item.size >= sizeof item &&
            item.size <= ITEM_MOST && item.size <= HAND - at &&
            fill(hand + at, &item, true) == item.sum)
            in_hand[item.number] = 1;
    }
}

static void account(void)
{
    static unsigned char in_hand[EACH];
    uint32_t lost = 0, put = 0;

    for (uint32_t i = 0; i < begun[1]; i++) {
        look_into(storm->hands[i], in_hand);
        if (storm->lives[1][i].ending != 0)
            in_hand[storm->lives[1][i].ending - 1] = 1;
    }
    for (uint32_t i = 0; i < begun[0]; i++) {
        const struct life *life = &storm->lives[0][i];
        put += life->done > life->from ? life->done - life->from : 0;
        for (uint32_t number = life->from; number < life->done; number++)
            if (storm->seen[number] == 0) {
                if (!in_hand[number])
                    test_fail(__FILE__, __LINE__, "item %u of life %u is gone", number, i);
                lost++;
            }
    }
    printf("    %u killed, %u inside, %u lives; %u items put, %u counted, %u died with their "
           "getter\n",
           killed, killed_inside, begun[0] + begun[1], put, numbers_counted(), lost);
    CHECK(lost <= killed * MANY);
    CHECK(killed > 0 && killed_inside * 2 >= killed);
}

static uint64_t count_blocks(void)
{
    plait_shared_usage usage;

    CHECK_INT(plait_shared_stats(&usage), 0);
    return usage.blocks;
}

static void run_storm(plait_queue_opts opts, unsigned producers, unsigned consumers, int ms)
{
    unsigned sides[2] = { producers, consumers };
    uint64_t blocks;
    const char *given = getenv("PLAIT_SEED");

    seed = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : (uint32_t)getpid();
    printf("    PLAIT_SEED=%u\n", seed);
    storm = share(sizeof *storm);
    queue = create(opts);
    n_lanes = opts.lanes == 0 ? 1 : (uint32_t)opts.lanes;
    blocks = count_blocks();
    rage(sides, plait_after_ms(ms));
    account();
    CHECK_INT(plait_queue_size(queue), 0);
    plait_queue_destroy(queue);
    CHECK_INT(count_blocks(), in_segment ? blocks : blocks - 1);
}

CLAIM_LIMIT(a_storm_loses_and_doubles_nothing, 60)
{
    run_storm((plait_queue_opts){ .max_bytes = 16384 }, SIDES, SIDES, 3000);
}

CLAIM_LIMIT(nor_when_few_items_fit, 60)
{
    run_storm((plait_queue_opts){ .max_items = 6 }, SIDES, SIDES, 2000);
}

TEST_LIMIT(nor_when_many_items_are_larger_than_the_ring, 60)
{
    run_storm((plait_queue_opts){ .max_bytes = 512 }, SIDES, SIDES, 2000);
}

CLAIM_LIMIT(nor_with_a_single_producer_and_a_single_consumer, 60)
{
    run_storm(
        (plait_queue_opts){ .max_bytes = 16384, .single_producer = true, .single_consumer = true },
        1, 1, 2000);
}

CLAIM_LIMIT(nor_with_lanes, 60)
{
    run_storm((plait_queue_opts){ .max_items = 20, .lanes = 3 }, SIDES, SIDES, 3000);
}
