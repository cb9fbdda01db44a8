/* Functions that block, run in threads that plait keeps for that.
 * SPDX-License-Identifier: MIT
 *
 * One pool of threads for each class, made at its first use, which gets a thread more when there are
 * more calls than threads. Never destroyed: at the end of the process somebody may be within a call.
 */
#include <plait/offload.h>

#include "family/self.h"
#include "os/thread.h"
#include "wait/mutex.h"

#include <errno.h>
#include <stdbool.h>

enum {
    CLASSES = 3,
    THREADS_MOST = 64
};

static struct plait__mutex lock;

static struct {
    plait_pool *pool;
    pid_t owner;
    size_t n_threads;
    size_t n_calls;     /* under way */
    size_t n_abandoned; /* of those that nobody waited for any longer, as many as may run still */
} classes[CLASSES];     /* lock */

/* In a forked child: whoever had the lock is not there. */
static void reset(void)
{
    plait__mutex_reset(&lock);
}

/* pre: lock */
static int make_pool(plait_offload_class where)
{
    static const char *const names[CLASSES] = { "plait-any", "plait-dns", "plait-disk" };
    static bool has_handler; /* lock */
    plait_pool_opts opts = { .workers = 1, .name = names[where] };
    plait_pool *pool = NULL;
    int rc;

    if (!has_handler && plait__os_at_fork_child(reset) < 0)
        return -ENOMEM;
    has_handler = true;
    rc = plait_pool_create(&pool, PLAIT_THREAD, &opts);
    if (rc < 0)
        return rc;
    plait_pool_destroy(classes[where].pool); /* a parent's: frees memory */
    classes[where].pool = pool;
    classes[where].owner = plait__self_pid();
    classes[where].n_threads = 1;
    classes[where].n_calls = classes[where].n_abandoned = 0;
    return 0;
}

/* pre: lock; one more call has begun. */
static void add_thread(plait_offload_class where)
{
    plait_pool_usage usage;
    size_t wanted;

    if (classes[where].n_abandoned > 0 && plait_pool_stats(classes[where].pool, &usage) == 0 &&
        usage.running < classes[where].n_abandoned)
        classes[where].n_abandoned = usage.running;
    wanted = classes[where].n_calls + classes[where].n_abandoned;
    if (wanted > THREADS_MOST)
        wanted = THREADS_MOST;
    /* a failure is no harm: the call waits for another one to end */
    if (wanted > classes[where].n_threads && plait_pool_resize(classes[where].pool, wanted) == 0)
        classes[where].n_threads = wanted;
}

/* The pool, with a thread for one more call if there may be one. */
static int enter(plait_offload_class where, plait_pool **ret)
{
    int rc = 0;

    plait__mutex_lock(&lock);
    if (classes[where].owner != plait__self_pid())
        rc = make_pool(where);
    if (rc == 0) {
        classes[where].n_calls++;
        add_thread(where);
        *ret = classes[where].pool;
    }
    plait__mutex_unlock(&lock);
    return rc;
}

static void leave(plait_offload_class where, bool is_abandoned)
{
    plait__mutex_lock(&lock);
    if (classes[where].owner == plait__self_pid()) { /* else a callback has forked this child */
        classes[where].n_calls--;
        classes[where].n_abandoned += is_abandoned;
    }
    plait__mutex_unlock(&lock);
}

/* NOLINTNEXTLINE(readability-function-size): one more parameter, for bindings only */
ssize_t plait_offload_sized(plait_offload_class where, const plait_job *job, size_t job_bytes,
                            void *out, size_t cap, plait_deadline until)
{
    plait_pool *pool = NULL;
    ssize_t rc;

    if ((unsigned)where >= CLASSES)
        return -EINVAL;
    rc = enter(where, &pool);
    if (rc < 0)
        return rc;
    rc = plait_pool_apply_sized(pool, job, job_bytes, out, cap, until);
    leave(where, rc == -ETIMEDOUT || rc == -ECANCELED);
    return rc;
}
