/* A coroutine is asked to end at each place where it can suspend itself: each item that was put was
 * got or is there, each job has one outcome. Queues, pipes, select, pools, offloads, watches.
 * SPDX-License-Identifier: MIT
 */
#include "cancel_counter.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    EACH = 5, /* items of each who puts */
    A_LITTLE_NS = 100 * 1000,
};

static plait_queue *queue;
static plait_priority_queue *priority_queue;
static plait_pipe *here, *there;
static unsigned n_putters, n_getters; /* that have not ended */
static long put_sum, got_sum;
static long next_number;

static void begin_traffic(void)
{
    CHECK_INT(plait_queue_create(&queue, &(plait_queue_opts){ .max_items = 2, .lanes = 2 }), 0);
    CHECK_INT(plait_priority_queue_create(&priority_queue,
                                          &(plait_priority_queue_opts){ .max_items = 2 }),
              0);
    CHECK_INT(plait_pipe_create(&here, &there, NULL), 0);
    put_sum = got_sum = next_number = 0;
    n_putters = n_getters = 2;
}

static void end_traffic(void)
{
    long number;

    while (plait_queue_get(queue, &number, sizeof number, PLAIT_NOWAIT) > 0)
        got_sum += number;
    while (plait_priority_queue_get(priority_queue, NULL, &number, sizeof number, PLAIT_NOWAIT) > 0)
        got_sum += number;
    CHECK_INT(got_sum, put_sum);
    plait_queue_destroy(queue);
    plait_priority_queue_destroy(priority_queue);
    plait_pipe_destroy(here);
    plait_pipe_destroy(there);
}

/* ---- queues ---- */

static int put_number(unsigned how)
{
    long number = ++next_number;
    plait_bytes item = { &number, sizeof number };
    void *place = NULL;
    int rc;

    switch (how % 3) {
    case 0:
        rc = plait_queue_reserve(queue, &place, sizeof number, PLAIT_FOREVER);
        if (rc < 0)
            return rc;
        memcpy(place, &number, sizeof number);
        rc = plait_sleep(plait_after_ns(A_LITTLE_NS));
        CHECK_INT(rc == 0 ? plait_queue_commit(queue, place, sizeof number)
                          : plait_queue_abort(queue, place),
                  0);
        break;
    case 1:
        rc = (int)plait_queue_put_many(queue, &item, 1, PLAIT_FOREVER);
        rc = rc > 0 ? 0 : rc;
        break;
    default:
        rc = plait_queue_put_lane(queue, 1, &number, sizeof number, PLAIT_FOREVER);
    }
    if (rc == 0)
        put_sum += number;
    return rc;
}

static int put_numbers(void *arg)
{
    int rc = 0;

    (void)arg;
    for (unsigned i = 0; i < EACH && rc == 0; i++)
        rc = put_number(i);
    if (--n_putters == 0) /* does not wait: also who was asked to end can do it */
        CHECK_INT(plait_queue_close(queue), 0);
    return rc;
}

static ssize_t lease_number(void)
{
    plait_lease lease;
    ssize_t rc = plait_queue_lease(queue, &lease, PLAIT_FOREVER);
    long number;

    if (rc < 0)
        return rc;
    memcpy(&number, lease.bytes, sizeof number);
    rc = plait_sleep(plait_after_ns(A_LITTLE_NS));
    if (rc < 0) {
        CHECK_INT(plait_queue_nack(&lease), 0);
        return rc;
    }
    CHECK_INT(plait_queue_ack(&lease), 0);
    got_sum += number;
    return 0;
}

static ssize_t get_number(unsigned how)
{
    const void *place = NULL;
    long number = 0;
    ssize_t n;

    if (how % 3 == 0)
        return lease_number();
    if (how % 3 == 1) {
        n = plait_queue_borrow(queue, &place, PLAIT_FOREVER);
        if (n < 0)
            return n;
        memcpy(&number, place, sizeof number);
        n = plait_sleep(plait_after_ns(A_LITTLE_NS));
        CHECK_INT(plait_queue_release(queue, place), 0);
    } else {
        n = plait_queue_get(queue, &number, sizeof number, PLAIT_FOREVER);
    }
    got_sum += number;
    return n < 0 ? n : 0;
}

