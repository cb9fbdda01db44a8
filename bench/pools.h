/* The pool-process/ and pool-thread/ scenarios: jobs for two workers, and what came of them.
 * SPDX-License-Identifier: MIT
 *
 *     #include "pools.h"
 *     static int make(void) { … }                                          // the workers
 *     static int map(const uint64_t *in, uint64_t *out, size_t n) { … }    // pools_trivial for each
 *     static int apply(const char *in, size_t n, uint64_t *ret) { … }      // pools_job, one
 *     static uint64_t fib(unsigned n) { … }                                // a task for each call
 *     static uint64_t queens(struct pools_board board) { … }               // and for each place
 *
 *     int main(int argc, char **argv)
 *     {
 *         static const struct pools_program program = { make, map, apply, fib, queens };
 *         return pools_main(argc, argv, &program);
 *     }
 *
 * What a program can't do is NULL there. Some jobs are done before the clock starts, so that the
 * workers are awake and have seen the function. All results are looked at.
 */
#ifndef PLAIT_BENCH_POOLS_H
#define PLAIT_BENCH_POOLS_H

#include "bench.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    POOLS_WORKERS = 2,
    POOLS_BATCH = 100000, /* items of one map, at most */
    POOLS_PAGE = 4096,
    POOLS_FIB = 27,
    POOLS_FIB_IS = 196418,
    POOLS_QUEENS = 12,
    POOLS_QUEENS_IS = 14200,
    POOLS_TASK_ROWS = 5 /* the rest of the board is searched by the task itself */
};

static const double pools_thinking = 100e-6;

/* Queens in the rows above, as the columns of this row that they take. */
struct pools_board {
    uint32_t row, columns, left, right;
};

struct pools_program {
    int (*make)(void);
    int (*map)(const uint64_t *in, uint64_t *out, size_t n);
    int (*apply)(const char *in, size_t n, uint64_t *ret);
    uint64_t (*fib)(unsigned n); /* called outside of the workers, as is queens */
    uint64_t (*queens)(struct pools_board board);
};

struct pools_known {
    const char *scenario;
    int (*run)(const struct pools_program *program, long count, double *ret_seconds);
    size_t chunk; /* of a map; 0: what the program takes by itself */
    size_t bytes; /* of a job's input */
    bool thinks;  /* until the workers are asleep */
};

static const struct pools_known *pools; /* what is asked for */

static inline uint64_t pools_trivial(uint64_t number)
{
    return number + 1;
}

/* Looks at each page. */
static inline uint64_t pools_job(const char *in, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i += POOLS_PAGE)
        sum += (unsigned char)in[i];
    return sum;
}

/* ---- fork and join: what all of them share ---- */

static inline struct pools_board pools_place(struct pools_board board, uint32_t column)
{
    struct pools_board next = { board.row + 1, board.columns | column, (board.left | column) << 1,
                                (board.right | column) >> 1 };

    return next;
}

/* The columns that are free, a bit each. */
static inline uint32_t pools_free(struct pools_board board)
{
    return ~(board.columns | board.left | board.right) & ((1u << POOLS_QUEENS) - 1);
}

/* Without tasks. */
static inline uint64_t pools_search(struct pools_board board)
{
    uint64_t found = 0;

    if (board.row == POOLS_QUEENS)
        return 1;
    for (uint32_t at = pools_free(board); at != 0; at &= at - 1)
        found += pools_search(pools_place(board, at & -at));
    return found;
}

/* ---- the loops ---- */

/* Seconds of the calls alone. */
static inline int pools_map_all(const struct pools_program *program, long count, uint64_t *in,
                                double *ret_seconds)
{
    uint64_t *out = in + POOLS_BATCH;

    *ret_seconds = 0;
    for (long done = 0; done < count;) {
        size_t n = count - done < POOLS_BATCH ? (size_t)(count - done) : (size_t)POOLS_BATCH;
        uint64_t first = (uint64_t)done, n_wrong = 0;
        double begin;
        int rc;

        for (size_t i = 0; i < n; i++)
            in[i] = first + i;
        begin = bench_now();
        rc = program->map(in, out, n);
        *ret_seconds += bench_now() - begin;
        for (size_t i = 0; i < n; i++)
            n_wrong += out[i] != pools_trivial(first + i);
        if (rc != 0)
            return rc < 0 ? rc : -EIO;
        if (n_wrong > 0)
            return -EBADMSG;
        done += (long)n;
    }
    return 0;
}

