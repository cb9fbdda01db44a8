/* Generators.
 * SPDX-License-Identifier: MIT
 *
 * A generator is no strand: the one that calls plait_gen_next leaves its stack for the generator's and
 * comes back. When it parks meanwhile, it goes on there. What tools were told of its stack lies in its
 * context; so that is the generator's for as long.
 */
#include <plait/generator.h>

#include "base/opts.h"
#include "loop/loop.h"
#include "task/coroutine.h"

#include <errno.h>
#include <stdlib.h>

enum state {
    NEW,
    YIELDS, /* it stands in plait_gen_yield */
    RUNS,
    ENDED
};

struct plait_gen {
    struct plait__context context; /* where it goes on */
    struct plait__context outer;   /* while it runs: where who called it goes on */
    struct plait__stack stack;     /* from its begin to its end */
    enum state state;
    bool is_cancelled;
    int code; /* what its function returned */
    void *value;
    plait_gen_fn *fn; /* const */
    void *arg;        /* const */
    size_t stack_bytes;
    const void *thread; /* in which it began */
};

/* Its address tells threads apart. */
static _Thread_local char here;

int plait_gen_create_sized(plait_gen **ret, plait_gen_fn *fn, void *arg, const plait_gen_opts *opts,
                           size_t opts_bytes)
{
    plait_gen_opts ours;
    plait_gen *gen;
    int rc = plait__opts_copy(&ours, sizeof ours, opts, opts_bytes);

    if (rc < 0)
        return rc;
    if (ret == NULL || fn == NULL)
        return -EINVAL;
    gen = calloc(1, sizeof *gen);
    if (gen == NULL)
        return -ENOMEM;
    gen->fn = fn;
    gen->arg = arg;
    gen->stack_bytes = ours.stack_bytes;
    *ret = gen;
    return 0;
}

static struct plait__context *run(void *arg)
{
    plait_gen *gen = arg;

    gen->code = gen->fn(gen, gen->arg);
    gen->state = ENDED;
    return &gen->outer;
}

static int begin(plait_gen *gen, struct plait__loop *loop)
{
    int rc = plait__stack_get(plait__loop_stacks(loop), gen->stack_bytes, &gen->stack);

    if (rc < 0)
        return rc;
    plait__context_make(&gen->context, gen->stack.low, gen->stack.bytes, run, gen);
    gen->thread = &here;
    return 0;
}

/* Nothing of a switch is inlined anywhere else. */
static void __attribute__((noinline)) switch_to(plait_gen *gen, struct plait__strand *strand)
{
    gen->outer = strand->context;
    strand->context = gen->context;
    gen->state = RUNS;
    plait__context_switch(&gen->outer, &gen->context);
    strand->context = gen->outer;
}

/* pre: NEW or YIELDS; post: YIELDS or ENDED. */
static int resume(plait_gen *gen)
{
    struct plait__loop *loop = NULL;
    int rc = plait__coroutine_get_loop(&loop);

    if (rc == 0 && gen->state == NEW)
        rc = begin(gen, loop);
    if (rc < 0)
        return rc;
    switch_to(gen, plait__strand_here());
    if (gen->state == ENDED) {
        loop = plait__loop_here(); /* a child that was forked in there has none */
        plait__context_fini(&gen->context);
        plait__stack_put(loop != NULL ? plait__loop_stacks(loop) : NULL, &gen->stack);
    }
    return 0;
}

int plait_gen_next(plait_gen *gen, void **ret)
{
    int rc;

    if (gen == NULL)
        return -EINVAL;
    if (gen->state == RUNS)
        return -EBUSY;
    if (gen->state == YIELDS && gen->thread != &here)
        return -EPERM;
    if (gen->state == NEW && gen->is_cancelled) {
        gen->state = ENDED;
        gen->code = -ECANCELED;
    }
    if (gen->state != ENDED) {
        rc = resume(gen);
        if (rc < 0)
            return rc;
    }
    if (gen->state == ENDED)
        return gen->code < 0 ? gen->code : 0;
    if (ret != NULL)
        *ret = gen->value;
    return 1;
}

/* Does this generator's function call us? Another task could while it waits, and on any stack. */
static bool is_inside(const plait_gen *gen)
{
    const char *frame = __builtin_frame_address(0), *low = gen->stack.low;

    return gen->state == RUNS && frame >= low && frame < low + gen->stack.bytes;
}

int plait_gen_yield(plait_gen *gen, void *value)
{
    if (gen == NULL)
        return -EINVAL;
    if (!is_inside(gen))
        return -EPERM;
    if (gen->is_cancelled)
        return -ECANCELED;
    gen->value = value;
    gen->state = YIELDS;
    plait__context_switch(&gen->context, &gen->outer);
    return gen->is_cancelled ? -ECANCELED : 0;
}

int plait_gen_cancel(plait_gen *gen)
{
    if (gen == NULL)
        return -EINVAL;
    gen->is_cancelled = true;
    return 0;
}

void plait_gen_destroy(plait_gen *gen)
{
    if (gen == NULL || gen->state == RUNS)
        return;
    gen->is_cancelled = true;
    if (gen->state == YIELDS && (gen->thread != &here || resume(gen) < 0))
        return; /* its stack is in use, and nobody can end that */
    free(gen);
}
