/* The fault injector's shared program: the heap, locks and their like, shared values.
 * SPDX-License-Identifier: MIT
 */
#include "shared_support.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* ---- the heap ---- */

static bool is_zero(const char *bytes, size_t n)
{
    return n == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0);
}

static int use_heap(void *arg)
{
    static const size_t sizes[] = { 1, 100, 8192, 8193, 300000, 3 << 20 };
    char *blocks[sizeof sizes / sizeof *sizes];

    (void)arg;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        blocks[i] = plait_shared_alloc(sizes[i]);
        if (worked("shared_alloc", blocks[i] == NULL ? -ENOMEM : 0, of_family)) {
            must("a new block is of zeroes", is_zero(blocks[i], sizes[i]));
            memset(blocks[i], 'x', sizes[i]);
        }
    }
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        worked("shared_free", plait_shared_free(blocks[i]), of_nothing);
    return 0;
}

void run_heap(const char *name)
{
    (void)name;
    in_all(use_heap, NULL);
    check_heap();
}

/* ---- locks and their like ---- */

struct sync {
    plait_lock lock;
    plait_rlock rlock;
    plait_rwlock rwlock;
    plait_semaphore semaphore;
    plait_held_semaphore held;
    plait_event event;
    plait_condition condition;
    plait_barrier barrier;
    plait_once once;
    int turns;   /* lock */
    int is_done; /* atomic: the peer has had its turn, or could not */
};

