/* _Thread_local variables of the program: the limit of a task-local one.
 * SPDX-License-Identifier: MIT
 */
#include "locals.h"

static _Thread_local long variables[LOCALS_MANY];

static int locals_make(void)
{
    return 0;
}

static long *locals_first(void)
{
    return &variables[0];
}

static long *locals_last(void)
{
    return &variables[LOCALS_MANY - 1];
}

int main(int argc, char **argv)
{
    locals_values[0] = 0; /* the values are in the variables */
    return locals_main(argc, argv);
}
