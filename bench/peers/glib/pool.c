/* GLib's GThreadPool.
 * SPDX-License-Identifier: MIT
 */
#include "pools.h"
#include <glib.h>

static GThreadPool *pool;
static GMutex lock;
static GCond all_done;
static gint left; /* atomic */
static const uint64_t *inputs;
static uint64_t *outputs;

static void work(gpointer data, gpointer nothing)
{
    const uint64_t *in = data;

    (void)nothing;
    outputs[in - inputs] = pools_trivial(*in);
    if (g_atomic_int_dec_and_test(&left)) {
        g_mutex_lock(&lock);
        g_cond_signal(&all_done);
        g_mutex_unlock(&lock);
    }
}

static int make(void)
{
    pool = g_thread_pool_new(work, NULL, POOLS_WORKERS, TRUE, NULL);
    return pool != NULL ? 0 : -EAGAIN;
}

static int map(const uint64_t *in, uint64_t *out, size_t n)
{
    inputs = in;
    outputs = out;
    g_atomic_int_set(&left, (gint)n);
    for (size_t i = 0; i < n; i++)
        g_thread_pool_push(pool, (gpointer)(uintptr_t)&in[i], NULL);
    g_mutex_lock(&lock);
    while (g_atomic_int_get(&left) > 0)
        g_cond_wait(&all_done, &lock);
    g_mutex_unlock(&lock);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct pools_program program = { make, map, NULL, NULL, NULL };

    return pools_main(argc, argv, &program);
}
