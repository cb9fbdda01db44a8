/* What queues promise of items that are larger than their ring, between tasks of every kind.
 * SPDX-License-Identifier: MIT
 *
 * The includer has included queue_contract.h.
 */
#ifndef PLAIT_TESTS_QUEUE_LARGE_H
#define PLAIT_TESTS_QUEUE_LARGE_H

enum {
    LARGE = 3 << 20,
    HALF = 40000 /* more than half of 64 KiB */
};

static unsigned char large_item[LARGE], large_copy[LARGE];

static uint64_t count_blocks(void)
{
    plait_shared_usage usage;

    if (in_one_process)
        return 1; /* the address sanitizer counts there */
    CHECK_INT(plait_shared_stats(&usage), 0);
    return usage.blocks;
}

/* Fills it, once for each seed. */
static const unsigned char *make_large(unsigned seed)
{
    static unsigned made;

    for (size_t i = 0; made != seed && i < LARGE; i++)
        large_item[i] = (unsigned char)(i * 7 + i / 1000 + seed);
    if (made != seed) /* tasks only read it */
        made = seed;
    return large_item;
}

static void put_large(size_t n)
{
    CHECK_INT(plait_queue_put(queue, make_large(1), n, PLAIT_NOWAIT), 0);
}

static void check_large(size_t n)
{
    CHECK_INT(plait_queue_get(queue, large_copy, LARGE, PLAIT_NOWAIT), (ssize_t)n);
    CHECK_MEM(large_copy, n, make_large(1), n);
}

static int put_one_large(void *arg)
{
    (void)arg;
    return plait_queue_put(queue, make_large(1), HALF, PLAIT_FOREVER);
}

CLAIM_BUT_IN_SEGMENTS(an_item_may_be_larger_than_the_queue)
{
    void *mine = NULL;
    uint64_t blocks;

    queue = create((plait_queue_opts){ .max_bytes = 65536 });
    blocks = count_blocks();
    for (int i = 0; i < 20; i++) {
        put_text("before");
        put_large(LARGE);
        put_text("behind");
        CHECK_INT(plait_queue_size(queue), 3);
        check_next("before");
        CHECK_INT(plait_queue_get(queue, large_copy, LARGE - 1, PLAIT_NOWAIT), -EMSGSIZE);
        CHECK_INT(plait_queue_peek(queue, large_copy, 5, PLAIT_NOWAIT), LARGE);
        CHECK_MEM(large_copy, 5, large_item, 5);
        check_large(LARGE);
        check_next("behind");
        check_empty();
    }
    CHECK_INT(count_blocks(), blocks);
    put_large(LARGE);
    CHECK_INT(plait_queue_get_alloc(queue, &mine, PLAIT_NOWAIT), LARGE);
    CHECK_MEM(mine, LARGE, large_item, LARGE);
    free(mine);
    put_large(LARGE);
    plait_queue_destroy(queue);
    CHECK_INT(count_blocks(), in_one_process ? blocks : blocks - 1);
}

CLAIM_BUT_IN_SEGMENTS(a_large_item_comes_from_another_task)
{
    queue = create((plait_queue_opts){ .max_bytes = 65536 });
    make_large(1);
    plait_task *task = start(put_one_large, NULL);
    CHECK_INT(plait_queue_get(queue, large_copy, LARGE, PLAIT_FOREVER), HALF);
    CHECK_MEM(large_copy, HALF, make_large(1), HALF);
    CHECK_INT(end(task), 0);
    plait_queue_destroy(queue);
}

