/* What queues promise of leases, between tasks of every kind.
 * SPDX-License-Identifier: MIT
 *
 * The includer has included queue_contract.h and queue_large.h.
 */
#ifndef PLAIT_TESTS_QUEUE_LEASE_H
#define PLAIT_TESTS_QUEUE_LEASE_H

static plait_lease lease_next(const char *text, unsigned attempts)
{
    plait_lease lease = { 0 };

    CHECK_INT(plait_queue_lease(queue, &lease, PLAIT_NOWAIT), 0);
    CHECK_MEM(lease.bytes, lease.size, text, strlen(text));
    CHECK_INT(lease.attempts, attempts);
    CHECK_INT((uintptr_t)lease.bytes % 16, 0);
    return lease;
}

static void check_no_lease(int rc)
{
    plait_lease lease = { .size = 77 };

    CHECK_INT(plait_queue_lease(queue, &lease, PLAIT_NOWAIT), rc);
    CHECK_INT(lease.size, 77);
}

/* Leases one and acks it. */
static int work_once(void *arg)
{
    plait_lease lease;
    int rc = plait_queue_lease(queue, &lease, PLAIT_FOREVER);

    (void)arg;
    return rc < 0 ? rc : plait_queue_ack(&lease);
}

/* Gives one back, undone. */
static int fail_once(void *arg)
{
    plait_lease lease;
    int rc = plait_queue_lease(queue, &lease, PLAIT_FOREVER);

    (void)arg;
    return rc < 0 ? rc : plait_queue_nack(&lease);
}

CLAIM(a_leased_item_is_out_of_the_queue_and_acked_it_is_gone)
{
    queue = create((plait_queue_opts){ .max_items = 2 });
    check_no_lease(-ETIMEDOUT);
    put_text("one");
    put_text("two");
    plait_lease one = lease_next("one", 1);
    CHECK_INT(plait_queue_size(queue), 1);
    put_text("three"); /* it is in nobody's way */
    plait_lease two = lease_next("two", 1);
    put_text("four");
    CHECK_INT(plait_queue_ack(&one), 0);
    CHECK_INT(plait_queue_ack(&one), -EINVAL);
    CHECK_INT(plait_queue_nack(&one), -EINVAL);
    CHECK_MEM(two.bytes, two.size, "two", 3);
    check_next("three");
    CHECK_INT(plait_queue_ack(&two), 0);
    check_next("four");
    check_empty();
    check_no_lease(-ETIMEDOUT);
    plait_queue_destroy(queue);
}

CLAIM(an_ended_lease_is_not_taken_for_the_next_one)
{
    queue = create((plait_queue_opts){ .max_leases = 1 });
    put_text("a");
    put_text("b");
    plait_lease old = lease_next("a", 1);
    CHECK_INT(plait_queue_ack(&old), 0);
    plait_lease new = lease_next("b", 1);
    CHECK_INT(plait_queue_ack(&old), -EINVAL);
    CHECK_INT(plait_queue_nack(&old), -EINVAL);
    CHECK_INT(plait_queue_ack(&new), 0);
    check_empty();
    plait_queue_destroy(queue);
}

CLAIM(what_is_given_back_comes_first_and_counts_its_attempts)
{
    queue = create((plait_queue_opts){ 0 });
    put_text("a");
    put_text("b");
    put_text("c");
    plait_lease a = lease_next("a", 1), b = lease_next("b", 1);
    CHECK_INT(plait_queue_nack(&b), 0);
    CHECK_INT(plait_queue_nack(&a), 0);
    CHECK_INT(plait_queue_nack(&a), -EINVAL);
    CHECK_INT(plait_queue_ack(&a), -EINVAL);
    CHECK_INT(plait_queue_size(queue), 3);
    CHECK(!plait_queue_is_empty(queue));
    a = lease_next("a", 2);
    CHECK_INT(plait_queue_nack(&a), 0);
    a = lease_next("a", 3);
    b = lease_next("b", 2);
    plait_lease c = lease_next("c", 1);
    CHECK_INT(plait_queue_ack(&a), 0);
    CHECK_INT(plait_queue_ack(&b), 0);
    CHECK_INT(plait_queue_ack(&c), 0);
    check_empty();
    plait_queue_destroy(queue);
}

