/* What the start-and-join programs share: arguments, clock, ballast, the timed loop.
 * SPDX-License-Identifier: MIT
 *
 *     static int start_join(void) { … }    // start one, wait for its end; 0 or a negative errno
 *
 *     int main(int argc, char **argv)
 *     {
 *         static const struct bench_case cases[] = {{"thread/start-join", start_join}};
 *         return bench_main(argc, argv, cases, 1);
 *     }
 *
 * Called as `program SCENARIO COUNT`; prints the seconds that COUNT rounds took, on one line. Ours and every peer run the
 * same loop, so that a difference between them is a difference between the calls they make. "-512MiB" or "-4GiB" at the
 * end of a scenario's name asks for that much touched memory in the parent; it is made before the clock starts, and so is a
 * first round, as there may be few.
 */
#ifndef PLAIT_BENCH_H
#define PLAIT_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* Prints the seconds, or what went wrong; the program's exit code. */
static inline int bench_say(const char *program, int rc, double seconds)
{
    if (rc < 0) {
        fprintf(stderr, "%s: error %d: %s\n", program, rc, strerror(-rc));
        return 1;
    }
    printf("%.9f\n", seconds);
    return 0;
}

struct bench_case {
    const char *scenario; /* without the suffix that asks for ballast */
    int (*once)(void);    /* one start and join; 0 or a negative errno */
};

static inline double bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Small pages, whatever the machine's setting is: huge ones make a fork's copy of the page table 512 times cheaper, and
 * what a program has after hours of malloc is rarely huge pages. */
static inline int bench_touch(size_t bytes)
{
    void *ballast = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (ballast == MAP_FAILED)
        return -1;
    (void)madvise(ballast, bytes,
                  MADV_NOHUGEPAGE); /* a kernel without huge pages refuses, rightly */
    for (size_t at = 0; at < bytes; at += 4096)
        ((char *)ballast)[at] = 1;
    return 0;
}

/* "-512MiB", "-4GiB"; "" is 0, and what is no size too. */
static inline size_t bench_ballast(const char *suffix)
{
    char *unit = NULL;
    size_t n = *suffix == '-' ? strtoul(suffix + 1, &unit, 10) : 0;

    if (n > 0 && strcmp(unit, "MiB") == 0)
        return n << 20;
    return n > 0 && strcmp(unit, "GiB") == 0 ? n << 30 : 0;
}

static inline const struct bench_case *
bench_find(const char *scenario, const struct bench_case *cases, size_t n, const char **ret_suffix)
{
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(cases[i].scenario);
        const char *suffix = scenario + length;

        if (strncmp(scenario, cases[i].scenario, length) == 0 &&
            (*suffix == '\0' || bench_ballast(suffix) > 0)) {
            *ret_suffix = suffix;
            return &cases[i];
        }
    }
    return NULL;
}

static inline int bench_main(int argc, char **argv, const struct bench_case *cases, size_t n_cases)
{
    const char *suffix = "";
    const struct bench_case *found =
        argc == 3 ? bench_find(argv[1], cases, n_cases, &suffix) : NULL;
    long count = found ? strtol(argv[2], NULL, 10) : 0;

    if (count <= 0) {
        fprintf(stderr, "usage: %s SCENARIO COUNT; scenarios:", argv[0]);
        for (size_t i = 0; i < n_cases; i++)
            fprintf(stderr, " %s", cases[i].scenario);
        fputc('\n', stderr);
        return 2;
    }
    if (*suffix != '\0' && bench_touch(bench_ballast(suffix)) < 0) {
        perror(suffix + 1);
        return 1;
    }

    double begin = bench_now();

    for (long i = *suffix != '\0' ? -1 : 0; i < count; i++) {
        if (i == 0)
            begin = bench_now();
        int rc = found->once();

        if (rc != 0) {
            fprintf(stderr, "%s: round %ld: error %d\n", argv[0], i, rc);
            return 1;
        }
    }
    printf("%.9f\n", bench_now() - begin);
    return 0;
}

#endif
