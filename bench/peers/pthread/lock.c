/* pthread mutexes and POSIX semaphores: "private", "pshared"; mutexes also "robust", and shared.
 * SPDX-License-Identifier: MIT
 */
#include "locks.h"
#include <semaphore.h>

/* Far apart. */
struct objects {
    pthread_mutex_t mutex;
    sem_t semaphore __attribute__((aligned(1024)));
};

static struct objects private_objects;
static struct objects *objects = &private_objects;

static int locks_make(const char *variant)
{
    bool is_shared = strcmp(variant, "private") != 0;
    pthread_mutexattr_t attr;
    int rc = pthread_mutexattr_init(&attr);

    if (!is_shared && !locks.are_threads)
        return -EINVAL;
    if (is_shared) {
        objects = (struct objects *)locks_memory;
        rc = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    }
    if (rc == 0 && strcmp(variant, "robust") == 0)
        rc = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    if (rc == 0)
        rc = pthread_mutex_init(&objects->mutex, &attr);
    if (rc != 0)
        return -rc;
    return sem_init(&objects->semaphore, is_shared, 1) < 0 ? -errno : 0;
}

static int locks_acquire(void)
{
    return -pthread_mutex_lock(&objects->mutex);
}

static int locks_release(void)
{
    return -pthread_mutex_unlock(&objects->mutex);
}

static int locks_take(void)
{
    return sem_wait(&objects->semaphore) < 0 ? -errno : 0;
}

static int locks_give(void)
{
    return sem_post(&objects->semaphore) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
    return locks_main(argc, argv);
}
