/* libuv's uv_queue_work; the end of each comes back through its loop.
 * SPDX-License-Identifier: MIT
 */
#include "pools.h"
#include <uv.h>

static uv_work_t *requests;
static const uint64_t *inputs;
static uint64_t *outputs;
static int first_error;

static void work(uv_work_t *request)
{
    size_t i = (size_t)(request - requests);

    outputs[i] = pools_trivial(inputs[i]);
}

static void after(uv_work_t *request, int status)
{
    (void)request;
    if (status < 0)
        first_error = status;
}

static int make(void)
{
    char workers[16];

    snprintf(workers, sizeof workers, "%d", POOLS_WORKERS);
    setenv("UV_THREADPOOL_SIZE", workers, 1);
    requests = calloc(POOLS_BATCH, sizeof *requests);
    return requests != NULL ? 0 : -ENOMEM;
}

static int map(const uint64_t *in, uint64_t *out, size_t n)
{
    int rc = 0;

    inputs = in;
    outputs = out;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = uv_queue_work(uv_default_loop(), &requests[i], work, after);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    return rc < 0 ? rc : first_error;
}

int main(int argc, char **argv)
{
    static const struct pools_program program = { make, map, NULL, NULL, NULL };

    return pools_main(argc, argv, &program);
}
