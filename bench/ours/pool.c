/* plait's pools, of processes and of threads.
 * SPDX-License-Identifier: MIT
 *
 *     pool SCENARIO COUNT          map; apply, of input in private memory
 *     pool submit SCENARIO COUNT   a future for each item
 *     pool heap SCENARIO COUNT     the input lies in the family's heap
 */
#include "pools.h"
#include <plait.h>

static plait_pool *pool;
static plait_kind kind;

static int make(void)
{
    plait_pool_opts opts = { .workers = POOLS_WORKERS };

    return plait_pool_create(&pool, kind, &opts);
}

/* ---- map and apply ---- */

static int trivial_job(const void *in, void *out, void *ctx)
{
    (void)ctx;
    *(uint64_t *)out = pools_trivial(*(const uint64_t *)in);
    return 0;
}

static int map(const uint64_t *in, uint64_t *out, size_t n)
{
    plait_map_opts opts = { .chunk = pools->chunk };

    return plait_pool_map(pool, trivial_job, plait_items_of(in, sizeof *in, n),
                          plait_items_of(out, sizeof *out, n), &opts, PLAIT_FOREVER);
}

static int submit_and_get(const uint64_t *in, uint64_t *out, size_t n)
{
    static plait_future *futures[POOLS_BATCH];
    size_t submitted = 0;
    int rc = 0;

    for (; rc == 0 && submitted < n; submitted += rc == 0) {
        plait_job job = { .fn = trivial_job,
                          .in = &in[submitted],
                          .in_bytes = sizeof *in,
                          .out_bytes = sizeof *out };
        rc = plait_pool_submit(pool, &futures[submitted], &job, PLAIT_FOREVER);
    }
    for (size_t i = 0; i < submitted; i++) {
        ssize_t got = plait_future_get(futures[i], &out[i], sizeof *out, PLAIT_FOREVER);
        if (got < 0 && rc == 0)
            rc = (int)got;
        plait_future_unref(futures[i]);
    }
    return rc;
}

static int look_job(const void *in, void *out, void *ctx)
{
    (void)ctx;
    *(uint64_t *)out = pools_job(in, pools->bytes);
    return 0;
}

static int apply(const char *in, size_t n, uint64_t *ret)
{
    plait_job job = { .fn = look_job, .in = in, .in_bytes = n, .out_bytes = sizeof *ret };
    ssize_t got = plait_pool_apply(pool, &job, ret, sizeof *ret, PLAIT_FOREVER);

    return got < 0 ? (int)got : 0;
}

static char *input_in_heap(size_t bytes)
{
    return plait_shared_alloc(bytes);
}

/* ---- fork and join ---- */

static int fib_job(const void *in, void *out, void *ctx)
{
    uint64_t n = *(const uint64_t *)in, less[2] = { n - 1, n - 2 }, one, two;
    plait_job job = { .fn = fib_job, .in = &less[0], .in_bytes = sizeof n, .out_bytes = sizeof n };
    plait_future *future = NULL;
    ssize_t got;
    int rc;

    if (n < 2) {
        *(uint64_t *)out = n;
        return 0;
    }
    rc = plait_pool_submit(plait_pool_current(), &future, &job, PLAIT_FOREVER);
    if (rc < 0)
        return rc;
    rc = fib_job(&less[1], &two, ctx);
    got = plait_future_get(future, &one, sizeof one, PLAIT_FOREVER);
    plait_future_unref(future);
    *(uint64_t *)out = one + two;
    return got < 0 ? (int)got : rc;
}

static uint64_t fib(unsigned n)
{
    uint64_t number = n, result = 0;
    plait_job job = {
        .fn = fib_job, .in = &number, .in_bytes = sizeof number, .out_bytes = sizeof result
    };
    ssize_t got = plait_pool_apply(pool, &job, &result, sizeof result, PLAIT_FOREVER);

    return got < 0 ? 0 : result;
}

static int queens_job(const void *in, void *out, void *ctx)
{
    struct pools_board board = *(const struct pools_board *)in;
    plait_future *futures[POOLS_QUEENS];
    uint64_t found, *sum = out;
    unsigned n = 0;
    int rc = 0;

    (void)ctx;
    *sum = board.row == POOLS_TASK_ROWS ? pools_search(board) : 0;
    if (board.row == POOLS_TASK_ROWS)
        return 0;
    for (uint32_t at = pools_free(board); rc == 0 && at != 0; at &= at - 1) {
        struct pools_board next = pools_place(board, at & -at);
        plait_job job = {
            .fn = queens_job, .in = &next, .in_bytes = sizeof next, .out_bytes = sizeof found
        };
        rc = plait_pool_submit(plait_pool_current(), &futures[n], &job, PLAIT_FOREVER);
        n += rc == 0;
    }
    /* the newest first: it is not likely that another worker has taken that one */
    while (n-- > 0) {
        ssize_t got = plait_future_get(futures[n], &found, sizeof found, PLAIT_FOREVER);
        plait_future_unref(futures[n]);
        *sum += got < 0 ? 0 : found;
        rc = got < 0 ? (int)got : rc;
    }
    return rc;
}

static uint64_t queens(struct pools_board board)
{
    uint64_t result = 0;
    plait_job job = {
        .fn = queens_job, .in = &board, .in_bytes = sizeof board, .out_bytes = sizeof result
    };
    ssize_t got = plait_pool_apply(pool, &job, &result, sizeof result, PLAIT_FOREVER);

    return got < 0 ? 0 : result;
}

/* ---- */

int main(int argc, char **argv)
{
    struct pools_program program = { make, map, apply, fib, queens };
    int rc = plait_init(&argc, &argv);

    if (rc < 0) {
        fprintf(stderr, "plait_init: %s\n", plait_strerror(rc));
        return 1;
    }
    if (argc == 4 && strcmp(argv[1], "submit") == 0)
        program.map = submit_and_get;
    if (argc == 4 && strcmp(argv[1], "heap") == 0)
        pools_input = input_in_heap;
    kind = argc >= 3 && strncmp(argv[argc - 2], "pool-thread/", 12) == 0 ? PLAIT_THREAD
                                                                         : PLAIT_PROCESS;
    rc = pools_main(argc, argv, &program);
    plait_pool_destroy(pool);
    return rc;
}
