/* Queues in a named segment: between programs that are no relatives, and what is said of attaching.
 * SPDX-License-Identifier: MIT
 */
#include "queue_support.h"
#include "strangers.h"

#include <sys/mman.h>

enum {
    EACH = 4000,   /* items of a producer */
    PRODUCERS = 2, /* of whom each has a number */
    CONSUMERS = 2,
    ALL = PRODUCERS * EACH,
    MANY_ITEMS = 1 << 21 /* of the storm */
};

/* What all of them see. */
struct board {
    uint32_t next;                  /* atomic: a number for each stranger, or item */
    uint32_t is_over;               /* atomic */
    uint64_t places[8];             /* where strangers have it */
    uint32_t n_put;                 /* atomic: items */
    uint32_t n_worked;              /* atomic */
    unsigned char seen[MANY_ITEMS]; /* atomic: how often each was got */
};

static const plait_queue_opts opts = { .max_bytes = 16384, .max_leases = 8 };
static struct board *board;

static void *block_of(plait_segment *segment, const char *key, size_t bytes)
{
    void *block = NULL;

    CHECK_INT(plait_segment_get(segment, &block, key, bytes, PLAIT_FOREVER), 0);
    return block;
}

/* The queue and the board, wherever they are made. */
static void meet(const char *name)
{
    plait_segment_opts segment_opts = { .bytes = 4 << 20 };
    plait_segment *segment = NULL;
    size_t bytes = 0;

    CHECK_INT(plait_segment_open(&segment, name, &segment_opts, plait_after_ms(60000)), 0);
    CHECK_INT(plait_queue_bytes(&opts, &bytes), 0);
    board = block_of(segment, "board", sizeof *board);
    CHECK_INT(plait_queue_attach(&queue, block_of(segment, "queue", bytes), bytes, &opts), 0);
}

/* Each has the segment somewhere else, also where addresses are not random. */
static uint32_t meet_elsewhere(const char *name)
{
    uint32_t number;

    CHECK(mmap(NULL, (size_t)(getpid() % 1000 + 1) << 16, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
               -1, 0) != MAP_FAILED);
    meet(name);
    number = __atomic_fetch_add(&board->next, 1, __ATOMIC_SEQ_CST);
    board->places[number % 8] = (uint64_t)(uintptr_t)board;
    return number;
}

static void put_number(uint32_t number)
{
    unsigned char bytes[ITEM_MOST];
    size_t n = make_item(bytes, 0, number);
    void *place = NULL;

    if (number % 3 == 0) {
        CHECK_INT(plait_queue_reserve(queue, &place, n, PLAIT_FOREVER), 0);
        memcpy(place, bytes, n);
        CHECK_INT(plait_queue_commit(queue, place, n), 0);
    } else {
        CHECK_INT(plait_queue_put(queue, bytes, n, PLAIT_FOREVER), 0);
    }
}

static void see(unsigned char *bytes, size_t n)
{
    struct item item = check_item(bytes, n);

    CHECK(item.number < MANY_ITEMS);
    __atomic_fetch_add(&board->seen[item.number], 1, __ATOMIC_SEQ_CST);
}

/* 0, -EPIPE. */
static ssize_t get_number(uint32_t round)
{
    unsigned char bytes[ITEM_MOST];
    const void *place = NULL;
    plait_lease lease;
    ssize_t n;

    if (round % 3 == 0) {
        n = plait_queue_lease(queue, &lease, PLAIT_FOREVER);
        place = lease.bytes;
        if (n == 0)
            n = (ssize_t)lease.size;
    } else if (round % 3 == 1) {
        n = plait_queue_borrow(queue, &place, PLAIT_FOREVER);
    } else {
        n = plait_queue_get(queue, bytes, sizeof bytes, PLAIT_FOREVER);
    }
    if (n < 0)
        return n;
    CHECK((size_t)n <= sizeof bytes);
    if (place != NULL)
        memcpy(bytes, place, (size_t)n);
    see(bytes, (size_t)n);
    if (place != NULL)
        CHECK_INT(round % 3 == 0 ? plait_queue_ack(&lease) : plait_queue_release(queue, place), 0);
    return 0;
}

PART(no_stage_put)
{
    uint32_t first = meet_elsewhere(segment_name) * EACH;

    for (uint32_t i = 0; i < EACH; i++)
        put_number(first + i);
    plait_queue_destroy(queue);
}

