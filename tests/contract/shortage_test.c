/* No descriptors are left: what is shared does without. (No memory: src/family/heap_test.c.)
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

/* Forks one that takes all of it, and is killed with it. */
static void die_with(plait_lock *lock, plait_held_semaphore *held, plait_queue *queue)
{
    int status;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        const void *item = NULL;
        CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), 0);
        CHECK_INT(plait_held_semaphore_acquire(held, PLAIT_FOREVER), 0);
        CHECK_INT(plait_queue_borrow(queue, &item, PLAIT_FOREVER), 4);
        raise(SIGKILL);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
}

TEST(a_death_is_noticed_without_a_descriptor_left)
{
    plait_lock *lock = plait_shared_alloc(sizeof *lock);
    plait_held_semaphore *held = plait_shared_alloc(sizeof *held);
    plait_queue *queue = NULL;
    struct rlimit limit;
    char item[4];
    int fd;

    CHECK(lock != NULL && held != NULL);
    CHECK_INT(plait_held_semaphore_init(held, 1), 0);
    CHECK_INT(plait_queue_create(&queue, NULL), 0);
    CHECK_INT(plait_queue_put(queue, "item", 4, PLAIT_FOREVER), 0);
    die_with(lock, held, queue);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, limit.rlim_max }), 0);
    fd = dup(0);
    CHECK(fd == -1 && errno == EMFILE); /* the limit bites */
    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), -EOWNERDEAD);
    CHECK_INT(plait_lock_recover(lock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_held_semaphore_acquire(held, PLAIT_FOREVER), 0);
    CHECK_INT(plait_queue_get(queue, item, sizeof item, PLAIT_FOREVER), 4);
    CHECK_MEM(item, 4, "item", 4);
    plait_queue_destroy(queue);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0); /* a sanitizer needs some at the end */
}
