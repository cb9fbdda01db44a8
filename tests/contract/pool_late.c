/* A library that a test loads when its pool has long been made.
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

int pool_late_cube(const void *in, void *out, void *ctx);

__attribute__((visibility("default"))) int pool_late_cube(const void *in, void *out, void *ctx)
{
    long n;

    (void)ctx;
    memcpy(&n, in, sizeof n);
    n = n * n * n;
    memcpy(out, &n, sizeof n);
    return 0;
}