PART(no_stage_get)
{
    ssize_t rc = 0;

    meet(segment_name);
    for (uint32_t i = 0; rc == 0; i++)
        rc = get_number(i);
    CHECK_INT(rc, -EPIPE);
    plait_queue_destroy(queue);
}

BOTH(strangers_put_and_get_at_different_addresses)
{
    pid_t producers[PRODUCERS], consumers[CONSUMERS];
    bool differ = false;

    meet(name);
    for (int i = 0; i < CONSUMERS; i++)
        consumers[i] = start_stranger("no_stage_get", name);
    for (int i = 0; i < PRODUCERS; i++)
        producers[i] = start_stranger("no_stage_put", name);
    for (int i = 0; i < PRODUCERS; i++)
        see_end(producers[i]);
    CHECK_INT(plait_queue_close(queue), 0);
    for (int i = 0; i < CONSUMERS; i++)
        see_end(consumers[i]);
    for (uint32_t i = 0; i < ALL; i++)
        CHECK_INT(board->seen[i], 1);
    for (int i = 0; i < PRODUCERS; i++)
        differ |= board->places[i] != (uint64_t)(uintptr_t)board;
    CHECK(differ);
    plait_queue_destroy(queue);
}

/* ---- strangers that are killed ---- */

PART(no_stage_put_for_ever)
{
    meet_elsewhere(segment_name);
    while (!__atomic_load_n(&board->is_over, __ATOMIC_SEQ_CST)) {
        uint32_t number = __atomic_fetch_add(&board->n_put, 1, __ATOMIC_SEQ_CST);
        if (number >= MANY_ITEMS)
            break;
        put_number(number);
        /* from now on it must come */
        __atomic_fetch_or(&board->seen[number], 128, __ATOMIC_SEQ_CST);
    }
}

/* Sees an item before it acks: it may see it twice, but never not at all. */
PART(no_stage_work_for_ever)
{
    plait_lease lease;
    int rc;

    meet_elsewhere(segment_name);
    while ((rc = plait_queue_lease(queue, &lease, PLAIT_FOREVER)) == 0) {
        unsigned char bytes[ITEM_MOST];
        CHECK(lease.size <= sizeof bytes);
        memcpy(bytes, lease.bytes, lease.size);
        see(bytes, lease.size);
        CHECK_INT(plait_queue_ack(&lease), 0);
        __atomic_fetch_add(&board->n_worked, 1, __ATOMIC_SEQ_CST);
    }
    CHECK_INT(rc, -EPIPE);
}

static void kill_and_replace(pid_t *pid, const char *part, const char *name)
{
    int status;

    kill(*pid, SIGKILL);
    CHECK_INT(test_waitpid(*pid, &status, 0), *pid);
    CHECK(WIFSIGNALED(status) || status == 0);
    *pid = start_stranger(part, name);
}

static void account(uint32_t killed)
{
    uint32_t twice = 0, n = 0;

    for (uint32_t i = 0; i < MANY_ITEMS; i++) {
        uint32_t seen = board->seen[i] & 127;
        if (board->seen[i] & 128 && seen == 0)
            test_fail(__FILE__, __LINE__, "item %u is gone", i);
        twice += seen > 1 ? seen - 1 : 0;
        n += seen > 0;
    }
    printf("    %u killed, %u items, %u came again\n", killed, n, twice);
    CHECK(twice <= killed && n > 0);
}

BOTH_LIMIT(strangers_that_are_killed_lose_nothing_that_is_leased, 120)
{
    static const char *const parts[] = { "no_stage_put_for_ever", "no_stage_work_for_ever" };
    unsigned seed = (unsigned)getpid();
    plait_deadline until = plait_after_ms(3000);
    uint32_t killed = 0;
    pid_t pids[4];

    meet(name);
    for (int i = 0; i < 4; i++)
        pids[i] = start_stranger(parts[i % 2], name);
    while (plait_left_ns(until) > 0) {
        int i = rand_r(&seed) % 4;
        usleep(rand_r(&seed) % 40000);
        kill_and_replace(&pids[i], parts[i % 2], name);
        killed++;
    }
    __atomic_store_n(&board->is_over, 1, __ATOMIC_SEQ_CST);
    see_end(pids[0]);
    see_end(pids[2]);
    CHECK_INT(plait_queue_close(queue), 0);
    see_end(pids[1]);
    see_end(pids[3]);
    account(killed);
    CHECK_INT(plait_queue_size(queue), 0);
    plait_queue_destroy(queue);
}

