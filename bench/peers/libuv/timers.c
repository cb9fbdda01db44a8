/* libuv's timers, armed and stopped; no coroutines.
 * SPDX-License-Identifier: MIT
 */
#include "bench.h"
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum {
    AT_ONCE = 10000 /* as in coroutines.h */
};

static void ring(uv_timer_t *timer)
{
    (void)timer;
    abort(); /* nobody waits so long */
}

static int arm_and_stop(uv_timer_t *timers, long n, uint32_t *random)
{
    int rc = 0;

    for (long i = 0; rc == 0 && i < n; i++) {
        *random = *random * 1664525u + 1013904223u;
        rc = uv_timer_start(&timers[i], ring, 60000 + (*random >> 16), 0);
    }
    if (rc == 0)
        uv_run(uv_default_loop(), UV_RUN_NOWAIT);
    for (long i = 0; rc == 0 && i < n; i++)
        rc = uv_timer_stop(&timers[i]);
    return rc;
}

int main(int argc, char **argv)
{
    long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    bool all = argc == 3 && strcmp(argv[1], "coroutine/timers-1M") == 0;
    long n = all ? count : (long)AT_ONCE;
    uv_timer_t *timers = calloc(n > 0 ? (size_t)n : 1, sizeof *timers);
    uint32_t random = 1;
    double begin;
    int rc = 0;

    if (count <= 0 || timers == NULL || (!all && strcmp(argv[1], "coroutine/timers") != 0)) {
        fprintf(stderr, "usage: %s coroutine/timers|coroutine/timers-1M COUNT\n", argv[0]);
        return 2;
    }
    for (long i = 0; i < n; i++)
        uv_timer_init(uv_default_loop(), &timers[i]);
    begin = bench_now();
    for (long left = count; rc == 0 && left > 0; left -= n)
        rc = arm_and_stop(timers, left < n ? left : n, &random);
    return bench_say(argv[0], rc, bench_now() - begin);
}
