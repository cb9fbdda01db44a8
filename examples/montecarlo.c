/* Pi by throwing darts: the same digits for any number of workers, processes or threads.
 * SPDX-License-Identifier: MIT
 *
 * A random number is not the next one of a generator that somebody has to own: it is a mix of its
 * position. So a chunk of darts gives the same hits whoever throws it, and whenever.
 */
#include <plait.h>

#include <stdint.h>
#include <stdio.h>

enum {
    CHUNKS = 200,
    DARTS = 20000, /* of a chunk */
};

/* The number at a position: the finalizer of splitmix64. */
static double random_at(uint64_t position)
{
    uint64_t x = position * UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((x ^ x >> 31) >> 11) * 0x1p-53;
}

static int throw_darts(const void *in, void *out, void *ctx)
{
    uint64_t position = *(const uint64_t *)in * DARTS * 2 + 1;
    int64_t hits = 0;

    (void)ctx;
    for (int i = 0; i < DARTS; i++, position += 2) {
        double x = random_at(position), y = random_at(position + 1);
        hits += x * x + y * y < 1;
    }
    *(int64_t *)out = hits;
    return 0;
}

/* Pi, or what went wrong. */
static int estimate(double *ret, plait_kind kind, size_t workers)
{
    uint64_t chunks[CHUNKS];
    int64_t hits[CHUNKS], sum = 0;
    plait_pool *pool = NULL;
    plait_pool_opts opts = { .workers = workers };
    int rc = plait_pool_create(&pool, kind, &opts);

    for (uint64_t i = 0; i < CHUNKS; i++)
        chunks[i] = i;
    if (rc == 0)
        rc = plait_pool_map(pool, throw_darts, PLAIT_IN(chunks), PLAIT_OUT(hits), NULL,
                            PLAIT_FOREVER);
    plait_pool_destroy(pool);
    for (int i = 0; i < CHUNKS && rc == 0; i++)
        sum += hits[i];
    *ret = 4.0 * (double)sum / ((double)CHUNKS * DARTS);
    return rc;
}

int main(int argc, char **argv)
{
    static const plait_kind kinds[] = { PLAIT_PROCESS, PLAIT_THREAD };
    double first = 0, pi;
    int rc = plait_init(&argc, &argv);

    for (int i = 0; i < 8 && rc == 0; i++) {
        rc = estimate(&pi, kinds[i / 4], 1 + (size_t)i % 4);
        if (i == 0)
            first = pi;
        if (rc == 0 && pi != first) {
            printf("%.17g is not %.17g\n", pi, first);
            rc = 1;
        }
    }
    if (rc != 0)
        return 1;
    printf("pi is about %.6f: to the last bit with 1, 2, 3 or 4 processes or threads\n", first);
    return 0;
}

/* prints:
 * pi is about 3.141517: to the last bit with 1, 2, 3 or 4 processes or threads
 */
