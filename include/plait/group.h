/* Groups: coroutines that belong together.
 * SPDX-License-Identifier: MIT
 *
 *     plait_group *group = NULL;
 *     plait_group_opts opts = {.max_running = 10, .cancel_on_error = true};
 *     int rc = plait_group_create(&group, &opts);
 *     while (rc == 0 && read_url(url))
 *         rc = plait_group_go_copy(group, fetch, url, sizeof url, PLAIT_FOREVER); // full: waits
 *     rc = plait_group_join(group, plait_after_ms(60000));     // > 0: so many failed
 *     if (rc > 0)
 *         puts(plait_strerror(plait_group_error(group)));      // the first one
 *     plait_group_destroy(group);                              // nobody of it is left
 *
 * What plait_go starts belongs to the task that starts it. A group is made where that is too much or
 * too little: it is waited for by itself, may have a bound, and hears which of its coroutines fail.
 * A coroutine fails when its function returns something negative; one that was asked to end and
 * returns -ECANCELED does not.
 *
 * Its coroutines run where those of plait_go run: in the thread that starts them, or in one of
 * plait_loops_start. So a group may reach over several threads. It is gevent's Group, with a bound
 * its Pool, with cancel_on_error Python's TaskGroup; its map and imap are in plait/map.h.
 * plait_pool is for many short jobs, which are to be queued, and for other kinds of task.
 */
#ifndef PLAIT_GROUP_H
#define PLAIT_GROUP_H

#include <plait/export.h>
#include <plait/task.h>
#include <plait/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

PLAIT_BEGIN

/* A group; opaque. */
typedef struct plait_group plait_group;

/* Options of plait_group_create; zero is the default of each field. */
typedef struct plait_group_opts {
    uint32_t max_running; /* the most coroutines in it; 0: any number */
    bool cancel_on_error; /* the first one that fails has the others asked to end */
} plait_group_opts;

/* Make a group.
 *
 *   ret       gets the handle; untouched on failure. Destroyed by plait_group_destroy.
 *   opts      options, or NULL.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EINVAL  ret is NULL, or max_running is larger than PLAIT_SEMAPHORE_MAX.
 *             -ENOMEM  no memory.
 *             -E2BIG   opts is larger than this library knows and sets what it does not know.
 *   Fork      usable in the child.
 *   Since     0.1
 */
static inline int plait_group_create(plait_group **ret, const plait_group_opts *opts);

/* plait_group_create with the size of the options in words: what the inline function calls, for
 * bindings.
 *
 *   ret        as there.
 *   opts       as there.
 *   opts_bytes sizeof *opts as the caller was compiled.
 *   Blocks     as plait_group_create.
 *   From       as plait_group_create.
 *   Errors     as plait_group_create.
 *   Fork       as plait_group_create.
 *   Since      0.1
 */
PLAIT_API int plait_group_create_sized(plait_group **ret, const plait_group_opts *opts,
                                       size_t opts_bytes);

static inline int plait_group_create(plait_group **ret, const plait_group_opts *opts)
{
    return plait_group_create_sized(ret, opts, sizeof *opts);
}

/* Ask all that are left to end, wait for them, and free the group.
 *
 *   group     the group; NULL is fine.
 *   Blocks    until none is left. Not a cancellation point.
 *   From      any task but those of the group. Nobody may use it afterwards.
 *   Errors    none.
 *   Fork      usable in the child: it frees the child's memory and touches nothing else.
 *   Since     0.1
 */
PLAIT_API void plait_group_destroy(plait_group *group);

/* Start a coroutine of the group; waits while there are as many as may be.
 *
 *   group     the group.
 *   fn        the function to run.
 *   arg       handed to fn; belongs to the coroutine from success on.
 *   until     how long to wait for a place; without a bound there always is one.
 *   Blocks    until there is a place or the deadline. A cancellation point. The coroutine begins
 *             when the running task waits.
 *   From      any task of the process that made the group; of its own coroutines, those of a full
 *             group wait for the others. Not from a signal handler.
 *   Errors    -ETIMEDOUT  no place until the deadline.
 *             -ECANCELED  the caller was asked to end.
 *             -EPIPE      the group was asked to end.
 *             -EINVAL     group or fn is NULL.
 *             -ENOMEM     no memory.
 *             -ECHILD     the group was made by another process.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_group_go(plait_group *group, plait_task_fn *fn, void *arg,
                             plait_deadline until);

/* The same with a copy of what arg points to.
 *
 *   group     the group.
 *   fn        as there; gets the address of the copy, which is freed when fn has returned.
 *   arg       what is copied.
 *   arg_bytes how much of it; 0: fn gets NULL.
 *   until     as there.
 *   Blocks    as plait_group_go.
 *   From      as plait_group_go.
 *   Errors    -EINVAL  also: arg is NULL and arg_bytes is not 0. The others as plait_group_go.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_group_go_copy(plait_group *group, plait_task_fn *fn, const void *arg,
                                  size_t arg_bytes, plait_deadline until);

/* The same with a handle: to ask this one to end by plait_task_terminate (gevent's killone), to join
 * it, to hear how it ended.
 *
 *   group     the group.
 *   ret       gets the handle; untouched on failure. Destroyed by plait_task_destroy, which asks
 *             the coroutine to end; the group counts it until it has.
 *   fn        as there.
 *   arg       as there.
 *   until     as there.
 *   Blocks    as plait_group_go.
 *   From      as plait_group_go.
 *   Errors    -EINVAL  also: ret is NULL. The others as plait_group_go.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_group_start(plait_group *group, plait_task **ret, plait_task_fn *fn, void *arg,
                                plait_deadline until);

/* Wait until no coroutine is left in the group. It may be used on.
 *
 *   group     the group.
 *   until     how long to wait.
 *   Returns   how many failed since the group was made: 0 if none did.
 *   Blocks    until none is left or the deadline. A cancellation point.
 *   From      any task of the process that made the group, but none of the group.
 *   Errors    -ETIMEDOUT  some are left.
 *             -ECANCELED  the caller was asked to end; the group was not.
 *             -EDEADLK    the caller is of the group.
 *             -EINVAL     group is NULL.
 *             -ECHILD     the group was made by another process.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_group_join(plait_group *group, plait_deadline until);

/* What the first one that failed returned.
 *
 *   group     the group.
 *   Returns   a negative number; 0: none failed, or group is NULL. -ENOMEM also of one that could not
 *             begin, since there was no memory for it.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_group_error(const plait_group *group);

/* Ask all coroutines of the group to end; those that have not begun do so first. No more can be
 * started.
 *
 *   group     the group.
 *   Blocks    no; join it to see them end.
 *   From      any task of the process that made the group, of the group too.
 *   Errors    -EINVAL  group is NULL.
 *             -ECHILD  the group was made by another process.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_group_cancel(plait_group *group);

/* How many coroutines are in the group, begun or not.
 *
 *   group     the group; NULL has none.
 *   Returns   the number, which may have changed since.
 *   Blocks    no.
 *   From      any task of the process that made the group.
 *   Errors    none.
 *   Fork      in the child: 0.
 *   Since     0.1
 */
PLAIT_API uint32_t plait_group_count(const plait_group *group);

/* How many more could be started now without a wait.
 *
 *   group     the group; NULL has no place.
 *   Returns   the number, which may have changed since; without a bound UINT32_MAX.
 *   Blocks    no.
 *   From      any task of the process that made the group.
 *   Errors    none.
 *   Fork      in the child: 0.
 *   Since     0.1
 */
PLAIT_API uint32_t plait_group_free_count(const plait_group *group);

PLAIT_END

#endif
