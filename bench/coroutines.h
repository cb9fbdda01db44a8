/* The coroutine/ scenarios within one thread: switches, starts, hops, locks, deadlines, crowds.
 * SPDX-License-Identifier: MIT
 *
 *     typedef int coroutines_result;                        // what a coroutine's function returns
 *     struct coroutines_task { … };                         // a handle
 *     #include "coroutines.h"
 *     static int coroutines_make(void) { … }                // before all others
 *     static int coroutines_start(struct coroutines_task *ret, coroutines_fn *fn, void *arg) { … }
 *     static int coroutines_join(struct coroutines_task *task) { … }   // and forget it
 *     static int coroutines_go(coroutines_fn *fn, void *arg) { … }     // that nobody joins
 *     static int coroutines_yield(void) { … }
 *     static int coroutines_put(unsigned channel, uint64_t number) { … }
 *     static int coroutines_get(unsigned channel, uint64_t *ret) { … }
 *     static int coroutines_acquire(void) { … }             // the lock
 *     static int coroutines_release(void) { … }
 *     static int coroutines_wait(int ms) { … }              // until wake_all; -1: for ever
 *     static int coroutines_wake_all(void) { … }
 *
 *     int main(int argc, char **argv) { return coroutines_main(argc, argv); }
 *
 * All are static, so that they are inlined where that can be, and return 0 or a negative errno. The
 * loops are here: ours and the peers' differ in these calls alone. All that was asked for is counted.
 * Also for C++.
 */
#ifndef PLAIT_BENCH_COROUTINES_H
#define PLAIT_BENCH_COROUTINES_H

#include "bench.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

typedef coroutines_result coroutines_fn(void *arg);

static int coroutines_make(void);
static int coroutines_start(struct coroutines_task *ret, coroutines_fn *fn, void *arg);
static int coroutines_join(struct coroutines_task *task);
static int coroutines_go(coroutines_fn *fn, void *arg);
static int coroutines_yield(void);
static int coroutines_put(unsigned channel, uint64_t number);
static int coroutines_get(unsigned channel, uint64_t *ret);
static int coroutines_acquire(void);
static int coroutines_release(void);
static int coroutines_wait(int ms);
static int coroutines_wake_all(void);

enum {
    COROUTINES_MANY = 1000,    /* of spawn-join-1000 */
    COROUTINES_TIMERS = 10000, /* that are armed at the same time */
    COROUTINES_TREE = 10,      /* children of each of skynet's */
};

static int coroutines_failed; /* the first error in a coroutine */
static long coroutines_count; /* what they did */
static double coroutines_begin;

static inline void coroutines_note(int rc)
{
    if (rc < 0 && coroutines_failed == 0)
        coroutines_failed = rc;
}

/* Two that run the function, until both have ended. */
static inline int coroutines_run_two(coroutines_fn *fn, long *first, long *second)
{
    static struct coroutines_task one, two;
    int rc = coroutines_start(&one, fn, first);

    if (rc == 0)
        rc = coroutines_start(&two, fn, second);
    if (rc == 0)
        rc = coroutines_join(&one);
    return rc < 0 ? rc : coroutines_join(&two);
}

/* ---- switch ---- */

static coroutines_result coroutines_yields(void *arg)
{
    for (long i = *(long *)arg; i > 0; i--) {
        coroutines_yield();
        coroutines_count++;
    }
    return 0;
}

static int coroutines_switch(long count)
{
    long one = count / 2, other = count - one;

    return coroutines_run_two(coroutines_yields, &one, &other);
}

/* ---- spawn-join ---- */

static coroutines_result coroutines_ends(void *arg)
{
    (void)arg;
    coroutines_count++;
    return 0;
}

static int coroutines_spawn_join(long count)
{
    struct coroutines_task task;
    int rc = 0;

    for (long i = 0; rc == 0 && i < count; i++) {
        rc = coroutines_start(&task, coroutines_ends, NULL);
        if (rc == 0)
            rc = coroutines_join(&task);
    }
    return rc;
}

static int coroutines_many_by_handles(long n)
{
    static struct coroutines_task tasks[COROUTINES_MANY];
    int rc = 0;

    for (long i = 0; rc == 0 && i < n; i++)
        rc = coroutines_start(&tasks[i], coroutines_ends, NULL);
    for (long i = 0; rc == 0 && i < n; i++)
        rc = coroutines_join(&tasks[i]);
    return rc;
}