CLAIM_BUT_IN_SEGMENTS(large_items_are_bounded_in_bytes_but_for_one_alone)
{
    queue = create((plait_queue_opts){ .max_bytes = 65536 });
    put_large(HALF);
    CHECK_INT(plait_queue_put(queue, large_item, HALF, PLAIT_NOWAIT), -ETIMEDOUT);
    put_text("small");
    plait_task *task = start(put_one_large, NULL);
    await_putter(0);
    for (unsigned i = 0; !in_one_process && i < PLAIT__VISITS; i++) /* to be found when it dies */
        CHECK(queue->visits.entries[i] == 0 || (uint32_t)queue->visits.entries[i] != 0);
    check_large(HALF);
    CHECK_INT(end(task), 0);
    check_next("small");
    CHECK_INT(plait_queue_put(queue, large_item, LARGE, PLAIT_NOWAIT), -ETIMEDOUT);
    check_large(HALF);
    put_large(LARGE);
    CHECK_INT(plait_queue_put(queue, large_item, 32753, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_queue_put(queue, large_item, 32752, PLAIT_NOWAIT), 0);
    check_large(LARGE);
    check_large(32752);
    for (int i = 0; i < 3; i++)
        CHECK_INT(plait_queue_put(queue, large_item, 32753, PLAIT_NOWAIT), i < 2 ? 0 : -ETIMEDOUT);
    plait_queue_destroy(queue);
}

CLAIM_BUT_IN_SEGMENTS(no_item_is_larger_than_it_may_be)
{
    void *bytes = NULL;

    queue = create((plait_queue_opts){ .max_bytes = 65536, .max_item_bytes = HALF });
    put_large(HALF);
    CHECK_INT(plait_queue_put(queue, large_item, HALF + 1, PLAIT_FOREVER), -EMSGSIZE);
    CHECK_INT(plait_queue_reserve(queue, &bytes, HALF + 1, PLAIT_FOREVER), -EMSGSIZE);
    check_large(HALF);
    plait_queue_destroy(queue);
    queue = create((plait_queue_opts){ .max_item_bytes = 10 });
    CHECK_INT(plait_queue_put(queue, large_item, 11, PLAIT_FOREVER), -EMSGSIZE);
    CHECK_INT(plait_queue_put(queue, large_item, 10, PLAIT_FOREVER), 0);
    plait_queue_destroy(queue);
    queue = create((plait_queue_opts){ 0 });
    CHECK_INT(plait_queue_put(queue, large_item, SIZE_MAX, PLAIT_FOREVER), -ENOMEM);
    CHECK_INT(plait_queue_put(queue, large_item, (size_t)1 << 40, PLAIT_FOREVER), -ENOMEM);
    check_empty();
    put_large(LARGE);
    check_large(LARGE);
    plait_queue_destroy(queue);
}

CLAIM_BUT_IN_SEGMENTS(a_large_item_is_reserved_borrowed_and_leased_without_a_copy)
{
    void *bytes = NULL;
    const void *borrowed = NULL;
    plait_lease lease;
    uint64_t blocks;

    queue = create((plait_queue_opts){ .max_bytes = 65536 });
    blocks = count_blocks();
    CHECK_INT(plait_queue_reserve(queue, &bytes, LARGE, PLAIT_NOWAIT), 0);
    CHECK_INT((uintptr_t)bytes % 16, 0);
    CHECK_INT(plait_queue_abort(queue, bytes), 0);
    CHECK_INT(plait_queue_abort(queue, bytes), -EINVAL);
    check_empty();
    CHECK_INT(count_blocks(), blocks);
    CHECK_INT(plait_queue_reserve(queue, &bytes, LARGE, PLAIT_NOWAIT), 0);
    memcpy(bytes, make_large(2), LARGE - 5);
    CHECK_INT(plait_queue_commit(queue, bytes, LARGE + 1), -EINVAL);
    CHECK_INT(plait_queue_commit(queue, bytes, LARGE - 5), 0);
    CHECK_INT(plait_queue_commit(queue, bytes, LARGE - 5), -EINVAL);
    CHECK_INT(plait_queue_lease(queue, &lease, PLAIT_NOWAIT), 0);
    CHECK(lease.bytes == bytes && lease.size == LARGE - 5);
    CHECK_INT(plait_queue_release(queue, bytes), -EINVAL);
    CHECK_INT(plait_queue_nack(&lease), 0);
    CHECK_INT(plait_queue_lease(queue, &lease, PLAIT_NOWAIT), 0);
    CHECK(lease.bytes == bytes && lease.attempts == 2);
    CHECK_INT(plait_queue_nack(&lease), 0);
    CHECK_INT(plait_queue_borrow(queue, &borrowed, PLAIT_NOWAIT), LARGE - 5);
    CHECK(borrowed == bytes);
    CHECK_MEM(borrowed, LARGE - 5, large_item, LARGE - 5);
    CHECK_INT(plait_queue_release(queue, borrowed), 0);
    CHECK_INT(plait_queue_release(queue, borrowed), -EINVAL);
    check_empty();
    put_large(LARGE);
    CHECK_INT(plait_queue_borrow(queue, &borrowed, PLAIT_NOWAIT), LARGE);
    CHECK_INT(plait_queue_put(queue, large_item, HALF, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_queue_release(queue, borrowed), 0);
    CHECK_INT(plait_queue_release(queue, borrowed), -EINVAL);
    put_large(LARGE);
    CHECK_INT(plait_queue_lease(queue, &lease, PLAIT_NOWAIT), 0);
    put_large(LARGE); /* the leased one takes no room */
    CHECK_INT(plait_queue_ack(&lease), 0);
    check_large(LARGE);
    CHECK_INT(count_blocks(), blocks);
    plait_queue_destroy(queue);
}

#endif