static int get_numbers(void *arg)
{
    ssize_t rc = 0;

    (void)arg;
    for (unsigned i = 0; rc == 0; i++)
        rc = get_number(i);
    if (--n_getters == 0) /* for who puts there would be no end */
        CHECK_INT(plait_queue_close(queue), 0);
    return rc == -EPIPE ? 0 : (int)rc;
}

TEST(each_item_of_a_queue_is_there_or_was_got)
{
    const struct program program = { begin_traffic,
                                     { put_numbers, get_numbers, put_numbers, get_numbers },
                                     end_traffic };

    cancel_everywhere(&program);
}

static int put_by_priority(void *arg)
{
    int rc = 0;

    (void)arg;
    for (unsigned i = 0; i < EACH && rc == 0; i++) {
        long number = ++next_number;
        rc = plait_priority_queue_put(priority_queue, -number, &number, sizeof number,
                                      PLAIT_FOREVER);
        put_sum += rc == 0 ? number : 0;
    }
    if (--n_putters == 0)
        CHECK_INT(plait_priority_queue_close(priority_queue), 0);
    return rc;
}

static int get_by_priority(void *arg)
{
    ssize_t rc = 0;
    long number = 0;

    (void)arg;
    while ((rc = plait_priority_queue_get(priority_queue, NULL, &number, sizeof number,
                                          PLAIT_FOREVER)) > 0) {
        got_sum += number;
        CHECK_INT(plait_priority_queue_task_done(priority_queue), 0);
    }
    return rc == -EPIPE ? 0 : (int)rc;
}

TEST(and_each_of_a_priority_queue)
{
    const struct program program = { begin_traffic,
                                     { put_by_priority, get_by_priority, put_by_priority,
                                       get_by_priority },
                                     end_traffic };

    cancel_everywhere(&program);
}

static int put_to_be_done(void *arg)
{
    int rc = 0;

    (void)arg;
    for (long i = 1; i <= EACH && rc == 0; i++) {
        rc = plait_queue_put(queue, &i, sizeof i, PLAIT_FOREVER);
        put_sum += rc == 0 ? i : 0;
    }
    if (rc == 0)
        rc = plait_queue_join(queue, PLAIT_FOREVER);
    CHECK_INT(plait_queue_close(queue), 0);
    return rc;
}

static int do_what_is_there(void *arg)
{
    ssize_t rc;
    long number;

    (void)arg;
    while ((rc = plait_queue_get(queue, &number, sizeof number, PLAIT_FOREVER)) > 0) {
        got_sum += number;
        rc = plait_sleep(plait_after_ns(A_LITTLE_NS));
        CHECK_INT(plait_queue_task_done(queue), 0);
        if (rc < 0)
            break;
    }
    return rc == -EPIPE ? 0 : (int)rc;
}

TEST(who_joins_a_queue_is_told)
{
    const struct program program = { begin_traffic,
                                     { put_to_be_done, do_what_is_there, do_what_is_there },
                                     end_traffic };

    cancel_everywhere(&program);
}

/* ---- pipes, select ---- */

static int send_messages(void *arg)
{
    static char bytes[100 * 1000];
    int rc = 0;

    (void)arg;
    for (unsigned i = 0; i < 2 * EACH && rc == 0; i++) {
        memset(bytes, (int)i, sizeof bytes);
        rc = plait_pipe_send(here, bytes, sizeof bytes, PLAIT_FOREVER);
        put_sum += rc == 0 ? i : 0;
    }
    CHECK_INT(plait_pipe_close(here), 0);
    return rc == -EPIPE ? 0 : rc;
}

static int recv_messages(void *arg)
{
    unsigned expected = 0;
    ssize_t rc;
    void *bytes;

    (void)arg;
    while ((rc = plait_pipe_recv_alloc(there, &bytes, PLAIT_FOREVER)) > 0) {
        CHECK_INT(rc, 100 * 1000);
        CHECK_INT(*(char *)bytes, (int)expected);
        CHECK_INT(((char *)bytes)[rc - 1], (int)expected);
        got_sum += expected++;
        free(bytes);
    }
    if (rc == -ECANCELED) /* those that were sent and not received go with the pipe */
        got_sum = put_sum = 0;
    CHECK_INT(plait_pipe_close(there), 0);
    return rc == -ECANCELED ? -ECANCELED : 0;
}