CLAIM(every_way_to_get_finds_what_was_given_back)
{
    const void *borrowed = NULL;
    void *mine = NULL;
    plait_bytes items[3];
    char buf[64];
    plait_queue_batch batch = { buf, sizeof buf, items, 3 };
    plait_lease leases[5];

    queue = create((plait_queue_opts){ 0 });
    for (int i = 0; i < 5; i++)
        CHECK_INT(plait_queue_put(queue, &"abcde"[i], 1, PLAIT_NOWAIT), 0);
    put_text("last");
    for (int i = 0; i < 5; i++)
        CHECK_INT(plait_queue_lease(queue, &leases[i], PLAIT_NOWAIT), 0);
    for (int i = 0; i < 5; i++)
        CHECK_INT(plait_queue_nack(&leases[i]), 0);
    CHECK_INT(plait_queue_peek(queue, buf, 1, PLAIT_NOWAIT), 1);
    CHECK_INT(buf[0], 'a');
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), -EMSGSIZE);
    check_next("a");
    CHECK_INT(plait_queue_borrow(queue, &borrowed, PLAIT_NOWAIT), 1);
    CHECK_MEM(borrowed, 1, "b", 1);
    CHECK_INT(plait_queue_get_alloc(queue, &mine, PLAIT_NOWAIT), 1);
    CHECK_MEM(mine, 1, "c", 1);
    free(mine);
    CHECK_INT(plait_queue_get_many(queue, &batch, PLAIT_NOWAIT), 3);
    CHECK_MEM(items[0].bytes, items[0].size, "d", 1);
    CHECK_MEM(items[1].bytes, items[1].size, "e", 1);
    CHECK_MEM(items[2].bytes, items[2].size, "last", 4);
    CHECK_INT(plait_queue_release(queue, borrowed), 0);
    CHECK_INT(plait_queue_release(queue, borrowed), -EINVAL);
    check_empty();
    plait_queue_destroy(queue);
}

