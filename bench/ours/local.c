/* plait: variables of which each task has its own.
 * SPDX-License-Identifier: MIT
 */
#include "locals.h"
#include <plait.h>

static plait_local variables[LOCALS_MANY];

static int locals_make(void)
{
    int rc = 0;

    for (int i = 0; i < LOCALS_MANY && rc == 0; i++)
        rc = plait_local_set(&variables[i], &locals_values[i]);
    return rc;
}

static long *locals_first(void)
{
    return plait_local_get(&variables[0]);
}

static long *locals_last(void)
{
    return plait_local_get(&variables[LOCALS_MANY - 1]);
}

int main(int argc, char **argv)
{
    return locals_main(argc, argv);
}
