/* Variables of which each task has its own.
 * SPDX-License-Identifier: MIT
 *
 * A coroutine's values hang at its task, all others' at the thread. A variable is known by a number that
 * it gets when it is first set, not by its address, which may be another's later. A value knows itself
 * how it is destroyed: the variable may be gone by then.
 */
#include <plait/local.h>

#include "family/self.h"
#include "loop/loop.h"
#include "os/thread.h"
#include "task/local.h"

#include <errno.h>
#include <stdlib.h>

enum {
    FEW = 4,
    ROUNDS = 4 /* of destroying, where that sets values again */
};

struct value {
    uint64_t id;
    void *value;
    plait_local_destroy_fn *destroy;
    plait_local_inherit_fn *inherit;
};

struct plait__locals {
    pid_t owner; /* const: the process to which the values belong */
    size_t n, capacity;
    struct value values[];
};

/* Owner thread: of what runs in it but coroutines. */
static _Thread_local struct plait__locals *thread_locals __attribute__((tls_model("initial-exec")));
static _Thread_local bool ends_with_thread;

static struct plait__locals **locals_here(void)
{
    const struct plait__strand *strand = plait__strand_here();

    if (strand != NULL && strand->task != NULL)
        return &((plait_task *)strand->task)->locals;
    return &thread_locals;
}

static struct value *find(struct plait__locals *locals, uint64_t id)
{
    for (size_t i = 0; locals != NULL && i < locals->n; i++)
        if (locals->values[i].id == id)
            return &locals->values[i];
    return NULL;
}

/* -ENOMEM */
static int add(struct plait__locals **locals, const struct value *value)
{
    size_t n = *locals != NULL ? (*locals)->n : 0;

    if (*locals == NULL || n == (*locals)->capacity) {
        size_t capacity = n == 0 ? FEW : 2 * n;
        struct plait__locals *larger =
            realloc(*locals, sizeof *larger + capacity * sizeof larger->values[0]);
        if (larger == NULL)
            return -ENOMEM;
        if (n == 0)
            larger->owner = plait__self_pid();
        larger->n = n;
        larger->capacity = capacity;
        *locals = larger;
    }
    (*locals)->values[(*locals)->n++] = *value;
    return 0;
}

/* ---- the public calls ---- */

/* It may be set for the first time by several threads at once. */
static uint64_t get_id(plait_local *local)
{
    static uint64_t last; /* atomic, relaxed: nothing but the number itself is handed over */
    uint64_t id = __atomic_load_n(&local->id, __ATOMIC_RELAXED), given;

    if (id != 0)
        return id;
    given = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
    return __atomic_compare_exchange_n(&local->id, &id, given, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED)
               ? given
               : id;
}

static void end_with_thread(void)
{
    ends_with_thread = false; /* what is set from now on has an end too */
    plait__locals_end(&thread_locals);
}

int plait_local_set(plait_local *local, void *value)
{
    struct plait__locals **locals = locals_here();
    struct value *found;
    int rc;

    if (local == NULL)
        return -EINVAL;
    found = find(*locals, get_id(local));
    if (found != NULL) {
        found->value = value;
        return 0;
    }
    if (value == NULL)
        return 0;
    if (locals == &thread_locals && !ends_with_thread) {
        rc = plait__os_at_thread_exit(end_with_thread);
        if (rc < 0)
            return rc;
        ends_with_thread = true;
    }
    return add(locals, &(struct value){ local->id, value, local->destroy, local->inherit });
}

void *plait_local_get(const plait_local *local)
{
    uint64_t id = local != NULL ? __atomic_load_n(&local->id, __ATOMIC_RELAXED) : 0;
    const struct value *found = id != 0 ? find(*locals_here(), id) : NULL;

    return found != NULL ? found->value : NULL;
}

struct plait__locals *plait__locals_swap(struct plait__locals *with)
{
    struct plait__locals **here = locals_here(), *before = *here;

    *here = with;
    return before;
}

/* ---- a task's beginning and end ---- */

bool plait__locals_has_any(void)
{
    return *locals_here() != NULL;
}

/* *from may move meanwhile: an inherit of the user's may set one. */
static int inherit(struct plait__locals *const *from, struct plait__locals **ret)
{
    struct plait__locals *locals = NULL;

    for (size_t i = 0; *from != NULL && i < (*from)->n; i++) {
        struct value value = (*from)->values[i];
        if (value.inherit == NULL || value.value == NULL)
            continue;
        value.value = value.inherit(value.value);
        if (value.value == NULL || add(&locals, &value) == 0)
            continue;
        if (value.destroy != NULL)
            value.destroy(value.value);
        plait__locals_end(&locals);
        return -ENOMEM;
    }
    *ret = locals;
    return 0;
}

int plait__locals_inherit(struct plait__locals **ret)
{
    struct plait__locals *const *here = locals_here();

    *ret = NULL;
    return *here == NULL ? 0 : inherit(here, ret);
}

/* They are taken out before one of them is destroyed: what that sets is new. In a child that the host
 * forked they are the parent's, which destroys them. */
void plait__locals_end(struct plait__locals **locals)
{
    if (*locals == NULL)
        return;
    for (int round = 0; *locals != NULL && round < ROUNDS; round++) {
        struct plait__locals *ended = *locals;
        bool is_ours = ended->owner == plait__self_pid();
        *locals = NULL;
        for (size_t i = 0; is_ours && i < ended->n; i++)
            if (ended->values[i].value != NULL && ended->values[i].destroy != NULL)
                ended->values[i].destroy(ended->values[i].value);
        free(ended);
    }
    free(*locals);
    *locals = NULL;
}

void plait__locals_enter_thread(plait_task *task)
{
    free(thread_locals); /* in a forked child: the values are the parent's */
    thread_locals = task->locals;
    task->locals = NULL;
}

void plait__locals_leave_thread(void)
{
    plait__locals_end(&thread_locals);
}

void plait__locals_enter_process(void)
{
    struct plait__locals *from = thread_locals;

    thread_locals = NULL; /* the parent's: it destroys them */
    inherit(&from, &thread_locals);
}
