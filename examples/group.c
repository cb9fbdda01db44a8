/* At most three downloads at a time, and all end when one fails.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <plait.h>
#include <stdio.h>

static int fetch(void *arg)
{
    int number = *(int *)arg;

    if (number == 7)
        return -ECONNREFUSED;
    return plait_sleep(plait_after_ms(number < 7 ? 1 : 60000));
}

int main(int argc, char **argv)
{
    plait_group *group = NULL;
    plait_group_opts opts = { .max_running = 3, .cancel_on_error = true };
    int rc = plait_init(&argc, &argv);

    if (rc == 0)
        rc = plait_group_create(&group, &opts);
    for (int i = 0; rc == 0 && i < 100; i++)
        rc = plait_group_go_copy(group, fetch, &i, sizeof i, PLAIT_FOREVER);
    if (rc == -EPIPE)
        puts("it was called off");
    rc = plait_group_join(group, PLAIT_FOREVER);
    if (rc > 0)
        printf("%d failed: %s\n", rc, plait_strerror(plait_group_error(group)));
    plait_group_destroy(group);
    return rc < 0;
}

/* prints:
 * it was called off
 * 1 failed: Connection refused
 */
