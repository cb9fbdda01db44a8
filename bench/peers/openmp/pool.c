/* OpenMP tasks; two threads, one of which is the one that makes them.
 * SPDX-License-Identifier: MIT
 */
#include "pools.h"

static int make(void)
{
    return 0;
}

static int map(const uint64_t *in, uint64_t *out, size_t n)
{
#pragma omp parallel num_threads(POOLS_WORKERS)
#pragma omp single
    for (size_t i = 0; i < n; i++) {
#pragma omp task firstprivate(i)
        out[i] = pools_trivial(in[i]);
    }
    return 0;
}

static uint64_t fib_task(unsigned n)
{
    uint64_t one, two;

    if (n < 2)
        return n;
#pragma omp task shared(one)
    one = fib_task(n - 1);
    two = fib_task(n - 2);
#pragma omp taskwait
    return one + two;
}

static uint64_t fib(unsigned n)
{
    uint64_t result = 0;

#pragma omp parallel num_threads(POOLS_WORKERS)
#pragma omp single
    result = fib_task(n);
    return result;
}

static uint64_t queens_task(struct pools_board board)
{
    uint64_t found[POOLS_QUEENS] = { 0 }, sum = 0;
    unsigned n = 0;

    if (board.row == POOLS_TASK_ROWS)
        return pools_search(board);
    for (uint32_t at = pools_free(board); at != 0; at &= at - 1, n++) {
        struct pools_board next = pools_place(board, at & -at);
#pragma omp task shared(found) firstprivate(n, next)
        found[n] = queens_task(next);
    }
#pragma omp taskwait
    for (unsigned i = 0; i < n; i++)
        sum += found[i];
    return sum;
}

static uint64_t queens(struct pools_board board)
{
    uint64_t result = 0;

#pragma omp parallel num_threads(POOLS_WORKERS)
#pragma omp single
    result = queens_task(board);
    return result;
}

int main(int argc, char **argv)
{
    static const struct pools_program program = { make, map, NULL, fib, queens };

    return pools_main(argc, argv, &program);
}