/* Starts so many, and waits until all have ended; a program may have a better way. */
static int (*coroutines_many)(long n) = coroutines_many_by_handles;

static int coroutines_spawn_join_many(long count)
{
    int rc = 0;

    for (long left = count; rc == 0 && left > 0; left -= COROUTINES_MANY)
        rc = coroutines_many(left < COROUTINES_MANY ? left : (long)COROUTINES_MANY);
    return rc;
}

/* ---- hop ---- */

/* The first sends at once; the second, whose number is negative, when it has got one. */
static coroutines_result coroutines_hops(void *arg)
{
    unsigned gets_from = *(long *)arg < 0 ? 0 : 1;
    long hops = *(long *)arg < 0 ? -*(long *)arg : *(long *)arg;
    uint64_t got = 0;
    int rc = 0;

    for (uint64_t i = 1; rc == 0 && i <= (uint64_t)hops; i++) {
        if (gets_from == 1)
            rc = coroutines_put(0, i);
        if (rc == 0)
            rc = coroutines_get(gets_from, &got);
        if (rc == 0 && got != i)
            rc = -EBADMSG;
        if (rc == 0 && gets_from == 0)
            rc = coroutines_put(1, i);
        coroutines_count++;
    }
    coroutines_note(rc);
    return 0;
}

static int coroutines_hop(long count)
{
    long there = (count + 1) / 2, back = -there;

    coroutines_count -= 2 * there - count;
    return coroutines_run_two(coroutines_hops, &there, &back);
}

/* ---- lock ---- */

static coroutines_result coroutines_locks(void *arg)
{
    int rc = 0;

    for (long i = *(long *)arg; rc == 0 && i > 0; i--) {
        rc = coroutines_acquire();
        if (rc == 0) {
            long seen = coroutines_count;
            coroutines_yield(); /* the other one comes to wait */
            coroutines_count = seen + 1;
            rc = coroutines_release();
        }
        coroutines_yield(); /* and gets it */
    }
    coroutines_note(rc);
    return 0;
}

static int coroutines_lock(long count)
{
    long one = count / 2, other = count - one;

    return coroutines_run_two(coroutines_locks, &one, &other);
}

/* ---- timers ---- */

static coroutines_result coroutines_waits(void *arg)
{
    uint32_t random = (uint32_t)(uintptr_t)arg * 2654435761u;
    int rc = 0;

    while (rc == 0) {
        random = random * 1664525u + 1013904223u;
        rc = coroutines_wait(60000 + (int)(random >> 16));
        coroutines_count += rc == 0;
    }
    coroutines_note(rc);
    return 0;
}

/* The clock starts when all wait for the first time, and stops when they do so again: their start and
 * end are not in it. Whole rounds are measured. */
static int coroutines_timers_of(long count, long n)
{
    int rc = 0;

    for (long i = 1; rc == 0 && i <= n; i++) {
        rc = coroutines_go(coroutines_waits, (void *)(uintptr_t)i);
        if (rc == 0 && (i % COROUTINES_MANY == 0 || i == n))
            rc = coroutines_yield();
    }
    coroutines_begin = bench_now();
    while (rc == 0 && coroutines_failed == 0 && coroutines_count < count) {
        rc = coroutines_wake_all();
        if (rc == 0)
            rc = coroutines_yield(); /* all wait again */
    }
    if (rc == 0 && coroutines_count % n == 0) {
        double now = bench_now(), seconds = now - coroutines_begin;
        coroutines_begin = now - seconds * (double)count / (double)coroutines_count;
        coroutines_count = count;
    }
    return rc;
}

static int coroutines_timers(long count)
{
    return coroutines_timers_of(count, count < COROUTINES_TIMERS ? count : (long)COROUTINES_TIMERS);
}

static int coroutines_timers_at_once(long count)
{
    return coroutines_timers_of(count, count);
}

/* ---- parked ---- */

static coroutines_result coroutines_parks(void *arg)
{
    (void)arg;
    coroutines_count++;
    coroutines_note(coroutines_wait(-1));
    return 0;
}

static int coroutines_park(long count)
{
    int rc = 0;

    for (long i = 1; rc == 0 && i <= count; i++) {
        rc = coroutines_go(coroutines_parks, NULL);
        if (rc == 0 && (i % COROUTINES_MANY == 0 || i == count))
            rc = coroutines_yield();
    }
    return rc;
}

