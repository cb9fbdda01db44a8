/* A queue in a segment into which somebody writes what he should not.
 * SPDX-License-Identifier: MIT
 *
 * Whatever stands there: each call ends in time with a code that it may give, and nobody reads or
 * writes outside of the queue. It lies between two blocks that are looked at afterwards; what a call
 * says to be an item is touched, and lies in the queue.
 */
#include "queue_support.h"

#include "family/member.h"

#include <signal.h>
#include <sys/wait.h>

enum {
    GUARD = 4096,    /* bytes before and behind */
    MOST = 2000,     /* bytes of an item, more than fit */
    LATE_MS = 20000, /* only a guard */
    FAMILIAR = 16    /* values that often mean something */
};

static char *block, *before, *behind;
static size_t block_bytes;
static plait_queue_opts opts;
static int64_t wait_ms; /* of each call */
static uint64_t seed;

static uint64_t random_word(void)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) ^ seed << 13;
}

static uint32_t random_below(uint32_t limit)
{
    return (uint32_t)(((random_word() >> 8) & 0xffffff) * limit >> 24);
}

static uint64_t *words(void)
{
    return (uint64_t *)(void *)block;
}

/* ---- the ground ---- */

static void *get_block(plait_segment *segment, const char *key, size_t bytes)
{
    void *made = NULL;

    CHECK_INT(plait_segment_get(segment, &made, key, bytes, PLAIT_FOREVER), 0);
    return made;
}

static void lay_out(plait_queue_opts with)
{
    plait_segment_opts segment_opts = { .only_new = true };
    plait_segment *segment = NULL;
    char name[64];

    opts = with;
    seed = 1;
    CHECK_INT(plait_queue_bytes(&opts, &block_bytes), 0);
    block_bytes = (block_bytes + 63) / 64 * 64;
    segment_opts.bytes = block_bytes + (size_t)2 * GUARD;
    snprintf(name, sizeof name, "hostile-%d", (int)getpid());
    CHECK_INT(plait_segment_open(&segment, name, &segment_opts, PLAIT_FOREVER), 0);
    before = get_block(segment, "before", GUARD);
    block = get_block(segment, "queue", block_bytes);
    behind = get_block(segment, "behind", GUARD);
    memset(before, 0x5a, GUARD);
    memset(behind, 0x5a, GUARD);
    CHECK_INT(plait_queue_attach(&queue, block, block_bytes, &opts), 0);
}

static void check_guards(void)
{
    static char whole[GUARD];

    memset(whole, 0x5a, GUARD);
    CHECK(memcmp(before, whole, GUARD) == 0 && memcmp(behind, whole, GUARD) == 0);
}

static bool is_within(const char *at, size_t n, const char *from, size_t bytes)
{
    return at >= from && (size_t)(at - from) <= bytes && n <= bytes - (size_t)(at - from);
}

/* Lies in the ring of a lane, in an entry or in the hall, and can be read. */
static void check_place(const void *at, size_t n)
{
    const volatile char *bytes = at;
    bool is_found = false;

    for (uint32_t i = 0; i < queue->ring.n_lanes; i++) {
        const struct plait__ring *ring = plait__ring_lane(&queue->ring, i);
        const char *data = ring->shared->data, *end = (char *)ring->shared + ring->lane_bytes;
        size_t in_ring = ((size_t)ring->mask + 1) * 16;
        is_found |= is_within(at, n, data, in_ring) ||
                    is_within(at, n, data + in_ring, (size_t)(end - data) - in_ring);
    }
    CHECK(is_found);
    for (size_t i = 0; i < n; i++)
        (void)bytes[i];
}

/* ---- calls ---- */

static uint64_t n_calls, n_bad; /* and how many said that it is broken */

/* A call has ended with this; -errno that it may give, besides what all may. */
static ssize_t check_code(ssize_t rc, int also)
{
    n_calls++;
    n_bad += rc == -EBADMSG;
    if (rc < 0 && rc != -ETIMEDOUT && rc != -EPIPE && rc != -EMSGSIZE && rc != -EBUSY &&
        rc != -EBADMSG && rc != also)
        test_fail(__FILE__, __LINE__, "a call said %d", (int)rc);
    return rc;
}

