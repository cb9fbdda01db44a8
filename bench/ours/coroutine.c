/* plait's coroutines.
 * SPDX-License-Identifier: MIT
 *
 *     coroutine SCENARIO COUNT           what is waited for is in private memory
 *     coroutine go SCENARIO COUNT        plait_go in a task, which ends after all of them
 *     coroutine declared SCENARIO COUNT  queues with a single producer and a single consumer
 *     coroutine private SCENARIO COUNT   queues of one process
 *     coroutine heap SCENARIO COUNT      what is waited for is in the family's heap
 */
#include <plait.h>
#include <stdbool.h>

typedef int coroutines_result;

struct coroutines_task {
    plait_task *task;
};

#include "coroutines.h"

static plait_queue *queues[2];
static plait_lock own_lock, *lock = &own_lock;
static plait_event own_event, *event = &own_event;
static bool is_declared, is_private;

static int coroutines_make(void)
{
    plait_queue_opts opts = { .single_producer = is_declared,
                              .single_consumer = is_declared,
                              .one_process = is_private };
    int rc = plait_queue_create(&queues[0], &opts);

    return rc < 0 ? rc : plait_queue_create(&queues[1], &opts);
}

static int coroutines_start(struct coroutines_task *ret, coroutines_fn *fn, void *arg)
{
    return plait_task_start(&ret->task, PLAIT_COROUTINE, fn, arg, NULL);
}

static int coroutines_join(struct coroutines_task *task)
{
    int rc = plait_task_join(task->task, PLAIT_FOREVER);

    plait_task_destroy(task->task);
    return rc;
}

static int coroutines_go(coroutines_fn *fn, void *arg)
{
    return plait_go(fn, arg);
}

static int coroutines_yield(void)
{
    plait_yield();
    return 0;
}

static int coroutines_put(unsigned channel, uint64_t number)
{
    return plait_queue_put(queues[channel], &number, sizeof number, PLAIT_FOREVER);
}

static int coroutines_get(unsigned channel, uint64_t *ret)
{
    ssize_t n = plait_queue_get(queues[channel], ret, sizeof *ret, PLAIT_FOREVER);

    return n < 0 ? (int)n : 0;
}

static int coroutines_acquire(void)
{
    return plait_lock_acquire(lock, PLAIT_FOREVER);
}

static int coroutines_release(void)
{
    return plait_lock_release(lock);
}

static int coroutines_wait(int ms)
{
    return plait_event_wait(event, ms < 0 ? PLAIT_FOREVER : plait_after_ms(ms));
}

static int coroutines_wake_all(void)
{
    int rc = plait_event_set(event);

    return rc < 0 ? rc : plait_event_clear(event);
}

/* ---- without handles ---- */

static int go_many(void *arg)
{
    int rc = 0;

    for (long i = *(long *)arg; rc == 0 && i > 0; i--)
        rc = plait_go(coroutines_ends, NULL);
    return rc;
}

/* The task ends after all that it started. */
static int many_in_a_group(long n)
{
    struct coroutines_task task;
    int rc = coroutines_start(&task, go_many, &n);

    return rc < 0 ? rc : coroutines_join(&task);
}

struct node {
    uint64_t first, leaves, sum;
    struct node *parent;
    unsigned left; /* children that have not ended */
    plait_event has_all;
};

static void tell_parent(struct node *node)
{
    node->parent->sum += node->sum;
    if (--node->parent->left == 0)
        coroutines_note(plait_event_set(&node->parent->has_all));
}

static int sum(void *arg)
{
    struct node *node = arg, children[COROUTINES_TREE];
    int rc = 0;

    if (node->leaves == 1) {
        coroutines_count++;
        node->sum = node->first;
        tell_parent(node);
        return 0;
    }
    node->left = COROUTINES_TREE;
    for (unsigned i = 0; rc == 0 && i < COROUTINES_TREE; i++) {
        children[i] = (struct node){ .leaves = node->leaves / COROUTINES_TREE, .parent = node };
        children[i].first = node->first + i * children[i].leaves;
        rc = plait_go(sum, &children[i]);
    }
    if (rc == 0)
        rc = plait_event_wait(&node->has_all, PLAIT_FOREVER);
    coroutines_note(rc);
    tell_parent(node);
    return 0;
}

static int tree_without_handles(uint64_t leaves, uint64_t *ret)
{
    struct node top = { .left = 1 }, root = { .leaves = leaves, .parent = &top };
    int rc = plait_go(sum, &root);

    if (rc == 0)
        rc = plait_event_wait(&top.has_all, PLAIT_FOREVER);
    *ret = top.sum;
    return rc;
}

/* ---- */

static int read_variant(const char *variant)
{
    if (strcmp(variant, "go") == 0)
        coroutines_many = many_in_a_group;
    is_declared = strcmp(variant, "declared") == 0;
    is_private = strcmp(variant, "private") == 0;
    if (strcmp(variant, "heap") == 0) {
        lock = plait_shared_alloc(sizeof *lock);
        event = plait_shared_alloc(sizeof *event);
    }
    return lock != NULL && event != NULL ? 0 : -ENOMEM;
}

int main(int argc, char **argv)
{
    int rc = plait_init(&argc, &argv);

    coroutines_tree = tree_without_handles;
    if (rc == 0 && argc == 4)
        rc = read_variant(argv[1]);
    return rc < 0 ? bench_say(argv[0], rc, 0) : coroutines_main(argc, argv);
}
