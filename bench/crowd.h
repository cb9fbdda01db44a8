/* Several workers, processes or threads, that begin at the same moment; how long until the last is done.
 * SPDX-License-Identifier: MIT
 *
 * The workers get ready, and wait for the clock to start. Each says when it was done, and waits for
 * the others before it ends, so that no end of a process or connection is in the figure. Two
 * workers are pinned to a CPU each, where two are to be had; more share those of the program.
 */
#ifndef PLAIT_BENCH_CROWD_H
#define PLAIT_BENCH_CROWD_H

#include "../src/os/cpu.h"
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    BENCH_CROWD_MAX = 8,
    BENCH_LINE = 128 /* two cache lines: the one next to it is fetched along */
};

struct bench_crowd {
    unsigned n;
    bool are_threads;
    int (*enter)(unsigned number); /* before the clock starts; 0 or a negative errno; may be NULL */
    int (*work)(unsigned number);  /* 0 or a negative errno */
};

/* What a worker tells the others. */
struct bench_slip {
    double end;      /* when it was done */
    double thinking; /* seconds of it that are not in the figure */
    uint64_t count;  /* what it got; of use to the scenario */
    uint64_t sum;
    uint32_t is_done; /* atomic */
} __attribute__((aligned(BENCH_LINE)));

/* In memory that the workers share. */
struct bench_board {
    uint32_t ready; /* atomic: how many are */
    uint32_t go;    /* atomic */
    struct bench_slip slips[BENCH_CROWD_MAX];
};

static struct bench_board *bench_board;
static const struct bench_crowd *bench_crowd;

/* Zeroed, seen by forked processes; NULL: no memory. */
static inline void *bench_shared(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return at == MAP_FAILED ? NULL : at;
}

/* One of two equal rivals does the larger half of an odd count. */
static inline long bench_share(long count, unsigned number, unsigned n)
{
    return count / n + (number < (unsigned long)count % n);
}

static inline void bench_pin(unsigned number)
{
    cpu_set_t all, one;

    if (bench_crowd->n != 2 || sched_getaffinity(0, sizeof all, &all) < 0 || CPU_COUNT(&all) < 2)
        return;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all) && number-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            (void)sched_setaffinity(0, sizeof one, &one);
            return;
        }
}

static inline bool bench_all_done(void)
{
    for (unsigned i = 0; i < bench_crowd->n; i++)
        if (!__atomic_load_n(&bench_board->slips[i].is_done, __ATOMIC_ACQUIRE))
            return false;
    return true;
}

static inline int bench_worker(unsigned number)
{
    struct bench_slip *slip = &bench_board->slips[number];
    int rc;

    bench_pin(number);
    rc = bench_crowd->enter != NULL ? bench_crowd->enter(number) : 0;
    __atomic_add_fetch(&bench_board->ready, 1, __ATOMIC_SEQ_CST);
    while (rc == 0 && !__atomic_load_n(&bench_board->go, __ATOMIC_ACQUIRE))
        usleep(10);
    if (rc == 0)
        rc = bench_crowd->work(number);
    if (rc < 0) {
        fprintf(stderr, "worker %u: error %d: %s\n", number, rc, strerror(-rc));
        return rc;
    }
    slip->end = bench_now();
    __atomic_store_n(&slip->is_done, 1, __ATOMIC_RELEASE);
    while (!bench_all_done())
        usleep(500);
    return 0;
}

static inline void *bench_thread(void *number)
{
    if (bench_worker((unsigned)(uintptr_t)number) < 0)
        _exit(1); /* the others may wait for it for ever */
    return NULL;
}

static inline int bench_start_one(unsigned number, pthread_t *ret_thread, pid_t *ret_pid)
{
    if (bench_crowd->are_threads)
        return -pthread_create(ret_thread, NULL, bench_thread, (void *)(uintptr_t)number);
    *ret_pid = fork();
    if (*ret_pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(bench_worker(number) < 0);
    }
    return *ret_pid < 0 ? -errno : 0;
}

static inline void bench_end_all(const pid_t *pids)
{
    for (unsigned i = 0; i < bench_crowd->n; i++)
        if (pids[i] > 0)
            kill(pids[i], SIGKILL);
    while (waitpid(-1, NULL, 0) > 0)
        continue;
}

/* 1: one process has ended well · 0: none has ended. One that ended badly ends all: the others may
 * wait for it for ever. */
static inline int bench_reap(pid_t *pids, int options)
{
    int status = 0;
    pid_t pid = waitpid(-1, &status, options);

    if (pid <= 0)
        return pid < 0 ? -errno : 0;
    for (unsigned i = 0; i < bench_crowd->n; i++)
        if (pids[i] == pid)
            pids[i] = 0;
    if (status == 0)
        return 1;
    bench_end_all(pids);
    return -ECHILD;
}

static inline int bench_wait_until_ready(pid_t *pids)
{
    int rc = 0;

    while (rc == 0 && __atomic_load_n(&bench_board->ready, __ATOMIC_SEQ_CST) < bench_crowd->n) {
        usleep(100);
        if (!bench_crowd->are_threads)
            rc = bench_reap(pids, WNOHANG);
    }
    return rc > 0 ? -ECHILD : rc;
}

/* Seconds until the last is done, less what all were thinking. The board is there afterwards. */
static inline int bench_run_crowd(const struct bench_crowd *crowd, double *ret_seconds)
{
    pthread_t threads[BENCH_CROWD_MAX];
    pid_t pids[BENCH_CROWD_MAX] = { 0 };
    double begin, end = 0, thinking = 0;
    int rc = 0;

    bench_crowd = crowd;
    bench_board = (struct bench_board *)bench_shared(sizeof *bench_board);
    if (bench_board == NULL)
        return -ENOMEM;
    for (unsigned i = 0; rc == 0 && i < crowd->n; i++)
        rc = bench_start_one(i, &threads[i], &pids[i]);
    if (rc == 0)
        rc = bench_wait_until_ready(pids);
    begin = bench_now();
    __atomic_store_n(&bench_board->go, 1, __ATOMIC_RELEASE);
    for (unsigned i = 0; rc >= 0 && i < crowd->n; i++)
        rc = crowd->are_threads ? -pthread_join(threads[i], NULL) : bench_reap(pids, 0);
    for (unsigned i = 0; i < crowd->n; i++) {
        end = bench_board->slips[i].end > end ? bench_board->slips[i].end : end;
        thinking += bench_board->slips[i].thinking;
    }
    *ret_seconds = end - begin - thinking;
    return rc < 0 ? rc : 0;
}

#endif
