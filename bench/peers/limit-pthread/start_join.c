/* pthread_create, pthread_join: the limit of a thread task.
 * SPDX-License-Identifier: MIT
 */
#include "bench.h"
#include <pthread.h>

static void *work(void *arg)
{
    return arg;
}

static int start_join(void)
{
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, work, NULL);

    return rc != 0 ? -rc : -pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = { { "thread/start-join", start_join } };

    return bench_main(argc, argv, cases, 1);
}