static void end_pipe(void)
{
    if (got_sum == 0)
        put_sum = 0; /* who receives was asked to end */
    end_traffic();
}

TEST(messages_of_a_pipe_come_whole_and_in_their_order)
{
    const struct program program = { begin_traffic, { send_messages, recv_messages }, end_pipe };

    cancel_everywhere(&program);
}

static int bell[2];
static plait_event event;

static void begin_select(void)
{
    begin_traffic();
    CHECK_INT(pipe(bell), 0);
    event = (plait_event){ 0 };
}

static void end_select(void)
{
    end_traffic();
    close(bell[0]);
    close(bell[1]);
}

static int select_some(void *arg)
{
    plait_waitable on[4];
    ssize_t rc = 0;

    (void)arg;
    CHECK_INT(plait_queue_on_get(&on[0], queue), 0);
    CHECK_INT(plait_on_fd(&on[1], bell[0], PLAIT_READABLE), 0);
    CHECK_INT(plait_event_on_set(&on[2], &event), 0);
    CHECK_INT(plait_pipe_on_recv(&on[3], there), 0);
    while (rc >= 0 && rc != 2) {
        long number;
        char byte;
        rc = plait_select(on, 4, PLAIT_FOREVER);
        if (rc == 0 &&
            plait_queue_get(queue, &number, sizeof number, PLAIT_NOWAIT) == sizeof number)
            got_sum += number;
        else if (rc == 1)
            on[1] = (plait_waitable){ 0 };
        else if (rc == 3)
            CHECK_INT(plait_pipe_recv(there, &byte, 1, PLAIT_NOWAIT), 1);
    }
    return rc < 0 ? (int)rc : 0;
}

static int make_all_ready(void *arg)
{
    const long number = 7;
    int rc = plait_sleep(plait_after_ns(A_LITTLE_NS));

    (void)arg;
    CHECK_INT(plait_queue_put(queue, &number, sizeof number, PLAIT_NOWAIT), 0);
    put_sum += number;
    if (rc == 0)
        rc = plait_sleep(plait_after_ns(A_LITTLE_NS));
    CHECK_INT(write(bell[1], "x", 1), 1);
    if (rc == 0)
        rc = plait_sleep(plait_after_ns(A_LITTLE_NS));
    CHECK_INT(plait_pipe_send(here, "y", 1, PLAIT_NOWAIT), 0);
    if (rc == 0)
        rc = plait_sleep(plait_after_ns(A_LITTLE_NS));
    CHECK_INT(plait_event_set(&event), 0);
    return rc;
}

TEST(a_select_leaves_all_as_it_is)
{
    const struct program program = { begin_select, { select_some, make_all_ready }, end_select };

    cancel_everywhere(&program);
}

/* ---- pools ---- */

static plait_pool *pool;
static plait_kind kind;

static int square(const void *in, void *out, void *ctx)
{
    long number = *(const long *)in;
    int rc = 0;

    (void)ctx;
    if (kind == PLAIT_THREAD)
        usleep(300); /* else who waits comes too late to */
    if (number % 3 == 0)
        rc = plait_sleep(plait_after_ns(A_LITTLE_NS));
    *(long *)out = number * number;
    return rc;
}

static void begin_pool(void)
{
    CHECK_INT(plait_pool_create(&pool, kind, &(plait_pool_opts){ .workers = 2, .max_pending = 3 }),
              0);
}

/* Each job that was accepted has ended, as one thing. */
static void end_pool(void)
{
    plait_pool_usage usage;

    CHECK_INT(plait_pool_close(pool), 0);
    CHECK(plait_pool_drain(pool, PLAIT_FOREVER) >= 0);
    CHECK_INT(plait_pool_stats(pool, &usage), 0);
    CHECK_INT(usage.submitted,
              usage.values + usage.errors + usage.lost + usage.cancelled + usage.expired);
    plait_pool_destroy(pool);
}

