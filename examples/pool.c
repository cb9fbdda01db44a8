/* A thousand squares, computed by processes.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include <stdio.h>

static int square(const void *in, void *out, void *ctx)
{
    long n = *(const long *)in;

    (void)ctx;
    *(long *)out = n * n;
    return 0;
}

int main(int argc, char **argv)
{
    long n[1000], squares[1000];
    plait_pool *pool = NULL;
    int rc = plait_init(&argc, &argv);

    for (long i = 0; i < 1000; i++)
        n[i] = i;
    if (rc == 0)
        rc = plait_pool_create(&pool, PLAIT_PROCESS, NULL); /* or PLAIT_THREAD */
    if (rc == 0)
        rc = plait_pool_map(pool, square, PLAIT_IN(n), PLAIT_OUT(squares), NULL, PLAIT_FOREVER);
    plait_pool_destroy(pool);
    if (rc != 0) { /* < 0: an error; > 0: so many items did not end in a value */
        fprintf(stderr, "%s\n", plait_strerror(rc));
        return 1;
    }
    printf("%ld\n", squares[999]);
}

/* prints:
 * 998001
 */
