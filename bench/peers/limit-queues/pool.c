/* What a pool of processes could reach on plait's queue: a queue of jobs to two workers, and a queue
 * of results back.
 * SPDX-License-Identifier: MIT
 */
#include "pools.h"
#include <plait.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    AHEAD = 256, /* jobs on their way */
    LARGEST = 1024
};

struct message {
    uint64_t at;
    uint64_t number;
};

static plait_queue *jobs, *results;

/* A message of another size is the input of a job. */
static int work(void)
{
    static char in[LARGEST];
    int rc;

    do {
        ssize_t n = plait_queue_get(jobs, in, sizeof in, PLAIT_FOREVER);
        struct message message = { 0, 0 };
        if (n == sizeof message) {
            memcpy(&message, in, sizeof message);
            message.number = pools_trivial(message.number);
        } else if (n >= 0) {
            message.number = pools_job(in, (size_t)n);
        }
        rc = n < 0 ? (int)n : plait_queue_put(results, &message, sizeof message, PLAIT_FOREVER);
    } while (rc == 0);
    return rc;
}

static int make(void)
{
    plait_queue_opts to = { .single_producer = true }, fro = { .single_consumer = true };
    pid_t master = getpid();
    int rc = plait_queue_create(&jobs, &to);

    if (rc == 0)
        rc = plait_queue_create(&results, &fro);
    for (int i = 0; rc == 0 && i < POOLS_WORKERS; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            _exit(getppid() != master || work() < 0); /* it may have ended before we said so */
        }
        rc = pid < 0 ? -errno : 0;
    }
    return rc;
}

static int get_one(uint64_t *out)
{
    struct message message;
    ssize_t n = plait_queue_get(results, &message, sizeof message, PLAIT_FOREVER);

    if (n >= 0)
        out[message.at] = message.number;
    return n < 0 ? (int)n : 0;
}

static int map(const uint64_t *in, uint64_t *out, size_t n)
{
    size_t got = 0;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct message message = { i, in[i] };
        if (i - got == AHEAD) {
            rc = get_one(out);
            got++;
        }
        if (rc == 0)
            rc = plait_queue_put(jobs, &message, sizeof message, PLAIT_FOREVER);
    }
    for (; rc == 0 && got < n; got++)
        rc = get_one(out);
    return rc;
}

static int apply(const char *in, size_t n, uint64_t *ret)
{
    int rc = plait_queue_put(jobs, in, n, PLAIT_FOREVER);

    return rc < 0 ? rc : get_one(ret);
}

int main(int argc, char **argv)
{
    static const struct pools_program program = { make, map, apply, NULL, NULL };

    return pools_main(argc, argv, &program);
}