static plait_deadline soon(void)
{
    return wait_ms == 0 ? PLAIT_NOWAIT : plait_after_ms(wait_ms);
}

static char bytes_of_us[MOST];

static void put_alone(void)
{
    check_code(plait_queue_put(queue, bytes_of_us, random_below(64), soon()), 0);
    check_code(plait_queue_put(queue, bytes_of_us, random_below(MOST), soon()), 0);
    check_code(plait_queue_put_lane(queue, (unsigned)(opts.lanes > 1), "lane", 4, soon()), 0);
}

static void put_together(void)
{
    const plait_bytes items[3] = { { bytes_of_us, 10 }, { bytes_of_us, 0 }, { bytes_of_us, 300 } };

    check_code(plait_queue_put_many(queue, items, 3, soon()), 0);
}

static void reserve_one(void)
{
    size_t n = random_below(400);
    void *place = NULL;

    if (check_code(plait_queue_reserve(queue, &place, n, soon()), 0) < 0)
        return;
    check_place(place, n);
    memset(place, 'r', n);
    if (random_below(2) == 0)
        check_code(plait_queue_commit(queue, place, n), -EINVAL);
    else
        check_code(plait_queue_abort(queue, place), -EINVAL);
}

static void get_one(void)
{
    char buf[MOST];
    ssize_t n = check_code(plait_queue_get(queue, buf, sizeof buf, soon()), 0);

    CHECK(n <= (ssize_t)sizeof buf);
    CHECK(check_code(plait_queue_peek(queue, buf, 100, soon()), 0) <= (ssize_t)block_bytes);
}

static void get_in_memory(void)
{
    void *item = NULL;
    ssize_t n = check_code(plait_queue_get_alloc(queue, &item, soon()), 0);

    CHECK(n <= (ssize_t)block_bytes);
    free(item);
}

static void get_together(void)
{
    char buf[MOST];
    plait_bytes items[4];
    plait_queue_batch batch = { buf, sizeof buf, items, 4 };
    ssize_t n = check_code(plait_queue_get_many(queue, &batch, soon()), 0);

    for (ssize_t i = 0; i < n; i++)
        CHECK((const char *)items[i].bytes >= buf &&
              (const char *)items[i].bytes + items[i].size <= buf + sizeof buf);
}

static void borrow_one(void)
{
    const void *place = NULL;
    ssize_t n = check_code(plait_queue_borrow(queue, &place, soon()), 0);

    if (n < 0)
        return;
    check_place(place, (size_t)n);
    check_code(plait_queue_release(queue, place), -EINVAL);
}

static void lease_one(void)
{
    plait_lease lease;

    if (check_code(plait_queue_lease(queue, &lease, soon()), 0) < 0)
        return;
    check_place(lease.bytes, lease.size);
    if (random_below(2) == 0)
        check_code(plait_queue_ack(&lease), -EINVAL);
    else
        check_code(plait_queue_nack(&lease), -EINVAL);
}

static void look_at_it(void)
{
    plait_waitable on[2];

    CHECK_INT(plait_queue_on_get(&on[0], queue), 0);
    CHECK_INT(plait_queue_on_put(&on[1], queue, 100), 0);
    check_code(plait_select(&on[0], 1, soon()), 0);
    check_code(plait_select(on, 2, soon()), 0);
    (void)plait_queue_size(queue);
    (void)plait_queue_is_full(queue);
}

static void finish_one(void)
{
    check_code(plait_queue_task_done(queue), -EINVAL);
    check_code(plait_queue_join(queue, soon()), 0);
}

static void attach_again(void)
{
    plait_queue *other = NULL;

    if (check_code(plait_queue_attach(&other, block, block_bytes, &opts), -ERANGE) == 0)
        plait_queue_destroy(other);
}

static void (*const calls[])(void) = { get_one,       put_alone,    lease_one,    reserve_one,
                                       borrow_one,    get_together, put_together, look_at_it,
                                       get_in_memory, finish_one,   attach_again };

enum {
    CALLS = sizeof calls / sizeof *calls
};

