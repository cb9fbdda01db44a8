/* A function that blocks its thread does not block the coroutines.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>
#include <unistd.h>

static int pipe_ends[2];

/* read(2) knows nothing of coroutines. */
static int read_one(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)ctx;
    return read(pipe_ends[0], out, 1) == 1 ? 0 : -1;
}

static int listen(void *arg)
{
    plait_job job = { .fn = read_one, .out_bytes = 1 };
    char letter;
    ssize_t n = plait_offload(PLAIT_OFFLOAD_ANY, &job, &letter, 1, plait_after_ms(60000));

    (void)arg;
    if (n == 1)
        printf("heard %c\n", letter);
    return 0;
}

static int speak(void *arg)
{
    (void)arg;
    puts("still here");
    return write(pipe_ends[1], "p", 1) == 1 ? 0 : -1;
}

int main(int argc, char **argv)
{
    plait_group *group = NULL;
    int rc = plait_init(&argc, &argv);

    if (rc == 0 && pipe(pipe_ends) == 0)
        rc = plait_group_create(&group, NULL);
    if (rc == 0)
        rc = plait_group_go(group, listen, NULL, PLAIT_NOWAIT);
    if (rc == 0)
        rc = plait_group_go(group, speak, NULL, PLAIT_NOWAIT);
    if (rc == 0)
        rc = plait_group_join(group, PLAIT_FOREVER);
    plait_group_destroy(group);
    return rc != 0;
}

/* prints:
 * still here
 * heard p
 */
