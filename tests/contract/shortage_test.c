/* No descriptors, or no memory, are left: what is shared does without, or says so.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shortage.h"
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

TEST(a_full_heap_is_told_by_what_needs_room_in_it_and_by_nothing_else)
{
    static char large[40000], got[sizeof large];
    plait_queue_opts opts = { .max_bytes = 65536 };
    plait_queue *queue = NULL, *more = NULL;
    plait_priority_queue *sorted = NULL;
    void *last;

    limit_memory();
    CHECK_INT(plait_queue_create(&queue, &opts), 0);
    CHECK_INT(plait_queue_put(queue, "small", 5, PLAIT_NOWAIT), 0);
    last = take_all(1 << 20);
    CHECK(last != NULL);
    take_all(sizeof large);
    take_all(8192);
    CHECK_INT(plait_queue_create(&more, &opts), -ENOMEM);
    CHECK_INT(plait_priority_queue_create(&sorted, NULL), -ENOMEM);
    CHECK(more == NULL && sorted == NULL);
    CHECK_INT(plait_queue_put(queue, large, sizeof large, PLAIT_FOREVER), -ENOMEM);
    CHECK_INT(plait_queue_size(queue), 1);
    CHECK_INT(plait_queue_put(queue, "also", 4, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_get(queue, got, sizeof got, PLAIT_NOWAIT), 5);
    CHECK_INT(plait_queue_get(queue, got, sizeof got, PLAIT_NOWAIT), 4);
    CHECK_INT(plait_shared_free(last), 0);
    CHECK_INT(plait_queue_put(queue, large, sizeof large, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_get(queue, got, sizeof got, PLAIT_NOWAIT), sizeof large);
    CHECK_INT(plait_queue_create(&more, &opts), 0);
}
