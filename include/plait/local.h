/* Variables of which each task has its own.
 * SPDX-License-Identifier: MIT
 *
 *     static plait_local request = {.destroy = free};          // the same name for all tasks
 *
 *     int rc = plait_local_set(&request, strdup("GET /"));     // this task's
 *     puts(plait_local_get(&request));                         // another task gets NULL
 *
 * Processes, threads and coroutines have them alike, and a thread that is no task too. A new task
 * has none, but for those that say how they are inherited. This is Python's threading.local and
 * contextvars, and gevent's local.
 *
 * A generator has those of its caller, and a job of a pool those of its worker, which
 * begins with none.
 */
#ifndef PLAIT_LOCAL_H
#define PLAIT_LOCAL_H

#include <plait/export.h>

#include <stdint.h>

PLAIT_BEGIN

/* What makes of the value of a task the value of a task that it starts; NULL: there is none. Called
 * by the starting task, and for a process in the new one. */
typedef void *plait_local_inherit_fn(void *value);
/* What frees a value. */
typedef void plait_local_destroy_fn(void *value);

/* A variable, mostly a static one; zero bytes are one whose values are nobody's to free, and not
 * inherited. It is of this process, not for shared memory. */
typedef struct plait_local {
    plait_local_destroy_fn
        *destroy; /* called at the end of a task for its value; NULL: nothing is */
    plait_local_inherit_fn *inherit; /* NULL: a new task has no value */
    uint64_t id;                     /* plait's own; zero at first */
    uint64_t spare;
} plait_local;

/* Set the running task's value. The old one is not destroyed.
 *
 *   local     the variable.
 *   value     the value. Unless it is NULL, it is destroyed at the end of the task: when its
 *             function has returned and what it started by plait_go has ended. In a thread that
 *             plait did not start, when that ends; in the main thread never.
 *   Blocks    no.
 *   From      any task. Not from a signal handler.
 *   Errors    -EINVAL  local is NULL.
 *             -ENOMEM  no memory; the value is what it was.
 *   Fork      usable in the child. There a process task has inherited values, but none when it was
 *             spawned or made by the forkserver; in a child that the host forks, the thread or
 *             coroutine that forked has its own, and nothing is destroyed.
 *   Since     0.1
 */
PLAIT_API int plait_local_set(plait_local *local, void *value);

/* The running task's value.
 *
 *   local     the variable; NULL has no value.
 *   Returns   what the task has set or inherited; else NULL.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      as plait_local_set.
 *   Since     0.1
 */
PLAIT_API void *plait_local_get(const plait_local *local);

PLAIT_END

#endif
