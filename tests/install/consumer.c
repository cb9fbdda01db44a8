/* A program of a stranger's, in plain C11.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <plait.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    if (plait_init(&argc, &argv) < 0)
        return 1;
    printf("plait %s says %s\n", plait_version(), plait_errname(-ETIMEDOUT));
    return 0;
}