static int submit_some(void *arg)
{
    plait_future *futures[EACH] = { NULL };
    plait_completed *completed = NULL;
    size_t n = 0, which;
    long out;
    int rc = 0;

    (void)arg;
    for (long i = 0; i < EACH && rc == 0; i++) {
        plait_job job = { .fn = square, .in = &i, .in_bytes = sizeof i, .out_bytes = sizeof out };
        rc = plait_pool_submit(pool, &futures[n], &job, PLAIT_FOREVER);
        n += rc == 0;
    }
    CHECK_INT(plait_completed_create(&completed, futures, n), 0);
    while (rc >= 0 && (rc = plait_completed_next(completed, &which, PLAIT_FOREVER)) > 0) {
        ssize_t got = plait_future_get(futures[which], &out, sizeof out, PLAIT_FOREVER);
        CHECK(got == PLAIT_ENOVALUE || (got == sizeof out && out == (long)(which * which)));
    }
    plait_completed_destroy(completed);
    for (size_t i = 0; i < n; i++)
        plait_future_unref(futures[i]);
    return rc;
}

static int map_some(void *arg)
{
    long in[EACH] = { 1, 2, 3, 4, 5 }, out[EACH] = { 0 };
    int rc;

    (void)arg;
    rc = (int)plait_pool_map(pool, square, PLAIT_IN(in), PLAIT_OUT(out), NULL, PLAIT_FOREVER);
    CHECK(rc != 0 || out[EACH - 1] == EACH * EACH);
    return rc < 0 ? rc : 0;
}

TEST(jobs_of_a_pool_of_coroutines_end)
{
    const struct program program = { begin_pool, { submit_some, map_some }, end_pool };

    kind = PLAIT_COROUTINE;
    cancel_everywhere(&program);
}

TEST(jobs_of_a_pool_of_threads_end)
{
    const struct program program = { begin_pool, { submit_some, map_some }, end_pool };

    kind = PLAIT_THREAD;
    cancel_everywhere(&program);
}

/* ---- elsewhere ---- */

static int block_a_little(const void *in, void *out, void *ctx)
{
    usleep(500);
    return square(in, out, ctx);
}

static int offload_one(void *arg)
{
    long in = 6, out = 0;
    plait_job job = {
        .fn = block_a_little, .in = &in, .in_bytes = sizeof in, .out_bytes = sizeof out
    };
    ssize_t n = plait_offload(PLAIT_OFFLOAD_ANY, &job, &out, sizeof out, PLAIT_FOREVER);

    (void)arg;
    CHECK(n < 0 || out == 36);
    return n < 0 ? (int)n : 0;
}

static void begin_nothing(void)
{
}

TEST(nobody_hangs_in_an_offload)
{
    const struct program program = { begin_nothing, { offload_one, offload_one }, begin_nothing };

    cancel_everywhere(&program);
}

static pid_t child;

static void begin_watches(void)
{
    sigset_t waited;

    sigemptyset(&waited);
    sigaddset(&waited, SIGUSR1);
    CHECK_INT(sigprocmask(SIG_BLOCK, &waited, NULL), 0);
    child = fork();
    CHECK(child >= 0);
    if (child == 0)
        for (;;)
            pause();
}

static void end_watches(void)
{
    struct timespec none = { 0 };
    sigset_t waited;

    sigemptyset(&waited);
    sigaddset(&waited, SIGUSR1);
    while (sigtimedwait(&waited, NULL, &none) > 0) /* who waited was asked to end */
        ;
    kill(child, SIGKILL);
    CHECK_INT(test_waitpid(child, NULL, 0), child);
}

static int wait_for_signal(void *arg)
{
    const int signals[] = { SIGUSR1 };
    int rc = plait_signal_wait(signals, 1, PLAIT_FOREVER);

    (void)arg;
    return rc < 0 ? rc : 0;
}

static int wait_for_child(void *arg)
{
    (void)arg;
    return plait_pid_wait(child, PLAIT_FOREVER);
}

static int end_both(void *arg)
{
    int rc = plait_sleep(plait_after_ns(A_LITTLE_NS));

    (void)arg;
    CHECK_INT(kill(getpid(), SIGUSR1), 0);
    CHECK_INT(kill(child, SIGKILL), 0);
    return rc;
}

TEST(watches_leave_no_descriptor)
{
    const struct program program = { begin_watches,
                                     { wait_for_signal, wait_for_child, end_both },
                                     end_watches };

    cancel_everywhere(&program);
}
