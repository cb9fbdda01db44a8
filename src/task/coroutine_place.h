/* A coroutine, and the place where it lies.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_COROUTINE_PLACE_H
#define PLAIT__TASK_COROUTINE_PLACE_H

#include "loop/loop.h"
#include "task/group.h"
#include "task/task.h"

struct plait__coroutine {
    struct plait__strand strand; /* first */
    struct plait__group *group;  /* const; NULL: none, it was started with a handle */
    struct plait__group children;
    /* const, and there is a group: of the thread that started it. This and the member are not cleared
     * when another one begins in this place */
    const struct plait__loop *home;
    struct plait__group_member member;
    plait_task task; /* last: the handle */
};

/* One that is not ready yet: its function, its parent, and the like are still to be set. NULL: no
 * memory. */
struct plait__coroutine *plait__coroutine_make(struct plait__loop *loop, size_t stack_bytes);
/* As the ops of a task have it: its place is this thread's next one, or goes back. */
void plait__coroutine_free(plait_task *task);
/* At the end of the thread's loop: those that are kept. */
void plait__coroutine_places_free(void);

/* What they all have from coroutine.c. */
extern const struct plait__task_ops plait__coroutine_ops;
void plait__coroutine_run(struct plait__strand *strand);
void plait__coroutine_leave(struct plait__strand *strand);
void plait__coroutine_end(struct plait__strand *strand);

#endif