/* ---- attaching ---- */

static size_t bytes_for(const plait_queue_opts *want)
{
    size_t bytes = 0;

    CHECK_INT(plait_queue_bytes(want, &bytes), 0);
    return bytes;
}

TEST(what_a_handle_has_put_stays_when_the_handle_is_given_back)
{
    plait_queue *other = NULL;
    size_t bytes = bytes_for(&opts);
    plait_segment *segment = open_segment(make_name(false));
    void *block = block_of(segment, "queue", bytes);

    CHECK_INT(plait_queue_attach(&queue, block, bytes, &opts), 0);
    CHECK_INT(plait_queue_attach(&other, block, bytes, &opts), 0);
    put_text("a");
    plait_queue_destroy(queue);
    queue = other;
    check_next("a");
    put_text("b");
    plait_queue_destroy(queue);
    CHECK_INT(plait_queue_attach(&queue, block, bytes, &opts), 0);
    check_next("b");
    check_empty();
    plait_queue_destroy(queue);
    CHECK_INT(plait_segment_close(segment), 0);
}

TEST(a_forked_child_has_a_handle_of_its_own)
{
    size_t bytes = bytes_for(&opts);
    plait_segment *segment = open_segment(make_name(false));
    pid_t pid;

    CHECK_INT(plait_queue_attach(&queue, block_of(segment, "queue", bytes), bytes, &opts), 0);
    put_text("a");
    pid = fork();
    if (pid == 0) {
        check_next("a");
        put_text("b");
        plait_queue_destroy(queue);
        CHECK_INT(plait_segment_close(segment), 0);
        _exit(0);
    }
    see_end(pid);
    check_next("b");
    plait_queue_destroy(queue);
}