static inline int pools_map(const struct pools_program *program, long count, double *ret_seconds)
{
    uint64_t *memory = (uint64_t *)malloc(2 * POOLS_BATCH * sizeof *memory);
    int rc;

    if (memory == NULL)
        return -ENOMEM;
    memset(memory, 1, 2 * POOLS_BATCH * sizeof *memory);
    rc = pools_map_all(program, 64, memory, ret_seconds);
    if (rc == 0)
        rc = pools_map_all(program, count, memory, ret_seconds);
    free(memory);
    return rc;
}

static inline double pools_think(void)
{
    double begin = bench_now(), now = begin;

    while (pools->thinks && now < begin + pools_thinking)
        now = bench_now();
    return now - begin;
}

static inline int pools_apply_all(const struct pools_program *program, long count, char *in,
                                  double *ret_thought)
{
    uint64_t same = pools_job(in, pools->bytes) - (unsigned char)in[0], is = 0;
    int rc = 0;

    *ret_thought = 0;
    for (long i = 0; rc == 0 && i < count; i++) {
        *ret_thought += pools_think();
        in[0] = (char)i;
        rc = program->apply(in, pools->bytes, &is);
        if (rc == 0 && is != same + (unsigned char)in[0])
            rc = -EBADMSG;
    }
    return rc;
}

/* The program says where the input lies: by pools_input. */
static char *(*pools_input)(size_t bytes);

static inline int pools_apply(const struct pools_program *program, long count, double *ret_seconds)
{
    char *in = (char *)(pools_input != NULL ? pools_input(pools->bytes) : malloc(pools->bytes));
    double begin, thought = 0;
    int rc;

    if (in == NULL)
        return -ENOMEM;
    memset(in, 1, pools->bytes);
    rc = pools_apply_all(program, 2, in, &thought);
    begin = bench_now();
    if (rc == 0)
        rc = pools_apply_all(program, count, in, &thought);
    *ret_seconds = bench_now() - begin - thought;
    return rc;
}

static inline int pools_fib(const struct pools_program *program, long count, double *ret_seconds)
{
    bool is_right = program->fib(10) == 55;
    double begin = bench_now();

    for (long i = 0; is_right && i < count; i++)
        is_right = program->fib(POOLS_FIB) == POOLS_FIB_IS;
    *ret_seconds = bench_now() - begin;
    return is_right ? 0 : -EBADMSG;
}

static inline int pools_queens(const struct pools_program *program, long count, double *ret_seconds)
{
    struct pools_board empty = { 0, 0, 0, 0 };
    bool is_right = program->queens(empty) == POOLS_QUEENS_IS;
    double begin = bench_now();

    for (long i = 0; is_right && i < count; i++)
        is_right = program->queens(empty) == POOLS_QUEENS_IS;
    *ret_seconds = bench_now() - begin;
    return is_right ? 0 : -EBADMSG;
}

/* ---- */

static const struct pools_known pools_all[] = {
    { "pool-process/tasks-1", pools_map, 1, sizeof(uint64_t), false },
    { "pool-process/tasks-chunked", pools_map, 0, sizeof(uint64_t), false },
    { "pool-process/latency", pools_apply, 1, 64, true },
    { "pool-process/args-1KiB", pools_apply, 1, 1024, false },
    { "pool-process/args-1MiB", pools_apply, 1, 1 << 20, false },
    { "pool-process/args-64MiB", pools_apply, 1, 64 << 20, false },
    { "pool-thread/tasks-1", pools_map, 1, sizeof(uint64_t), false },
    { "pool-thread/fib", pools_fib, 0, 0, false },
    { "pool-thread/nqueens", pools_queens, 0, 0, false },
};

static inline int pools_main(int argc, char **argv, const struct pools_program *program)
{
    double seconds = 0;
    long count = argc >= 3 ? strtol(argv[argc - 1], NULL, 10) : 0;
    int rc;

    for (size_t i = 0; argc >= 3 && i < sizeof pools_all / sizeof pools_all[0]; i++)
        if (strcmp(argv[argc - 2], pools_all[i].scenario) == 0)
            pools = &pools_all[i];
    if (pools == NULL || count <= 0) {
        fprintf(stderr, "usage: %s [VARIANT] SCENARIO COUNT\n", argv[0]);
        return 2;
    }
    rc = program->make();
    if (rc == 0)
        rc = pools->run(program, count, &seconds);
    return bench_say(argv[0], rc, seconds);
}

#endif
