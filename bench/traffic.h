/* The queue/ and pipe/ scenarios: messages from some workers to others, or to and fro between two.
 * SPDX-License-Identifier: MIT
 *
 *     #include "traffic.h"
 *     static int traffic_make(void) { … }                   // before the workers are started
 *     static int traffic_enter(unsigned number) { … }       // in each worker, before the clock starts
 *     static int traffic_put(unsigned channel, const void *bytes, size_t n) { … }
 *     static ssize_t traffic_get(unsigned channel, void *buf, size_t cap) { … }
 *
 *     int main(int argc, char **argv) { return traffic_main(argc, argv); }
 *
 * Those four are the program's: static, so that they are inlined, and called as rarely by one
 * program as by another. What is put into a channel is got from it: 0 leads there, 1 back, in
 * scenarios that go to and fro. A peer that deals out messages to several receivers as it likes
 * sets traffic_deals_out and says -EAGAIN from traffic_get after two milliseconds without one: then
 * they look whether all have come.
 *
 * Each message bears a number at both ends; the numbers that were got are added up, so that nothing
 * that is lost, doubled or torn goes unseen.
 */
#ifndef PLAIT_BENCH_TRAFFIC_H
#define PLAIT_BENCH_TRAFFIC_H

#include "crowd.h"

struct traffic {
    const char *scenario;
    size_t size;      /* of a message */
    unsigned senders; /* and as many receivers */
    bool is_round_trip;
    bool thinks; /* for a while before each answer, so that the other one is asleep */
};

static const struct traffic traffics[] = {
    { "queue/1to1-16B", 16, 1, false, false },
    { "queue/1to1-64B", 64, 1, false, false },
    { "queue/1to1-1KiB", 1024, 1, false, false },
    { "queue/1to1-64KiB", 65536, 1, false, false },
    { "queue/1to1-1MiB", 1 << 20, 1, false, false },
    { "queue/4to4-16B", 16, 4, false, false },
    { "queue/4to4-64B", 64, 4, false, false },
    { "queue/4to4-1KiB", 1024, 4, false, false },
    { "queue/4to4-64KiB", 65536, 4, false, false },
    { "queue/4to4-1MiB", 1 << 20, 4, false, false },
    { "queue/round-trip", 64, 1, true, false },
    { "queue/round-trip-asleep", 64, 1, true, true },
    { "queue/round-trip-one-cpu", 64, 1, true, false },
    { "pipe/64B", 64, 1, false, false },
    { "pipe/1MiB", 1 << 20, 1, false, false },
    { "pipe/round-trip", 64, 1, true, false },
};

enum {
    TRAFFIC_N = sizeof traffics / sizeof traffics[0],
    TRAFFIC_MOST = 1 << 20 /* the largest message */
};

static const double traffic_thinking = 20e-6;

static struct traffic traffic; /* what is asked for */
static bool traffic_deals_out; /* set by the program: each receiver gets what the peer gives it */
static long traffic_count;     /* of messages, or of round trips */

static int traffic_make(void);
static int traffic_enter(unsigned number);
static int traffic_put(unsigned channel, const void *bytes, size_t n);
static ssize_t traffic_get(unsigned channel, void *buf, size_t cap);

/* What a channel should have room for, where that can be said: of small ones a mebibyte, of large
 * ones a few. */
static inline size_t traffic_capacity(void)
{
    return traffic.size > 128 * 1024 ? 8 * traffic.size : (size_t)1 << 20;
}

static inline bool traffic_is_sender(unsigned number)
{
    return number < traffic.senders;
}

static inline void traffic_stamp(char *message, uint64_t number)
{
    memcpy(message, &number, sizeof number);
    memcpy(message + traffic.size - sizeof number, &number, sizeof number);
}

/* Gets one message. */
static inline int traffic_take(unsigned channel, char *buf, struct bench_slip *slip)
{
    ssize_t n = traffic_get(channel, buf, traffic.size);
    uint64_t first, last;

    if (n < 0)
        return (int)n;
    if ((size_t)n != traffic.size)
        return -EBADMSG;
    memcpy(&first, buf, sizeof first);
    memcpy(&last, buf + traffic.size - sizeof last, sizeof last);
    if (first != last)
        return -EBADMSG;
    slip->count++;
    slip->sum += first;
    return 0;
}

