/* The coroutine/wake- scenarios: two workers, a CPU for each, that wake each other in turn.
 * SPDX-License-Identifier: MIT
 *
 *     #include "wakes.h"
 *     static int wakes_make(void) { … }                     // before the workers
 *     static int wakes_run(unsigned number, int (*fn)(void *), void *arg) { … } // as worker `number`
 *     static int wakes_wait(unsigned number) { … }          // until that one is woken
 *     static int wakes_wake(unsigned number) { … }
 *
 *     int main(int argc, char **argv) { return wakes_main(argc, argv); }
 */
#ifndef PLAIT_BENCH_WAKES_H
#define PLAIT_BENCH_WAKES_H

#include "crowd.h"

struct wakes {
    const char *scenario;
    bool are_threads;
    bool by_coroutine; /* number 0 is one; number 1 always is */
};

static const struct wakes wakes_known[] = {
    { "coroutine/wake-by-coroutine", true, true },
    { "coroutine/wake-by-thread", true, false },
    { "coroutine/wake-by-process", false, true },
};

static struct wakes wakes; /* what is asked for */
static long wakes_count;

static int wakes_make(void);
static int wakes_run(unsigned number, int (*fn)(void *), void *arg);
static int wakes_wait(unsigned number);
static int wakes_wake(unsigned number);

/* Number 0 begins. */
static int wakes_go_round(void *arg)
{
    unsigned number = (unsigned)(uintptr_t)arg;
    long done = 0;
    int rc = 0;

    for (; rc == 0 && done < wakes_count; done += rc == 0) {
        rc = number == 0 ? wakes_wake(1) : wakes_wait(1);
        if (rc == 0)
            rc = number == 0 ? wakes_wait(0) : wakes_wake(0);
    }
    bench_board->slips[number].count = (uint64_t)done;
    return rc;
}

static int wakes_work(unsigned number)
{
    return wakes_run(number, wakes_go_round, (void *)(uintptr_t)number);
}

static inline int wakes_main(int argc, char **argv)
{
    struct bench_crowd crowd = { 2, false, NULL, wakes_work };
    double seconds = 0;
    int rc;

    for (size_t i = 0; argc >= 3 && i < sizeof wakes_known / sizeof wakes_known[0]; i++)
        if (strcmp(argv[argc - 2], wakes_known[i].scenario) == 0)
            wakes = wakes_known[i];
    wakes_count = argc >= 3 ? strtol(argv[argc - 1], NULL, 10) : 0;
    if (wakes.scenario == NULL || wakes_count <= 0) {
        fprintf(stderr, "usage: %s [VARIANT] SCENARIO COUNT\n", argv[0]);
        return 2;
    }
    crowd.are_threads = wakes.are_threads;
    rc = wakes_make();
    if (rc == 0)
        rc = bench_run_crowd(&crowd, &seconds);
    for (unsigned i = 0; rc == 0 && i < 2; i++)
        rc = bench_board->slips[i].count == (uint64_t)wakes_count ? 0 : -EBADMSG;
    return bench_say(argv[0], rc, seconds);
}

#endif