CLAIM(items_of_any_size_are_leased)
{
    static char item[32768], text[32768];
    static const size_t sizes[] = { 0, 1, 208, 209, 513, 16384, 16385, 32752 };
    plait_lease lease;
    uint64_t blocks;

    queue = create((plait_queue_opts){ .max_bytes = 65536 });
    blocks = count_blocks();
    for (unsigned i = 0; i < 16; i++) {
        size_t n = sizes[i / 2];
        memset(item, (int)i + 1, n);
        CHECK_INT(plait_queue_put(queue, item, n, PLAIT_NOWAIT), 0);
        CHECK_INT(plait_queue_lease(queue, &lease, PLAIT_NOWAIT), 0);
        CHECK_MEM(lease.bytes, lease.size, item, n);
        CHECK_INT(i % 2 == 0 ? plait_queue_ack(&lease) : plait_queue_nack(&lease), 0);
        if (i % 2 == 0)
            continue;
        CHECK_INT(plait_queue_get(queue, text, sizeof text, PLAIT_NOWAIT), (ssize_t)n);
        CHECK_MEM(text, n, item, n);
    }
    check_empty();
    CHECK_INT(count_blocks(), blocks);
    CHECK_INT(plait_queue_put(queue, item, 32752, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_lease(queue, &lease, PLAIT_NOWAIT), 0);
    plait_queue_destroy(queue);
    /* the queue is gone, and with it the leased item */
    CHECK_INT(count_blocks(), in_segment || in_one_process ? blocks : blocks - 1);
}

CLAIM(more_leases_than_the_queue_has_wait)
{
    queue = create((plait_queue_opts){ .max_leases = 2 });
    put_text("a");
    put_text("b");
    put_text("c");
    plait_lease a = lease_next("a", 1), b = lease_next("b", 1);
    check_no_lease(-ETIMEDOUT);
    CHECK_INT(plait_queue_size(queue), 1);
    plait_task *task = start(work_once, NULL);
    await_getter();
    CHECK_INT(plait_queue_ack(&a), 0);
    CHECK_INT(end(task), 0);
    CHECK_INT(plait_queue_ack(&b), 0);
    check_empty();
    plait_queue_destroy(queue);
}

CLAIM_BUT_IN_SEGMENTS(who_waits_for_a_lease_at_a_destroyed_queue_is_told)
{
    plait_lease none;

    queue = create((plait_queue_opts){ 0 });
    CHECK_INT(plait_queue_lease(queue, &none, plait_after_ms(-1)), -ETIMEDOUT);
    plait_task *task = start(work_once, NULL);
    await_visitors(1);
    plait_queue_destroy(queue);
    CHECK_INT(end(task), -EPIPE);
}

CLAIM(who_waits_for_an_item_gets_what_is_given_back)
{
    queue = create((plait_queue_opts){ 0 });
    put_text("four");
    plait_lease lease = lease_next("four", 1);
    plait_task *task = start(get_one, NULL);
    await_getter();
    CHECK_INT(plait_queue_nack(&lease), 0);
    CHECK_INT(end(task), 4);
    check_empty();
    plait_queue_destroy(queue);
}

CLAIM(what_another_task_leased_and_gave_back_is_leased_again)
{
    queue = create((plait_queue_opts){ 0 });
    put_text("a");
    CHECK_INT(end(start(fail_once, NULL)), 0);
    CHECK_INT(end(start(fail_once, NULL)), 0);
    plait_lease lease = lease_next("a", 3);
    CHECK_INT(plait_queue_ack(&lease), 0);
    put_text("b");
    CHECK_INT(end(start(work_once, NULL)), 0);
    check_empty();
    plait_queue_destroy(queue);
}

CLAIM(a_lease_outlives_a_close_and_can_be_given_back)
{
    queue = create((plait_queue_opts){ 0 });
    put_text("a");
    plait_lease lease = lease_next("a", 1);
    CHECK_INT(plait_queue_close(queue), 0);
    CHECK_INT(plait_queue_nack(&lease), 0);
    lease = lease_next("a", 2);
    CHECK_INT(plait_queue_ack(&lease), 0);
    check_no_lease(-EPIPE);
    CHECK_INT(plait_queue_join(queue, PLAIT_NOWAIT), -ETIMEDOUT); /* an ack is no task_done */
    CHECK_INT(plait_queue_task_done(queue), 0);
    CHECK_INT(plait_queue_join(queue, PLAIT_NOWAIT), 0);
    plait_queue_destroy(queue);
}

CLAIM(after_a_shutdown_at_once_what_is_given_back_does_not_come)
{
    queue = create((plait_queue_opts){ 0 });
    put_text("a");
    plait_lease lease = lease_next("a", 1);
    CHECK_INT(plait_queue_shutdown(queue, true), 0);
    CHECK_INT(plait_queue_nack(&lease), 0);
    CHECK_INT(plait_queue_size(queue), 0);
    check_no_lease(-EPIPE);
    plait_queue_destroy(queue);
}

CLAIM(mistakes_with_leases_are_told)
{
    plait_lease lease = { 0 }, copy;
    plait_queue_opts many = { .max_leases = 65537 };
    plait_queue *made = NULL;

    CHECK_INT(plait_queue_create(&made, &many), -EINVAL);
    CHECK_INT(plait_queue_lease(NULL, &lease, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_queue_ack(NULL), -EINVAL);
    CHECK_INT(plait_queue_ack(&lease), -EINVAL);
    CHECK_INT(plait_queue_nack(NULL), -EINVAL);
    CHECK_INT(plait_queue_nack(&lease), -EINVAL);
    queue = create((plait_queue_opts){ 0 });
    CHECK_INT(plait_queue_lease(queue, NULL, PLAIT_NOWAIT), -EINVAL);
    put_text("a");
    lease = lease_next("a", 1);
    CHECK_INT(plait_queue_release(queue, lease.bytes), -EINVAL);
    copy = lease;
    copy.entry = 64;
    CHECK_INT(plait_queue_ack(&copy), -EINVAL);
    copy.entry = 1;
    CHECK_INT(plait_queue_ack(&copy), -EINVAL);
    CHECK_INT(plait_queue_ack(&lease), 0);
    plait_queue_destroy(queue);
}

/* ---- many at it ---- */

enum {
    JOBS = 2000,
    WORKERS = 3
};

static unsigned char *jobs_done;
CARRIED(jobs_done)

/* Gives each fifth one back the first time. */
static int work(void *arg)
{
    plait_lease lease;
    int rc;

    (void)arg;
    while ((rc = plait_queue_lease(queue, &lease, PLAIT_FOREVER)) == 0) {
        uint32_t job;
        CHECK(lease.size >= sizeof job);
        memcpy(&job, lease.bytes, sizeof job);
        CHECK(job < JOBS);
        if (job % 5 == 0 && lease.attempts == 1) {
            CHECK_INT(plait_queue_nack(&lease), 0);
            continue;
        }
        CHECK_INT(lease.attempts, job % 5 == 0 ? 2 : 1);
        __atomic_fetch_add(&jobs_done[job], 1, __ATOMIC_SEQ_CST);
        CHECK_INT(plait_queue_ack(&lease), 0);
        CHECK_INT(plait_queue_task_done(queue), 0);
    }
    return rc;
}

CLAIM_LIMIT(many_workers_do_each_job_once, 30)
{
    plait_task *tasks[WORKERS];
    char bytes[600] = { 0 };

    queue = create((plait_queue_opts){ .max_items = 20, .max_leases = WORKERS - 1 });
    jobs_done = share(JOBS);
    for (int i = 0; i < WORKERS; i++)
        tasks[i] = start(work, NULL);
    for (uint32_t i = 0; i < JOBS; i++) {
        memcpy(bytes, &i, sizeof i);
        CHECK_INT(plait_queue_put(queue, bytes, sizeof i + i % 590, PLAIT_FOREVER), 0);
    }
    CHECK_INT(plait_queue_join(queue, PLAIT_FOREVER), 0);
    CHECK_INT(plait_queue_close(queue), 0);
    for (int i = 0; i < WORKERS; i++)
        CHECK_INT(end(tasks[i]), -EPIPE);
    for (uint32_t i = 0; i < JOBS; i++)
        CHECK_INT(jobs_done[i], 1);
    plait_queue_destroy(queue);
}

#endif