/* All of them, beginning with any. */
static void use_it(void)
{
    uint32_t first = random_below(CALLS);

    for (uint32_t i = 0; i < CALLS; i++)
        calls[(first + i) % CALLS]();
}

/* ---- one word after the other ---- */

/* What we hold in the scene that is spoilt. */
static struct {
    const void *borrowed;
    void *reserved;
    plait_lease leases[2];
} held;

static char *scene;

/* Something of everything. */
static void set_scene(void)
{
    plait_lease back;

    for (size_t i = 0; i < 5; i++)
        CHECK_INT(plait_queue_put(queue, bytes_of_us, i % 2 == 0 ? 20 : 250, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_lease(queue, &held.leases[0], PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_lease(queue, &held.leases[1], PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_borrow(queue, &held.borrowed, PLAIT_NOWAIT), 20);
    CHECK_INT(plait_queue_lease(queue, &back, PLAIT_NOWAIT), 0);
    for (size_t i = 0; i < 4; i++)
        CHECK_INT(plait_queue_put(queue, bytes_of_us, 30 * i, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_reserve(queue, &held.reserved, 30, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_put(queue, bytes_of_us, 40, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_nack(&back), 0);
    scene = malloc(block_bytes);
    CHECK(scene != NULL);
    memcpy(scene, block, block_bytes);
}

static void end_what_we_hold(void)
{
    check_code(plait_queue_release(queue, held.borrowed), -EINVAL);
    check_code(plait_queue_commit(queue, held.reserved, 30), -EINVAL);
    check_code(plait_queue_ack(&held.leases[0]), -EINVAL);
    check_code(plait_queue_nack(&held.leases[1]), -EINVAL);
}

/* The scene with this word in it. */
static void try_word(size_t at, uint64_t word)
{
    memcpy(block, scene, block_bytes);
    words()[at] = word;
    if (random_below(2) == 0)
        end_what_we_hold();
    use_it();
    check_guards();
}

/* Only the first lane has something; of the other, every eighth word. */
static void try_words(uint64_t n_bits)
{
    size_t step = 1;

    for (size_t at = 0; at < block_bytes / 8; at += step) {
        uint64_t word;
        step = at < block_bytes / 8 / (opts.lanes > 1 ? 2 : 1) ? 1 : 8;
        memcpy(&word, scene + at * 8, sizeof word);
        try_word(at, 0);
        try_word(at, UINT64_MAX);
        try_word(at, random_word());
        try_word(at, (word & ~(uint64_t)UINT32_MAX) | (uint32_t)random_word());
        try_word(at, word + UINT64_C(0x0000000100000001));
        try_word(at, word - 1);
        for (uint64_t i = 0; i < n_bits; i++)
            try_word(at, word ^ UINT64_C(1) << (n_bits == 64 ? i : random_below(64)));
    }
}

static void report(void)
{
    printf("    %llu calls, %llu said that it is broken\n", (unsigned long long)n_calls,
           (unsigned long long)n_bad);
}

TEST_LIMIT(a_word_that_makes_no_sense_does_no_harm, 120)
{
    lay_out((plait_queue_opts){ .max_bytes = 1024, .max_leases = 4, .lanes = 2 });
    set_scene();
    try_words(8);
    report();
    CHECK(n_bad > 0);
}

TEST_LIMIT(nor_where_one_puts_and_one_gets, 120)
{
    lay_out((plait_queue_opts){
        .max_bytes = 1024, .max_leases = 4, .single_producer = true, .single_consumer = true });
    set_scene();
    try_words(4);
    report();
    CHECK(n_bad > 0);
}

/* Nothing is got, or put, until it is as it was. */
static void check_said(uint64_t *word, uint64_t wrong, bool in_the_way_of_put)
{
    uint64_t right = *word;
    const void *place = NULL;
    plait_lease lease;
    plait_bytes item;
    plait_queue_batch batch = { bytes_of_us, MOST, &item, 1 };
    void *copy = NULL;

    *word = wrong;
    if (in_the_way_of_put) {
        CHECK_INT(plait_queue_put(queue, "x", 1, PLAIT_FOREVER), -EBADMSG);
        CHECK_INT(plait_queue_reserve(queue, &copy, 1, PLAIT_FOREVER), -EBADMSG);
    } else {
        CHECK_INT(plait_queue_get(queue, bytes_of_us, MOST, PLAIT_FOREVER), -EBADMSG);
        CHECK_INT(plait_queue_peek(queue, NULL, 0, PLAIT_FOREVER), -EBADMSG);
        CHECK_INT(plait_queue_get_alloc(queue, &copy, PLAIT_FOREVER), -EBADMSG);
        CHECK_INT(plait_queue_get_many(queue, &batch, PLAIT_FOREVER), -EBADMSG);
        CHECK_INT(plait_queue_borrow(queue, &place, PLAIT_FOREVER), -EBADMSG);
        CHECK_INT(plait_queue_lease(queue, &lease, PLAIT_FOREVER), -EBADMSG);
    }
    CHECK(copy == NULL && place == NULL);
    *word = right;
}

TEST(what_cannot_be_is_said_to_be_broken)
{
    struct plait__ring_shared *shared;
    uint64_t *record, *entry;
    plait_lease lease;

    lay_out((plait_queue_opts){ .max_bytes = 1024, .max_leases = 4 });
    shared = queue->ring.shared;
    record = (uint64_t *)(void *)shared->data;
    entry = record + 1024 / 8;
    CHECK_INT(plait_queue_put(queue, "whole", 5, PLAIT_NOWAIT), 0);
    /* no state · too large a size · in a parcel · no granules · beyond the end */
    check_said(&record[0], record[0] & ~UINT64_C(7), false);
    check_said(&record[0], record[0] | UINT64_C(1) << 50, false);
    check_said(&record[0], record[0] | 8, false);
    check_said(&record[1], 0, false);
    check_said(&record[1], 65, false);
    shared->free_seen = 1000; /* more is in it than it has */
    check_said(&shared->free, 1000, true);
    CHECK_INT(plait_queue_lease(queue, &lease, PLAIT_NOWAIT), 0);
    CHECK_MEM(lease.bytes, lease.size, "whole", 5);
    CHECK_INT(plait_queue_nack(&lease), 0);
    check_said(&entry[5], 2000, false); /* in the hall, and larger than that */
    check_next("whole");
    check_empty();
    check_guards();
    plait_queue_destroy(queue);
}

/* What stands somewhere else in it, a small number, or anything. */
static uint64_t odd_word(void)
{
    switch (random_below(4)) {
    case 0:
        return words()[random_below((uint32_t)(block_bytes / 8))];
    case 1:
        return random_below(FAMILIAR) << random_below(2) * 31;
    case 2:
        return words()[random_below((uint32_t)(block_bytes / 8))] ^ UINT64_C(1) << random_below(64);
    default:
        return random_word();
    }
}

/* Every second one where marks, locks, bells and the first records are. */
static void spoil(uint32_t n)
{
    while (n-- > 0) {
        uint64_t *at = &words()[random_below(n % 2 == 0 ? 200 : (uint32_t)(block_bytes / 8))];
        __atomic_store_n(at, odd_word(), __ATOMIC_RELAXED);
    }
}

TEST_LIMIT(nor_do_many_words, 120)
{
    lay_out((plait_queue_opts){ .max_bytes = 1024, .max_leases = 4, .lanes = 2 });
    set_scene();
    for (int i = 0; i < 3000; i++) {
        memcpy(block, scene, block_bytes);
        spoil(1 + random_below(30));
        end_what_we_hold();
        use_it();
        check_guards();
    }
    report();
    CHECK(n_bad > 0);
}

/* ---- bells that never stop ---- */

static void ring_for_ever(void)
{
    struct plait__ring_shared *shared = queue->ring.shared;

    for (;;) {
        __atomic_fetch_add(&shared->get_bell, 0x10000, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&shared->put_bell, 0x10000, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&shared->join_bell, 0x10000, __ATOMIC_SEQ_CST);
    }
}

static void wait_in_all_ways(void)
{
    char buf[8];
    plait_waitable on;

    CHECK_INT(plait_queue_get(queue, buf, sizeof buf, plait_after_ms(30)), -ETIMEDOUT);
    CHECK_INT(plait_queue_on_get(&on, queue), 0);
    CHECK_INT(plait_select(&on, 1, plait_after_ms(30)), -ETIMEDOUT);
    CHECK_INT(plait_queue_put(queue, "a", 1, plait_after_ms(30)), 0);
    CHECK_INT(plait_queue_put(queue, "b", 1, plait_after_ms(30)), -ETIMEDOUT);
    CHECK_INT(plait_queue_on_put(&on, queue, 1), 0);
    CHECK_INT(plait_select(&on, 1, plait_after_ms(30)), -ETIMEDOUT);
    CHECK_INT(plait_queue_join(queue, plait_after_ms(30)), -ETIMEDOUT);
    CHECK_INT(plait_queue_get(queue, buf, sizeof buf, plait_after_ms(30)), 1);
}

TEST_LIMIT(who_waits_is_told_in_time_however_often_it_is_woken, 30)
{
    pid_t pid;

    lay_out((plait_queue_opts){ .max_bytes = 1024, .max_items = 1 });
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        ring_for_ever();
    for (int i = 0; i < 3; i++)
        wait_in_all_ways();
    CHECK_INT(kill(pid, SIGKILL), 0);
    CHECK_INT(test_waitpid(pid, NULL, 0), pid);
}

/* ---- a storm ---- */

enum {
    USERS = 3,
    SPOILERS = 2
};

static struct {
    uint32_t is_over;        /* atomic */
    uint64_t n_calls, n_bad; /* atomic */
} * results;

static void use_until_it_is_over(uint32_t number)
{
    seed += number;
    while (!__atomic_load_n(&results->is_over, __ATOMIC_SEQ_CST)) {
        plait_deadline late = plait_after_ms(LATE_MS);
        calls[random_below(CALLS)]();
        CHECK(plait_left_ns(late) > 0);
    }
    __atomic_fetch_add(&results->n_calls, n_calls, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&results->n_bad, n_bad, __ATOMIC_SEQ_CST);
    _exit(0);
}

/* Now and then it is a queue again for a while, so that there is something to spoil. */
static void spoil_until_it_is_over(uint32_t number)
{
    seed += number;
    while (!__atomic_load_n(&results->is_over, __ATOMIC_SEQ_CST)) {
        if (random_below(4) == 0) {
            memcpy(block, scene, block_bytes);
            usleep(random_below(2000));
        }
        spoil(random_below(8) == 0 ? 2000 : 1 + random_below(3));
        if (random_below(100) == 0) /* somebody who lives has it, and does not give it back */
            __atomic_store_n(&queue->ring.shared->get_lock, plait__member_self(), __ATOMIC_SEQ_CST);
        usleep(random_below(300));
    }
    _exit(0);
}

static pid_t start(void (*run)(uint32_t number), uint32_t number)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_INT(plait__member_join(), 0);
        run(number);
    }
    return pid;
}

static void run_storm(plait_queue_opts with)
{
    const char *given = getenv("PLAIT_HOSTILE_MS");
    pid_t pids[USERS + SPOILERS];
    int status;

    lay_out(with);
    scene = malloc(block_bytes);
    CHECK(scene != NULL);
    memcpy(scene, block, block_bytes);
    results = share(sizeof *results);
    seed = (uint64_t)getpid();
    wait_ms = 5;
    for (uint32_t i = 0; i < USERS + SPOILERS; i++)
        pids[i] = start(i < USERS ? use_until_it_is_over : spoil_until_it_is_over, i + 1);
    plait_sleep(plait_after_ms(given != NULL ? atoi(given) : 2000));
    __atomic_store_n(&results->is_over, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < USERS + SPOILERS; i++) {
        CHECK_INT(test_waitpid(pids[i], &status, 0), pids[i]);
        CHECK_INT(status, 0);
    }
    n_calls = results->n_calls;
    n_bad = results->n_bad;
    report();
    check_guards();
}

TEST_LIMIT(a_storm_of_words_does_no_harm, 60)
{
    run_storm((plait_queue_opts){ .max_bytes = 1024, .max_leases = 4, .lanes = 2 });
}

TEST_LIMIT(nor_in_a_large_one, 60)
{
    run_storm((plait_queue_opts){ .max_leases = 4096 });
}
