/* pthread_getspecific.
 * SPDX-License-Identifier: MIT
 */
#include "locals.h"
#include <pthread.h>

static pthread_key_t keys[LOCALS_MANY];

static int locals_make(void)
{
    int rc = 0;

    for (int i = 0; i < LOCALS_MANY && rc == 0; i++) {
        rc = pthread_key_create(&keys[i], NULL);
        if (rc == 0)
            rc = pthread_setspecific(keys[i], &locals_values[i]);
    }
    return -rc;
}

static long *locals_first(void)
{
    return pthread_getspecific(keys[0]);
}

static long *locals_last(void)
{
    return pthread_getspecific(keys[LOCALS_MANY - 1]);
}

int main(int argc, char **argv)
{
    return locals_main(argc, argv);
}
