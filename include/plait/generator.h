/* Generators: functions that hand out one value after the other, and go on where they were.
 * SPDX-License-Identifier: MIT
 *
 *     static int count(plait_gen *gen, void *arg)
 *     {
 *         int rc = 0;
 *         for (int i = 0; i < *(int *)arg && rc == 0; i++)
 *             rc = plait_gen_yield(gen, &i);
 *         return rc;                                     // what it has open it closes before
 *     }
 *
 *     plait_gen *gen = NULL;
 *     void *value;
 *     int limit = 3, rc = plait_gen_create(&gen, count, &limit, NULL);
 *     while (rc >= 0 && (rc = plait_gen_next(gen, &value)) == 1)
 *         printf("%d\n", *(int *)value);                 // 0 1 2
 *     plait_gen_destroy(gen);
 *
 * A generator has a stack of its own and is no task: it runs within plait_gen_next, in the task that
 * calls that, as any function does. Where it waits in plait, that task waits; other coroutines of the
 * thread run meanwhile. Locks that it holds are held by that task. What it enters, a scope or a mask,
 * it leaves before it yields.
 *
 * The words are those of Python: next, yield, and cancel for throw and close.
 */
#ifndef PLAIT_GENERATOR_H
#define PLAIT_GENERATOR_H

#include <plait/export.h>

#include <stddef.h>

PLAIT_BEGIN

/* A generator; opaque. */
typedef struct plait_gen plait_gen;

/* The function of a generator. What it returns ends it; when negative, plait_gen_next says so. */
typedef int plait_gen_fn(plait_gen *gen, void *arg);

/* Options of plait_gen_create; zero is the default of each field. */
typedef struct plait_gen_opts {
    size_t stack_bytes; /* 0: 192 KiB */
} plait_gen_opts;

/* Make a generator. Its function begins at the first plait_gen_next.
 *
 *   ret       gets the handle; untouched on failure. Destroyed by plait_gen_destroy.
 *   fn        its function.
 *   arg       handed to fn.
 *   opts      options, or NULL.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EINVAL  ret or fn is NULL.
 *             -ENOMEM  no memory.
 *             -E2BIG   opts is larger than this library knows and sets what it does not know.
 *   Fork      usable in the child.
 *   Since     0.1
 */
static inline int plait_gen_create(plait_gen **ret, plait_gen_fn *fn, void *arg,
                                   const plait_gen_opts *opts);

/* plait_gen_create with the size of the options in words: what the inline function calls, for
 * bindings.
 *
 *   ret        as there.
 *   fn         as there.
 *   arg        as there.
 *   opts       as there.
 *   opts_bytes sizeof *opts as the caller was compiled.
 *   Blocks     as plait_gen_create.
 *   From       as plait_gen_create.
 *   Errors     as plait_gen_create.
 *   Fork       as plait_gen_create.
 *   Since      0.1
 */
PLAIT_API int plait_gen_create_sized(plait_gen **ret, plait_gen_fn *fn, void *arg,
                                     const plait_gen_opts *opts, size_t opts_bytes);

static inline int plait_gen_create(plait_gen **ret, plait_gen_fn *fn, void *arg,
                                   const plait_gen_opts *opts)
{
    return plait_gen_create_sized(ret, fn, arg, opts, sizeof *opts);
}

/* Run the function on to its next yield, or its end.
 *
 *   gen       the generator.
 *   ret       gets what it yields; untouched when there is nothing. May be NULL.
 *   Returns   1: it has yielded; 0: it has ended.
 *   Blocks    as long as the function does.
 *   From      any task of the thread in which it began, one at a time; a thread that is no loop yet
 *             becomes one (plait/coroutine.h).
 *   Errors    -EBUSY   it runs already: this is its own function, or another task is in it.
 *             -EPERM   it began in another thread.
 *             -EINVAL  gen is NULL.
 *             -ENOMEM  no memory for its stack; it has not begun.
 *             What the function returned, when that was negative; from then on each time.
 *   Fork      usable in the child, for who called it there or in the parent before.
 *   Since     0.1
 */
PLAIT_API int plait_gen_next(plait_gen *gen, void **ret);

/* Hand out a value, and stop until plait_gen_next is called again.
 *
 *   gen       the generator whose function calls this.
 *   value     what plait_gen_next gives; what it points to stays as it is until then.
 *   Returns   0: go on.
 *   Blocks    until plait_gen_next.
 *   From      the generator's function, and what it calls on its stack.
 *   Errors    -ECANCELED  the generator is to end: by plait_gen_cancel or plait_gen_destroy. Nothing
 *                         is handed out any more.
 *             -EPERM      the caller is not on this generator's stack.
 *             -EINVAL     gen is NULL.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_gen_yield(plait_gen *gen, void *value);

/* Have the generator end: the yield in which it stands says -ECANCELED at the next plait_gen_next,
 * and so does each one after it. One that has not begun never does, and has ended with -ECANCELED.
 *
 *   gen       the generator.
 *   Blocks    no.
 *   From      any task of the thread in which it began, its own function too.
 *   Errors    -EINVAL  gen is NULL.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_gen_cancel(plait_gen *gen);

/* Free a generator. One that has begun and not ended is cancelled and run to its end, so that its
 * function cleans up.
 *
 *   gen       the generator; NULL is fine.
 *   Blocks    as long as its function does.
 *   From      any task of the thread in which it began, but not while it runs. One that has not begun,
 *             or has ended: any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API void plait_gen_destroy(plait_gen *gen);

PLAIT_END

#endif