static int count_once(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static const int of_barrier[] = { ENOMEM, EUSERS, -PLAIT_EBROKEN, 0 };

static int use_locks(void *arg)
{
    struct sync *sync = arg;

    if (worked("lock", plait_lock_acquire(&sync->lock, soon()), of_family)) {
        must("the lock is held", plait_lock_is_held(&sync->lock));
        worked("unlock", plait_lock_release(&sync->lock), of_nothing);
    }
    if (worked("rlock", plait_rlock_acquire(&sync->rlock, soon()), of_family)) {
        worked("rlock again", plait_rlock_acquire(&sync->rlock, soon()), of_nothing);
        worked("runlock", plait_rlock_release(&sync->rlock), of_nothing);
        worked("runlock", plait_rlock_release(&sync->rlock), of_nothing);
    }
    if (worked("read", plait_rwlock_acquire_read(&sync->rwlock, soon()), of_family))
        worked("read unlock", plait_rwlock_release(&sync->rwlock), of_nothing);
    if (worked("write", plait_rwlock_acquire_write(&sync->rwlock, soon()), of_family))
        worked("write unlock", plait_rwlock_release(&sync->rwlock), of_nothing);
    if (worked("semaphore", plait_semaphore_acquire(&sync->semaphore, soon()), of_family))
        worked("semaphore release", plait_semaphore_release(&sync->semaphore), of_nothing);
    if (worked("held", plait_held_semaphore_acquire(&sync->held, soon()), of_family))
        worked("held release", plait_held_semaphore_release(&sync->held), of_nothing);
    return 0;
}

static bool is_done(void *arg)
{
    return __atomic_load_n((int *)arg, __ATOMIC_SEQ_CST) != 0;
}

/* Comes to the barrier; who cannot breaks it, so that the other one goes on. */
static void come(struct sync *sync)
{
    if (!worked("barrier", plait_barrier_wait(&sync->barrier, soon()), of_barrier))
        plait_barrier_abort(&sync->barrier);
}

/* The other side: waits for the event, says that it is done, and comes to the barrier. */
static int meet(void *arg)
{
    struct sync *sync = arg;

    worked("event", plait_event_wait(&sync->event, soon()), of_family);
    if (worked("lock", plait_lock_acquire(&sync->lock, soon()), of_family)) {
        sync->turns++;
        worked("unlock", plait_lock_release(&sync->lock), of_nothing);
    }
    __atomic_store_n(&sync->is_done, 1, __ATOMIC_SEQ_CST);
    worked("notify", plait_condition_notify_all(&sync->condition), of_family);
    come(sync);
    return 0;
}

/* Slices: where the peer could not notify, it is still noticed. */
static void wait_for_peer(struct sync *sync)
{
    int rc = -ETIMEDOUT;

    if (!worked("lock", plait_lock_acquire(&sync->lock, soon()), of_family))
        return;
    for (unsigned i = 0; rc == -ETIMEDOUT && i < 200; i++)
        rc = plait_condition_wait_for(&sync->condition, &sync->lock, is_done, &sync->is_done,
                                      plait_after_ms(50));
    worked("condition", rc, of_family);
    worked("unlock", plait_lock_release(&sync->lock), of_nothing);
}

/* This side of it. */
static void meet_peer(struct sync *sync)
{
    worked("event set", plait_event_set(&sync->event), of_nothing);
    wait_for_peer(sync);
    come(sync);
}

static void reset_peer(struct sync *sync)
{
    sync->is_done = 0;
    worked("event clear", plait_event_clear(&sync->event), of_nothing);
    worked("barrier reset", plait_barrier_reset(&sync->barrier), of_family);
}

void run_sync(const char *name)
{
    struct sync *sync = plait_shared_alloc(sizeof *sync);
    plait_task *task = NULL;
    int runs = 0, expected = 0;
    pid_t pid;

    (void)name;
    if (!worked("shared_alloc", sync == NULL ? -ENOMEM : 0, of_family))
        return;
    worked("init", plait_semaphore_init(&sync->semaphore, 1), of_nothing);
    worked("init", plait_held_semaphore_init(&sync->held, 1), of_nothing);
    worked("init", plait_barrier_init(&sync->barrier, 2), of_nothing);
    in_all(use_locks, sync);
    for (int i = 0; i < 2; i++)
        worked("once", plait_once_run(&sync->once, count_once, &runs, soon()), of_family);
    must("it was done once", runs == plait_once_is_done(&sync->once));
    pid = begin_process(meet, sync);
    if (pid > 0) {
        meet_peer(sync);
        expected += end_process(pid);
        reset_peer(sync);
    }
    if (worked("start", plait_task_start(&task, PLAIT_THREAD, meet, sync, NULL), of_threads)) {
        meet_peer(sync);
        worked("join", plait_task_join(task, soon()), of_family);
        plait_task_destroy(task);
    }
    must("who met has taken its turn", n_errors > 0 || sync->turns == expected + 1);
    must("all units are back", plait_semaphore_count(&sync->semaphore) == 1 &&
                                   plait_held_semaphore_count(&sync->held) == 1);
    must("no lock is held", !plait_lock_is_held(&sync->lock));
    worked("shared_free", plait_shared_free(sync), of_nothing);
    check_heap();
}

/* ---- values ---- */

struct values {
    plait_shared_int64 number;
    plait_shared_double real;
    plait_shared_array *array;
    plait_shared_list *list;
    plait_priority_queue *queue;
};

static int use_list(struct values *values)
{
    plait_shared_value value = plait_shared_value_str("busy");
    char text[32];

    if (worked("list_set", plait_shared_list_set(values->list, 0, &value, soon()), of_family) &&
        worked("list_get", plait_shared_list_get(values->list, 0, &value, text, sizeof text),
               of_nothing))
        must("a slot holds what was set",
             value.type == PLAIT_SHARED_STR && strcmp(value.bytes, "busy") == 0);
    return 0;
}

static int use_values(void *arg)
{
    struct values *values = arg;
    int items[2] = { 3, 4 }, back[2];
    int64_t priority;
    char buf[16];

    plait_shared_int64_add(&values->number, 1);
    plait_shared_double_add(&values->real, 1);
    if (values->array != NULL &&
        worked("array_set", plait_shared_array_set(values->array, 1, 2, items, soon()),
               of_family) &&
        worked("array_get", plait_shared_array_get(values->array, 1, 2, back, soon()), of_family))
        must("an array holds what was set", memcmp(items, back, sizeof items) == 0);
    if (values->list != NULL)
        use_list(values);
    if (values->queue == NULL)
        return 0;
    for (int i = 2; i > 0; i--)
        worked("put", plait_priority_queue_put(values->queue, i, "item", 5, soon()), of_family);
    for (int64_t last = 0; !plait_priority_queue_is_empty(values->queue); last = priority) {
        priority = last;
        if (worked("get",
                   plait_priority_queue_get(values->queue, &priority, buf, sizeof buf, soon()),
                   of_family))
            must("the first comes first", strcmp(buf, "item") == 0 && priority > last);
    }
    return 0;
}

void run_values(const char *name)
{
    const plait_shared_value row[] = { plait_shared_value_str("waiting"),
                                       plait_shared_value_none() };
    struct values *values = plait_shared_alloc(sizeof *values);
    plait_priority_queue_opts opts = { .max_items = 4, .max_bytes = 1024 };

    (void)name;
    if (!worked("shared_alloc", values == NULL ? -ENOMEM : 0, of_family))
        return;
    worked("array_create", plait_shared_array_create(&values->array, 10, sizeof(int)), of_family);
    worked("list_create", plait_shared_list_create(&values->list, row, 2), of_family);
    worked("priority_queue_create", plait_priority_queue_create(&values->queue, &opts), of_family);
    in_all(use_values, values);
    must("each has added once, or was not there",
         plait_shared_int64_get(&values->number) == 3 || n_errors > 0);
    must("both numbers are the same",
         plait_shared_double_get(&values->real) == (double)plait_shared_int64_get(&values->number));
    plait_priority_queue_destroy(values->queue);
    plait_shared_list_destroy(values->list);
    plait_shared_array_destroy(values->array);
    worked("shared_free", plait_shared_free(values), of_nothing);
    check_heap();
}
