/* Two programs that were started apart from each other share a counter under a lock, by the name of
 * a segment. (This one starts the second by itself, so that the example is whole: it could as well
 * be another program, started in another shell.)
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct counter {
    plait_lock lock;
    long n;              /* lock */
    plait_barrier ready; /* both are here */
    plait_once made;     /* of the barrier: it has to know for how many it is */
};

static int make(void *counter)
{
    return plait_barrier_init(&((struct counter *)counter)->ready, 2);
}

static int count(struct counter *counter)
{
    int rc = plait_once_run(&counter->made, make, counter, PLAIT_FOREVER);

    if (rc == 0)
        rc = plait_barrier_wait(&counter->ready, plait_after_ms(30000));
    for (int i = 0; rc >= 0 && i < 1000; i++) {
        rc = plait_lock_acquire(&counter->lock, PLAIT_FOREVER);
        if (rc < 0)
            return rc; /* -EOWNERDEAD: the other one was killed in the middle */
        counter->n++;
        rc = plait_lock_release(&counter->lock);
    }
    return rc < 0 ? rc : 0;
}

int main(int argc, char **argv)
{
    plait_segment *segment = NULL;
    void *counter = NULL;
    char name[64];
    int rc;

    if (argc < 2) {
        snprintf(name, sizeof name, "example-%d", (int)getpid());
        if (fork() == 0) {
            execl("/proc/self/exe", argv[0], name, (char *)NULL);
            _exit(1);
        }
    }
    rc = plait_segment_open(&segment, argc < 2 ? name : argv[1], NULL, plait_after_ms(30000));
    if (rc == 0)
        rc = plait_segment_get(segment, &counter, "counter", sizeof(struct counter), PLAIT_FOREVER);
    if (rc == 0)
        rc = count(counter);
    if (argc < 2) {
        wait(NULL);
        if (rc == 0)
            printf("the counter is at %ld\n", ((struct counter *)counter)->n);
    }
    if (rc < 0)
        fprintf(stderr, "%s\n", plait_strerror(rc));
    plait_segment_close(segment);
    return rc < 0;
}

/* prints:
 * the counter is at 2000
 */
