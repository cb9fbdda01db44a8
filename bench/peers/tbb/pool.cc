/* TBB's task_group; two threads, one of which is the one that makes the tasks.
 * SPDX-License-Identifier: MIT
 */
#include "pools.h"
#include <tbb/global_control.h>
#include <tbb/task_group.h>

static int make(void)
{
    static tbb::global_control limit(tbb::global_control::max_allowed_parallelism, POOLS_WORKERS);

    return 0;
}

static int map(const uint64_t *in, uint64_t *out, size_t n)
{
    tbb::task_group group;

    for (size_t i = 0; i < n; i++)
        group.run([in, out, i] { out[i] = pools_trivial(in[i]); });
    group.wait();
    return 0;
}

static uint64_t fib(unsigned n)
{
    uint64_t one = 0, two;

    if (n < 2)
        return n;
    tbb::task_group group;
    group.run([&one, n] { one = fib(n - 1); });
    two = fib(n - 2);
    group.wait();
    return one + two;
}

static uint64_t queens(struct pools_board board)
{
    uint64_t found[POOLS_QUEENS] = { 0 }, sum = 0;
    unsigned n = 0;

    if (board.row == POOLS_TASK_ROWS)
        return pools_search(board);
    tbb::task_group group;
    for (uint32_t at = pools_free(board); at != 0; at &= at - 1, n++) {
        struct pools_board next = pools_place(board, at & -at);
        uint64_t *place = &found[n];
        group.run([place, next] { *place = queens(next); });
    }
    group.wait();
    for (unsigned i = 0; i < n; i++)
        sum += found[i];
    return sum;
}

int main(int argc, char **argv)
{
    static const struct pools_program program = { make, map, NULL, fib, queens };

    return pools_main(argc, argv, &program);
}
