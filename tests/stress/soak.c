/* The soak: its rounds, and what is measured behind each.
 * SPDX-License-Identifier: MIT
 *
 * PLAIT_SECONDS says how long; without it a second, as part of the checks.
 */
#include "soak.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    WARM_ROUNDS = 8,  /* until caches are full */
    LONG_S = 60,      /* from here on memory is looked at closely */
    SLACK_KIB = 1024, /* that it may grow from the second fifth of the time to the last one */
    SHORT_SLACK_KIB = 16384,
    SHORT_SLACK_FDS = 10, /* a loop has two as soon as a coroutine of it has waited for one */
    SIGNALS_US = 2000,    /* between two signals with a handler, of the program with one thread */
    LOOPS = 4,
};

struct measure {
    unsigned fds, threads;
    uint64_t blocks;
};

/* What the two programs tell. */
static struct tally {
    uint64_t rounds, signals;
    long early_kib, late_kib; /* memory, at most */
    unsigned fds;
} * tallies;

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static unsigned count_entries(const char *path)
{
    DIR *dir = opendir(path);
    unsigned n = 0;

    CHECK(dir != NULL);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n - 2; /* without . and .. */
}

/* A number in /proc/self/status. */
static long read_status(const char *name)
{
    char line[256];
    FILE *file = fopen("/proc/self/status", "re");
    long value = 0;

    CHECK(file != NULL);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            value = atol(line + strlen(name) + 1);
    fclose(file);
    return value;
}

static struct measure measure(void)
{
    struct measure measure = { .fds = count_entries("/proc/self/fd"),
                               .threads = count_entries("/proc/self/task") };
    plait_shared_usage usage;

    CHECK_INT(plait_shared_stats(&usage), 0);
    measure.blocks = usage.blocks;
    return measure;
}

static void keep_most(struct measure *most, const struct measure *now)
{
    most->blocks = now->blocks;
    most->fds = now->fds > most->fds ? now->fds : most->fds;
    most->threads = now->threads > most->threads ? now->threads : most->threads;
}

/* Behind a round no more than before: threads end a moment later than what they did. */
static void check_same(const struct measure *before)
{
    double until = now_s() + 20;
    struct measure now;

    do {
        now = measure();
        if (now.fds <= before->fds && now.blocks == before->blocks &&
            now.threads <= before->threads)
            return;
        usleep(200);
    } while (now_s() < until);
    test_fail(__FILE__, __LINE__, "%u descriptors, %u threads, %llu blocks, not %u, %u, %llu",
              now.fds, now.threads, (unsigned long long)now.blocks, before->fds, before->threads,
              (unsigned long long)before->blocks);
}

static void soak(void (*run_round)(uint64_t round), struct tally *tally, long seconds)
{
    double begin = now_s(), at = 0;
    struct measure before = { 0 };

    for (uint64_t i = 0; at < (double)seconds || i < 2 * WARM_ROUNDS; i++) {
        struct measure now;
        long kib;
        run_round(i);
        at = now_s() - begin;
        tally->rounds++;
        now = measure();
        if (i < WARM_ROUNDS || at < 0.4 * (double)seconds) {
            keep_most(&before, &now);
        } else {
            struct measure most = before;
            most.fds += seconds >= LONG_S ? 0 : SHORT_SLACK_FDS;
            check_same(&most);
        }
        kib = read_status("VmRSS:") + read_status("VmPTE:");
        if (at < 0.4 * (double)seconds && kib > tally->early_kib)
            tally->early_kib = kib;
        if (at >= 0.8 * (double)seconds && kib > tally->late_kib)
            tally->late_kib = kib;
    }
    tally->fds = before.fds;
}

/* ---- the two programs ---- */

static struct tally *own;

static void count_signal(int number)
{
    (void)number;
    own->signals++;
}

static void soak_with_forks(struct tally *tally, long seconds)
{
    const struct itimerval often = { { 0, SIGNALS_US }, { 0, SIGNALS_US } };
    sigset_t waited;

    own = tally;
    sigemptyset(&waited);
    sigaddset(&waited, SIGUSR1);
    CHECK_INT(sigprocmask(SIG_BLOCK, &waited, NULL), 0);
    sigaction(SIGALRM, &(struct sigaction){ .sa_handler = count_signal }, NULL);
    CHECK_INT(setitimer(ITIMER_REAL, &often, NULL), 0);
    soak(soak_fork_round, tally, seconds);
}

/* Threads of an offload are started as they are needed, and stay. */
static void soak_with_threads(struct tally *tally, long seconds)
{
    CHECK_INT(plait_loops_start(LOOPS - 1), 0);
    soak(soak_thread_round, tally, seconds);
}

static pid_t start(void (*fn)(struct tally *tally, long seconds), struct tally *tally, long seconds)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        fn(tally, seconds);
        exit(0);
    }
    return pid;
}

static void end(pid_t pid)
{
    int status;

    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

static void tell(const char *name, const struct tally *tally)
{
    printf("%s: %llu rounds, %llu signals, %u descriptors, %ld KiB early and %ld late; ", name,
           (unsigned long long)tally->rounds, (unsigned long long)tally->signals, tally->fds,
           tally->early_kib, tally->late_kib);
}

TEST_LIMIT(hours_of_everything_leave_no_more_memory_and_descriptors_than_minutes, 100)
{
    const char *text = getenv("PLAIT_SECONDS");
    long seconds = text != NULL && atol(text) > 0 ? atol(text) : 1;
    long slack = seconds >= LONG_S ? SLACK_KIB : SHORT_SLACK_KIB;
    pid_t forks, threads;

    tallies = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(tallies != MAP_FAILED);
    fflush(NULL);
    forks = start(soak_with_forks, &tallies[0], seconds);
    threads = start(soak_with_threads, &tallies[1], seconds);
    end(forks);
    end(threads);
    printf("soak: ");
    tell("with forks", &tallies[0]);
    tell("with threads", &tallies[1]);
    printf("%ld s\n", seconds);
    fflush(stdout);
    for (int i = 0; i < 2; i++)
        CHECK(tallies[i].early_kib == 0 || tallies[i].late_kib <= tallies[i].early_kib + slack);
}