static inline int traffic_send(unsigned number, char *message)
{
    long share = bench_share(traffic_count, number, traffic.senders);
    int rc = 0;

    for (long i = 1; rc == 0 && i <= share; i++) {
        traffic_stamp(message, (uint64_t)i);
        rc = traffic_put(0, message, traffic.size);
    }
    return rc;
}

/* Has everything been got, by all receivers together? */
static inline bool traffic_is_over(const struct bench_slip *ours, unsigned number)
{
    uint64_t count = 0;

    /* seldom: the others' slips are read and written only when nothing comes */
    __atomic_store_n(&bench_board->slips[number].count, ours->count, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < 2 * traffic.senders; i++)
        count += __atomic_load_n(&bench_board->slips[i].count, __ATOMIC_SEQ_CST);
    return count >= (uint64_t)traffic_count;
}

static inline int traffic_receive(unsigned number, char *message, struct bench_slip *slip)
{
    long share = bench_share(traffic_count, number - traffic.senders, traffic.senders);

    for (;;) {
        int rc = traffic_take(0, message, slip);
        if (rc == -EAGAIN && traffic_is_over(slip, number))
            return 0;
        if (rc < 0 && rc != -EAGAIN)
            return rc;
        if (!traffic_deals_out && slip->count == (uint64_t)share)
            return 0;
    }
}

static inline void traffic_think(struct bench_slip *slip)
{
    double begin = bench_now(), now;

    if (!traffic.thinks)
        return;
    do
        now = bench_now();
    while (now < begin + traffic_thinking);
    slip->thinking += now - begin;
}

/* Number 0 asks, number 1 answers. */
static inline int traffic_go_round(unsigned number, char *message, struct bench_slip *slip)
{
    int rc = 0;

    for (long i = 1; rc == 0 && i <= traffic_count; i++) {
        if (number == 1)
            rc = traffic_take(0, message, slip);
        if (rc == 0) {
            traffic_think(slip);
            traffic_stamp(message, (uint64_t)i);
            rc = traffic_put(number, message, traffic.size);
        }
        if (number == 0 && rc == 0)
            rc = traffic_take(1, message, slip);
    }
    return rc;
}

static int traffic_work(unsigned number)
{
    static char message[TRAFFIC_MOST] __attribute__((aligned(4096)));
    struct bench_slip *slip = &bench_board->slips[number], ours = { 0, 0, 0, 0, 0 };
    int rc;

    if (traffic.is_round_trip)
        rc = traffic_go_round(number, message, &ours);
    else if (traffic_is_sender(number))
        rc = traffic_send(number, message);
    else
        rc = traffic_receive(number, message, &ours);
    *slip = ours; /* not before: the slip is in shared memory */
    return rc;
}

/* Was everything got once? */
static inline bool traffic_adds_up(void)
{
    uint64_t count = 0, sum = 0, want_count = 0, want_sum = 0;

    for (unsigned i = 0; i < 2 * traffic.senders; i++) {
        uint64_t share = (uint64_t)bench_share(traffic_count, i, traffic.senders);
        count += bench_board->slips[i].count;
        sum += bench_board->slips[i].sum;
        if (traffic.is_round_trip)
            share = (uint64_t)traffic_count;
        else if (i >= traffic.senders)
            share = 0;
        want_count += share;
        want_sum += share * (share + 1) / 2;
    }
    return count == want_count && sum == want_sum;
}

static inline int traffic_main(int argc, char **argv)
{
    struct bench_crowd crowd = { 0, false, traffic_enter, traffic_work };
    double seconds = 0;
    int rc;

    for (unsigned i = 0; argc >= 3 && i < TRAFFIC_N; i++)
        if (strcmp(argv[argc - 2], traffics[i].scenario) == 0)
            traffic = traffics[i];
    traffic_count = argc >= 3 ? strtol(argv[argc - 1], NULL, 10) : 0;
    if (traffic.scenario == NULL || traffic_count <= 0) {
        fprintf(stderr, "usage: %s [VARIANT] SCENARIO COUNT\n", argv[0]);
        return 2;
    }
    crowd.n = 2 * traffic.senders;
    rc = traffic_make();
    if (rc == 0)
        rc = bench_run_crowd(&crowd, &seconds);
    if (rc == 0 && !traffic_adds_up())
        rc = -EBADMSG;
    return bench_say(argv[0], rc, seconds);
}

#endif
