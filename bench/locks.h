/* The lock/ and semaphore/ scenarios: taken and given back, by one alone or by several at once.
 * SPDX-License-Identifier: MIT
 *
 *     #include "locks.h"
 *     static int locks_make(const char *variant) { … }  // in locks_memory, zeroed; before the workers
 *     static int locks_acquire(void) { … }              // a lock
 *     static int locks_release(void) { … }
 *     static int locks_take(void) { … }                 // the unit of a semaphore
 *     static int locks_give(void) { … }
 *
 *     int main(int argc, char **argv) { return locks_main(argc, argv); }
 *
 * They are static, so that they are inlined into the one loop that all programs run. In it a counter
 * is raised between the two calls: it shows at the end that nobody was in there at the same time.
 */
#ifndef PLAIT_BENCH_LOCKS_H
#define PLAIT_BENCH_LOCKS_H

#include "crowd.h"

struct locks {
    const char *scenario;
    unsigned workers; /* 1: nobody else wants it; but a second thread is alive */
    bool are_threads;
    bool is_semaphore;
};

static const struct locks locks_known[] = {
    { "lock/uncontended", 1, true, false },
    { "lock/contended-processes", 2, false, false },
    { "lock/contended-threads", 4, true, false },
    { "semaphore/uncontended", 1, true, true },
    { "semaphore/contended-processes", 2, false, true },
    { "semaphore/contended-threads", 4, true, true },
};

static struct locks locks;
static long locks_count;
static void *locks_memory;      /* a page; of all processes */
static uint64_t *locks_counter; /* the lock's; in another page */

static int locks_make(const char *variant);
static int locks_acquire(void);
static int locks_release(void);
static int locks_take(void);
static int locks_give(void);

static inline __attribute__((always_inline)) int locks_repeat(int (*in)(void), int (*out)(void),
                                                              long count)
{
    int rc = 0;

    for (long i = 0; rc == 0 && i < count; i++) {
        rc = in();
        if (rc == 0) {
            (*(volatile uint64_t *)locks_counter)++;
            rc = out();
        }
    }
    return rc;
}

static int locks_work(unsigned number)
{
    long share = bench_share(locks_count, number, locks.workers);

    return locks.is_semaphore ? locks_repeat(locks_take, locks_give, share)
                              : locks_repeat(locks_acquire, locks_release, share);
}

static void *locks_idle(void *arg)
{
    (void)arg;
    for (;;)
        pause();
    return NULL;
}

/* With one thread a C library may leave out what makes a lock one. */
static inline int locks_prepare(const char *variant)
{
    pthread_t idle;

    locks_memory = bench_shared(4096);
    locks_counter = (uint64_t *)bench_shared(4096);
    if (locks_memory == NULL || locks_counter == NULL)
        return -ENOMEM;
    if (locks.workers == 1 && pthread_create(&idle, NULL, locks_idle, NULL) != 0)
        return -EAGAIN;
    return locks_make(variant);
}

static inline int locks_main(int argc, char **argv)
{
    struct bench_crowd crowd = { 0, false, NULL, locks_work };
    double seconds = 0;
    int rc;

    for (size_t i = 0; argc >= 3 && i < sizeof locks_known / sizeof locks_known[0]; i++)
        if (strcmp(argv[argc - 2], locks_known[i].scenario) == 0)
            locks = locks_known[i];
    locks_count = argc >= 3 ? strtol(argv[argc - 1], NULL, 10) : 0;
    if (locks.scenario == NULL || locks_count <= 0) {
        fprintf(stderr, "usage: %s [VARIANT] SCENARIO COUNT\n", argv[0]);
        return 2;
    }
    crowd.n = locks.workers;
    crowd.are_threads = locks.are_threads;
    rc = locks_prepare(argc == 4 ? argv[1] : "");
    if (rc == 0)
        rc = bench_run_crowd(&crowd, &seconds);
    if (rc == 0 && *locks_counter != (uint64_t)locks_count)
        rc = -EBADMSG;
    rc = bench_say(argv[0], rc, seconds);
    if (rc != 0)
        return rc;
    fflush(stdout);
    _exit(0); /* the idle thread has no end */
}

#endif