TEST(all_say_the_same_options)
{
    const plait_queue_opts wrong[] = {
        { .max_bytes = 16384, .max_leases = 8, .max_items = 7 },
        { .max_bytes = 16384, .max_leases = 8, .max_item_bytes = 100 },
        { .max_bytes = 16384, .max_leases = 8, .single_producer = true },
        { .max_bytes = 16384, .max_leases = 8, .single_consumer = true },
        { .max_bytes = 16368, .max_leases = 8 },
        { .max_bytes = 16384, .max_leases = 7 },
    };
    size_t bytes = bytes_for(&opts);
    plait_segment *segment = open_segment(make_name(false));
    void *block = block_of(segment, "queue", bytes);
    plait_queue *none = NULL;

    CHECK_INT(plait_queue_attach(&queue, block, bytes, &opts), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_INT(plait_queue_attach(&none, block, bytes, &wrong[i]), -ERANGE);
    CHECK(none == NULL);
    put_text("a");
    check_next("a");
    plait_queue_destroy(queue);
}

TEST(mistakes_with_attaching_are_told)
{
    plait_queue_opts many = { .max_leases = 4097 }, large = { .max_item_bytes = 32753 };
    plait_queue_opts lanes = { .max_bytes = 16384, .max_leases = 8, .lanes = 2 };
    plait_queue *none = NULL;
    size_t bytes = bytes_for(&opts);
    plait_segment *segment = open_segment(make_name(false));
    char *block = block_of(segment, "queue", bytes), *heap = plait_shared_alloc(bytes);
    char *text = block_of(segment, "text", bytes);

    CHECK_INT(plait_queue_bytes(&opts, NULL), -EINVAL);
    CHECK_INT(plait_queue_bytes(&many, &bytes), -EINVAL);
    CHECK_INT(plait_queue_bytes(&large, &bytes), -EINVAL);
    CHECK_INT(plait_queue_attach(NULL, block, bytes, &opts), -EINVAL);
    CHECK_INT(plait_queue_attach(&none, NULL, bytes, &opts), -EINVAL);
    CHECK_INT(plait_queue_attach(&none, heap, bytes, &opts), -EINVAL);
    CHECK_INT(plait_queue_attach(&none, &bytes, bytes, &opts), -EINVAL);
    CHECK_INT(plait_queue_attach(&none, block + 32, bytes - 32, &opts), -EINVAL);
    CHECK_INT(plait_queue_attach(&none, segment, bytes, &opts), -EINVAL);
    CHECK_INT(plait_queue_attach(&none, block, (size_t)2 << 20, &opts), -EINVAL);
    CHECK_INT(plait_queue_attach(&none, block, SIZE_MAX, &opts), -EINVAL);
    CHECK_INT(plait_queue_attach(&none, block, bytes - 1, &opts), -ENOSPC);
    CHECK_INT(plait_queue_attach(&none, block, bytes, &lanes), -ENOSPC);
    memset(text, 't', bytes);
    CHECK_INT(plait_queue_attach(&none, text, bytes, &opts), -EBADMSG);
    CHECK(none == NULL);
    CHECK_INT(plait_shared_free(heap), 0);
}

/* ---- bounds ---- */

TEST(no_item_is_larger_than_half_of_it)
{
    static char item[40000];
    void *place = NULL;
    plait_waitable on;

    in_segment = true;
    queue = create((plait_queue_opts){ .max_bytes = 65536 });
    CHECK_INT(plait_queue_put(queue, item, 32753, PLAIT_FOREVER), -EMSGSIZE);
    CHECK_INT(plait_queue_reserve(queue, &place, 32753, PLAIT_FOREVER), -EMSGSIZE);
    CHECK_INT(plait_queue_on_put(&on, queue, 32753), 0);
    CHECK_INT(plait_select(&on, 1, PLAIT_FOREVER), 0);
    CHECK_INT(plait_queue_put(queue, item, 32752, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_get(queue, item, sizeof item, PLAIT_NOWAIT), 32752);
    plait_queue_destroy(queue);
    queue = create((plait_queue_opts){ .max_bytes = 65536, .max_item_bytes = 100 });
    CHECK_INT(plait_queue_put(queue, item, 101, PLAIT_FOREVER), -EMSGSIZE);
    CHECK_INT(plait_queue_put(queue, item, 100, PLAIT_FOREVER), 0);
    plait_queue_destroy(queue);
}

TEST(a_lease_waits_while_there_is_no_room_for_its_item)
{
    static char item[20000];
    plait_lease leases[3], last;

    in_segment = true;
    queue = create((plait_queue_opts){ .max_bytes = 65536 });
    for (int i = 0; i < 3; i++) {
        memset(item, 'a' + i, sizeof item);
        CHECK_INT(plait_queue_put(queue, item, sizeof item, PLAIT_NOWAIT), 0);
        CHECK_INT(plait_queue_lease(queue, &leases[i], PLAIT_NOWAIT), 0);
    }
    put_text("small");
    memset(item, 'd', sizeof item);
    CHECK_INT(plait_queue_lease(queue, &last, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_ack(&last), 0);
    CHECK_INT(plait_queue_put(queue, item, sizeof item, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_lease(queue, &last, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_queue_ack(&leases[1]), 0);
    CHECK_INT(plait_queue_lease(queue, &last, PLAIT_NOWAIT), 0);
    CHECK_MEM(last.bytes, last.size, item, sizeof item);
    for (int i = 0; i < 3; i += 2) {
        memset(item, 'a' + i, sizeof item);
        CHECK_MEM(leases[i].bytes, leases[i].size, item, sizeof item);
        CHECK_INT(plait_queue_ack(&leases[i]), 0);
    }
    CHECK_INT(plait_queue_ack(&last), 0);
    plait_queue_destroy(queue);
}

/* ---- giving it back ---- */

static int wait_for_item(void *arg)
{
    (void)arg;
    return (int)plait_queue_get(queue, NULL, 0, PLAIT_FOREVER);
}

static int wait_for_room(void *arg)
{
    (void)arg;
    return plait_queue_put(queue, "x", 1, PLAIT_FOREVER);
}

static int wait_for_end(void *arg)
{
    (void)arg;
    return plait_queue_join(queue, PLAIT_FOREVER);
}

static void check_told(plait_task_fn *fn, unsigned n_before)
{
    plait_task *tasks[2] = { NULL, NULL };

    queue = create((plait_queue_opts){ .max_items = 1, .lanes = 2 });
    for (unsigned i = 0; i < n_before; i++)
        put_text("a");
    for (int i = 0; i < 2; i++)
        CHECK_INT(plait_task_start(&tasks[i], PLAIT_THREAD, fn, NULL, NULL), 0);
    await_visitors(2);
    plait_queue_destroy(queue);
    for (int i = 0; i < 2; i++)
        CHECK_INT(result_of(tasks[i]), -EPIPE);
}

TEST(threads_that_wait_with_a_handle_are_told_that_it_is_gone)
{
    in_segment = true;
    check_told(wait_for_item, 0);
    check_told(wait_for_room, 1);
    check_told(wait_for_end, 1);
}
