/* Two tasks talk through a pipe: one asks, the other answers, and the end of file says that all is said.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

static plait_pipe *asker, *answerer;

static int answer(void *arg)
{
    long n;

    (void)arg;
    plait_pipe_close(asker); /* a process has both ends: let go of the other's */
    while (plait_pipe_recv(answerer, &n, sizeof n, PLAIT_FOREVER) == sizeof n) {
        n *= n;
        plait_pipe_send(answerer, &n, sizeof n, PLAIT_FOREVER);
    }
    return 0; /* the asker has closed its end: the end of file */
}

int main(int argc, char **argv)
{
    plait_task *task = NULL;
    int rc = plait_init(&argc, &argv);

    if (rc == 0)
        rc = plait_pipe_create(&asker, &answerer, NULL);
    if (rc == 0)
        rc = plait_task_start(&task, PLAIT_PROCESS, answer, NULL, NULL);
    plait_pipe_destroy(answerer);
    for (long n = 2; rc == 0 && n < 1000; n *= 7) {
        long square;
        rc = plait_pipe_send(asker, &n, sizeof n, plait_after_ms(5000));
        if (rc == 0 &&
            plait_pipe_recv(asker, &square, sizeof square, plait_after_ms(5000)) == sizeof square)
            printf("%ld * %ld = %ld\n", n, n, square);
    }
    plait_pipe_destroy(asker);
    if (rc == 0)
        rc = plait_task_join(task, PLAIT_FOREVER);
    plait_task_destroy(task);
    if (rc < 0)
        fprintf(stderr, "%s\n", plait_strerror(rc));
    return rc < 0;
}

/* prints:
 * 2 * 2 = 4
 * 14 * 14 = 196
 * 98 * 98 = 9604
 * 686 * 686 = 470596
 */
