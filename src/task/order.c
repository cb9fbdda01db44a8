/* A task that is no fork of who starts it.
 * SPDX-License-Identifier: MIT
 */
#include "task/order.h"
#include "family/heap.h"
#include "family/member.h"
#include "os/futex.h"
#include "os/module.h"
#include "task/beginning.h"
#include "task/function.h"
#include "task/live.h"
#include "task/local.h"
#include "task/method.h"
#include "task/task.h"

#include <plait/shared.h>

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

enum {
    ALIGNMENT = 16,  /* of the argument's bytes */
    NEVER = UINT_MAX /* no token */
};

/* ---- the starter's side ---- */

/* Would the task find there what we find? */
static bool means_the_same(const void *arg)
{
    return arg == NULL || plait__family_has(arg);
}

static size_t align(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static void set_parent(struct plait__order *order, const plait_task *parent)
{
    order->parent_kind = plait_task_kind(parent);
    order->parent_id = (uint32_t)plait_task_id(parent);
}

/* 0: there is none. */
static int name_entry(uintptr_t address, struct plait__entry *ret)
{
    int rc = address == 0 ? 0 : plait__function_name(address, &ret->function);

    if (rc == 0 && address != 0 && ret->function == NULL)
        ret->offset = address - plait__os_module_program_base();
    return rc;
}

static int name_functions(const plait_task *task, struct plait__order *ret)
{
    const plait_task_table *table = task->table;
    int rc = name_entry((uintptr_t)(table != NULL ? table->run : task->fn), &ret->run);

    if (rc == 0 && table != NULL)
        rc = name_entry((uintptr_t)table->init, &ret->init);
    if (rc == 0 && table != NULL)
        rc = name_entry((uintptr_t)table->fini, &ret->fini);
    return rc;
}

int plait__order_make(struct plait__order **ret, const plait_task *task,
                      const plait_task_opts *opts)
{
    const char *name = plait_task_name(task), *parent = plait_task_name(task->parent);
    size_t own = strlen(name) + 1, names = align(sizeof **ret + own + strlen(parent) + 1);
    struct plait__order named = { 0 }, *order;
    int rc = plait__member_join();

    if (rc < 0)
        return rc;
    if (opts->arg_bytes == 0 ? !means_the_same(task->arg) : task->arg == NULL)
        return -EINVAL;
    if (opts->arg_bytes > SIZE_MAX / 2)
        return -ENOMEM;
    rc = name_functions(task, &named);
    if (rc < 0)
        return rc;
    order = plait__heap_alloc(names + opts->arg_bytes);
    if (order == NULL)
        return -ENOMEM;
    *order = named;
    order->arg = task->arg;
    order->daemon = task->daemon;
    order->owner = getpid();
    order->start_method = plait__start_method();
    order->parent_name = own;
    set_parent(order, task->parent);
    plait__task_path(task, order->path);
    memcpy(order->names, name, own);
    memcpy(order->names + own, parent, strlen(parent) + 1);
    if (opts->arg_bytes > 0)
        order->arg = memcpy((char *)order + names, task->arg, opts->arg_bytes);
    *ret = order;
    return 0;
}

void plait__order_free(struct plait__order *order)
{
    plait__beginning_free(order->beginning);
    plait_shared_free(order);
}

void plait__order_go(struct plait__order *order, uint32_t token)
{
    __atomic_store_n(&order->word, token, __ATOMIC_SEQ_CST);
    plait__os_futex_wake(&order->word, UINT_MAX);
}

void plait__order_withdraw(struct plait__order *order)
{
    plait__order_go(order, NEVER);
}

void plait__order_tell_end(struct plait__order *order, const struct plait__death *death)
{
    order->death = *death;
    /* release: pairs with the acquire of who joins. The order may be gone behind it: a wake of what
     * lies there then does no harm */
    __atomic_store_n(&order->has_ended, 1, __ATOMIC_SEQ_CST);
    plait__os_futex_wake(&order->has_ended, UINT_MAX);
}

/* ---- the task's side ---- */

int plait__order_await(struct plait__order *order, uint32_t token)
{
    uint32_t word;

    while ((word = __atomic_load_n(&order->word, __ATOMIC_SEQ_CST)) == 0)
        plait__os_futex_wait(&order->word, 0, INT64_MAX);
    return word == token ? 0 : -1;
}

static bool is_there(const struct plait__entry *entry)
{
    return entry->function != NULL || entry->offset != 0;
}

/* 0 when it is not here: then the log says why, if there ought to be one. */
static uintptr_t find(const struct plait__entry *entry)
{
    if (entry->function != NULL)
        return plait__function_find(entry->function);
    return is_there(entry) ? plait__os_module_program_base() + entry->offset : 0;
}

static int find_functions(const struct plait__order *order, plait_task_table *ret)
{
    ret->init = (int (*)(void *))find(&order->init);
    ret->run = (plait_task_fn *)find(&order->run);
    ret->fini = (void (*)(void *))find(&order->fini);
    return ret->run != NULL && (ret->init != NULL) == is_there(&order->init) &&
                   (ret->fini != NULL) == is_there(&order->fini)
               ? 0
               : -ENOENT;
}

int plait__order_check(const struct plait__order *order)
{
    plait_task_table found;

    return find_functions(order, &found);
}

void plait__order_live(struct plait__order *order)
{
    plait_task parent, task; /* here, as a process that was forked has copied this page already */

    plait__locals_swap(NULL); /* the keeper's, which are nobody's */
    plait__start_method_inherit(order->start_method);
    if (find_functions(order, &order->table) < 0 ||
        plait__task_init_process(&parent, order->parent_kind, order->names + order->parent_name) <
            0 ||
        plait__task_init_process(&task, PLAIT_PROCESS, order->names) < 0)
        _exit(1);
    parent.owner = task.owner = order->owner; /* who alone may wait for them and end them */
    parent.id = order->parent_id;
    task.arg = order->arg;
    task.daemon = order->daemon;
    task.table = &order->table;
    task.parent = &parent;
    task.verdict = &order->verdict;
    plait__tasks_root(order->path); /* their numbers are in it */
    plait__task_enter_process(&task);
    plait__live(&task);
}
