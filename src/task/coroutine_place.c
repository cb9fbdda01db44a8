/* Where coroutines lie: places at the top of a stack, which are used again.
 * SPDX-License-Identifier: MIT
 *
 * A coroutine and all that plait knows of it lie at the top of its own stack: one that is parked
 * costs a page, not two, and a start allocates nothing but that stack. Therefore the stack goes back
 * only when the last reference to the task does.
 */
#include "task/coroutine_place.h"
#include "family/self.h"

#include <string.h>

enum {
    ALIGNMENT = 64,
    SPARE = 32,
    NUMBERS_AT_ONCE = 64
};

/* Of this thread: a start takes no lock, and asks nobody. */
static _Thread_local struct {
    struct plait__strand *first; /* places on default stacks, as they were left */
    unsigned n;
    uint32_t number, n_numbers; /* the last one that was given, and how many are left */
} spare __attribute__((tls_model("initial-exec")));

/* At the top of a stack, zero but for what the next ones need not set. NULL: no memory. */
static __attribute__((noinline)) struct plait__coroutine *get_place(struct plait__loop *loop,
                                                                    size_t stack_bytes)
{
    struct plait__stack stack;
    struct plait__coroutine *place;
    uintptr_t at;

    if (plait__stack_get(plait__loop_stacks(loop), stack_bytes, &stack) < 0)
        return NULL;
    at = ((uintptr_t)stack.low + stack.bytes - sizeof *place) & ~(uintptr_t)(ALIGNMENT - 1);
    place = (struct plait__coroutine *)at;
    memset(&place->strand.next, 0,
           offsetof(struct plait__coroutine, task.outcome) -
               offsetof(struct plait__coroutine, strand.next));
    place->strand.stack = stack;
    place->strand.sleeper = &place->task.sleeper;
    place->strand.task = &place->task;
    place->strand.fn = plait__coroutine_run;
    place->strand.on_end = plait__coroutine_end;
    place->strand.on_leave = plait__coroutine_leave;
    place->task.ops = &plait__coroutine_ops;
    place->task.kind = PLAIT_COROUTINE;
    return place;
}

/* One that has ended leaves its place in order but for what may have changed in its life. */
static struct plait__coroutine *clear(struct plait__coroutine *place)
{
    /* in pieces that are a few plain stores each */
    memset((char *)place + offsetof(struct plait__coroutine, strand.state), 0,
           sizeof place->strand - offsetof(struct plait__strand, state));
    memset((char *)place + offsetof(struct plait__coroutine, group), 0,
           offsetof(struct plait__coroutine, home) - offsetof(struct plait__coroutine, group));
    memset((char *)place + offsetof(struct plait__coroutine, task.sleeper.cancel), 0,
           sizeof place->task.sleeper - offsetof(struct plait__sleeper, cancel));
    place->task.daemon = false;
    memset((char *)place + offsetof(struct plait__coroutine, task.name), 0,
           offsetof(struct plait__coroutine, task.outcome) -
               offsetof(struct plait__coroutine, task.name));
    return place;
}

static struct plait__coroutine *get_spare(void)
{
    struct plait__strand *strand = spare.first;

    spare.first = strand->next;
    spare.n--;
    return clear((struct plait__coroutine *)strand);
}

static void put_spare(struct plait__strand *strand)
{
    strand->next = spare.first;
    spare.first = strand;
    spare.n++;
}

/* Each thread takes some at once. */
static uint32_t get_number(void)
{
    static uint32_t n_taken; /* atomic, relaxed: nothing but the numbers is handed over */

    if (spare.n_numbers == 0) {
        spare.n_numbers = NUMBERS_AT_ONCE;
        spare.number = __atomic_fetch_add(&n_taken, NUMBERS_AT_ONCE, __ATOMIC_RELAXED);
    }
    spare.n_numbers--;
    return ++spare.number;
}

struct plait__coroutine *plait__coroutine_make(struct plait__loop *loop, size_t stack_bytes)
{
    bool again = spare.first != NULL && stack_bytes == 0;
    struct plait__coroutine *made = again ? get_spare() : get_place(loop, stack_bytes);

    if (made == NULL)
        return NULL;
    if (plait__strand_make(loop, &made->strand, made, again) < 0) {
        if (again)
            put_spare(&made->strand);
        else
            plait__strand_free_stack(&made->strand);
        return NULL;
    }
    made->task.refs = 1;
    made->task.owner = plait__self_pid();
    /* its name is made when somebody asks: there may be a million */
    made->task.id = made->strand.number = get_number();
    return made;
}

static void free_stack(struct plait__strand *strand)
{
    plait__context_fini(&strand->context);
    plait__strand_free_stack(strand);
}

void plait__coroutine_free(plait_task *task)
{
    struct plait__strand *strand = &plait__list_entry(task, struct plait__coroutine, task)->strand;

    if (strand->stack.size_class == PLAIT__STACK_DEFAULT && plait__loop_here() != NULL &&
        spare.n < SPARE)
        put_spare(strand);
    else
        free_stack(strand);
}

void plait__coroutine_places_free(void)
{
    struct plait__strand *strand;

    while ((strand = spare.first) != NULL) {
        spare.first = strand->next;
        free_stack(strand);
    }
    spare.n = 0;
}
