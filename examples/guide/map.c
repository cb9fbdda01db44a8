/* One function for all items of an array.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

static int square(const void *in, void *out, void *ctx)
{
    (void)ctx;
    *(int *)out = *(const int *)in * *(const int *)in;
    return 0;
}

int main(int argc, char **argv)
{
    int numbers[] = { 1, 2, 3, 4, 5 }, squares[5];
    plait_pool *pool = NULL;
    int rc;

    plait_init(&argc, &argv);
    if (plait_pool_create(&pool, PLAIT_PROCESS, NULL) < 0)
        return 1;
    rc = plait_pool_map(pool, square, PLAIT_IN(numbers), PLAIT_OUT(squares), NULL, PLAIT_FOREVER);
    plait_pool_destroy(pool);
    if (rc != 0)
        return 1; /* negative: an error; else how many items have no value */
    for (int i = 0; i < 5; i++)
        printf("%d ", squares[i]);
    puts("");
}