/* Bytes of this process in memory: its pages, and the tables that say where they are. */
static inline double coroutines_bytes(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    double kib = 0, one;

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmRSS: %lf", &one) == 1 || sscanf(line, "VmPTE: %lf", &one) == 1)
            kib += one;
    if (file != NULL)
        fclose(file);
    return kib * 1024;
}

/* ---- skynet ---- */

struct coroutines_node {
    uint64_t first, leaves, sum;
};

static coroutines_result coroutines_sum_by_handles(void *arg)
{
    struct coroutines_node *node = (struct coroutines_node *)arg, children[COROUTINES_TREE];
    struct coroutines_task tasks[COROUTINES_TREE];
    int rc = 0;

    if (node->leaves == 1) {
        coroutines_count++;
        node->sum = node->first;
        return 0;
    }
    node->sum = 0;
    for (unsigned i = 0; rc == 0 && i < COROUTINES_TREE; i++) {
        children[i].leaves = node->leaves / COROUTINES_TREE;
        children[i].first = node->first + i * children[i].leaves;
        rc = coroutines_start(&tasks[i], coroutines_sum_by_handles, &children[i]);
    }
    for (unsigned i = 0; rc == 0 && i < COROUTINES_TREE; i++) {
        rc = coroutines_join(&tasks[i]);
        node->sum += children[i].sum;
    }
    coroutines_note(rc);
    return 0;
}

/* The sum of 0 … leaves - 1, a power of ten; a program may have a better way. */
static inline int coroutines_tree_by_handles(uint64_t leaves, uint64_t *ret)
{
    struct coroutines_node root = { 0, leaves, 0 };
    struct coroutines_task task;
    int rc = coroutines_start(&task, coroutines_sum_by_handles, &root);

    if (rc == 0)
        rc = coroutines_join(&task);
    *ret = root.sum;
    return rc;
}

static int (*coroutines_tree)(uint64_t leaves, uint64_t *ret) = coroutines_tree_by_handles;

static int coroutines_skynet(long count)
{
    uint64_t n = (uint64_t)count, sum = 0;
    int rc = coroutines_tree(n, &sum);

    return rc == 0 && sum != n * (n - 1) / 2 ? -EBADMSG : rc;
}

/* ---- */

struct coroutines_known {
    const char *scenario;
    int (*run)(long count);
};

static const struct coroutines_known coroutines_known[] = {
    { "coroutine/switch", coroutines_switch },
    { "coroutine/spawn-join", coroutines_spawn_join },
    { "coroutine/spawn-join-1000", coroutines_spawn_join_many },
    { "coroutine/hop", coroutines_hop },
    { "coroutine/lock", coroutines_lock },
    { "coroutine/timers", coroutines_timers },
    { "coroutine/timers-1M", coroutines_timers_at_once },
    { "coroutine/parked", coroutines_park },
    { "coroutine/skynet", coroutines_skynet },
};

static inline int coroutines_main(int argc, char **argv)
{
    const struct coroutines_known *found = NULL;
    long count = argc >= 3 ? strtol(argv[argc - 1], NULL, 10) : 0;
    double bytes, figure;
    int rc;

    for (size_t i = 0; argc >= 3 && i < sizeof coroutines_known / sizeof coroutines_known[0]; i++)
        if (strcmp(argv[argc - 2], coroutines_known[i].scenario) == 0)
            found = &coroutines_known[i];
    if (found == NULL || count <= 0) {
        fprintf(stderr, "usage: %s [VARIANT] SCENARIO COUNT\n", argv[0]);
        return 2;
    }
    rc = coroutines_make();
    bytes = coroutines_bytes();
    coroutines_begin = bench_now();
    if (rc == 0)
        rc = found->run(count);
    figure = bench_now() - coroutines_begin;
    if (found->run == coroutines_park)
        figure = coroutines_bytes() - bytes;
    if (rc == 0)
        rc = coroutines_failed;
    if (rc == 0 && coroutines_count != count)
        rc = -EBADMSG;
    rc = bench_say(argv[0], rc, figure);
    fflush(stdout);
    if (found->run == coroutines_park || found->run == coroutines_timers ||
        found->run == coroutines_timers_at_once)
        _exit(rc); /* they never end */
    return rc;
}

#endif
