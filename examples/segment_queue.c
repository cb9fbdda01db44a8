/* Two programs that were started apart from each other: one puts jobs into a queue, one does them, by
 * the name of a segment. (This one starts the second by itself, so that the example is whole: it could
 * as well be another program, started in another shell.)
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const plait_queue_opts opts = { .max_items = 10 }; /* the same in both */

/* A queue of that name in the segment; whoever comes first makes it. */
static int open_queue(plait_segment *segment, const char *name, plait_queue **ret)
{
    size_t bytes = 0;
    void *block = NULL;
    int rc = plait_queue_bytes(&opts, &bytes);

    if (rc == 0)
        rc = plait_segment_get(segment, &block, name, bytes, PLAIT_FOREVER);
    return rc == 0 ? plait_queue_attach(ret, block, bytes, &opts) : rc;
}

static int put_jobs(plait_queue *jobs)
{
    int rc = 0;

    for (int i = 1; rc == 0 && i <= 100; i++)
        rc = plait_queue_put(jobs, &i, sizeof i, plait_after_ms(30000));
    plait_queue_close(jobs); /* there are no more */
    return rc;
}

/* A job is there until it is acked: if this process is killed before, somebody else does it. */
static int do_jobs(plait_queue *jobs)
{
    plait_lease lease;
    long sum = 0;
    int rc, job;

    while ((rc = plait_queue_lease(jobs, &lease, plait_after_ms(30000))) == 0) {
        if (lease.size == sizeof job) {
            memcpy(&job, lease.bytes, sizeof job);
            sum += job;
        }
        plait_queue_ack(&lease);
    }
    if (rc == -EPIPE) /* closed, and all is done */
        printf("the sum of the jobs is %ld\n", sum);
    return rc == -EPIPE ? 0 : rc;
}

int main(int argc, char **argv)
{
    plait_segment *segment = NULL;
    plait_queue *jobs = NULL;
    char name[64];
    int rc;

    if (argc < 2) {
        snprintf(name, sizeof name, "example-queue-%d", (int)getpid());
        if (fork() == 0) {
            execl("/proc/self/exe", argv[0], name, (char *)NULL);
            _exit(1);
        }
    }
    rc = plait_segment_open(&segment, argc < 2 ? name : argv[1], NULL, plait_after_ms(30000));
    if (rc == 0)
        rc = open_queue(segment, "jobs", &jobs);
    if (rc == 0)
        rc = argc < 2 ? do_jobs(jobs) : put_jobs(jobs);
    if (rc < 0)
        fprintf(stderr, "%s\n", plait_strerror(rc));
    plait_queue_destroy(jobs);
    if (argc < 2)
        wait(NULL);
    plait_segment_close(segment);
    return rc < 0;
}

/* prints:
 * the sum of the jobs is 5050
 */
