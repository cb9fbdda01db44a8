/* Looking inside of loops.
 * SPDX-License-Identifier: MIT
 */
#include "loop/look.h"
#include "base/time.h"
#include "loop/inside.h"
#include "os/clock.h"
#include "os/fault.h"
#include "os/process.h"
#include "os/signal.h"
#include "os/thread.h"
#include "wait/mutex.h"

#include <errno.h>

enum {
    MOMENT_MS = 20
};

void (*plait__look_stuck)(struct plait__loop *loop);

/* atomic: release by enlist, acquire by who looks. Not static: a debugger finds it by name. */
struct plait__loop *plait__loops;

static uint32_t n_helpers;         /* atomic, relaxed: a count */
static bool wants_alt_stacks;      /* atomic */
static struct plait__mutex asking; /* one at a time: a loop has one place for what is wanted */

/* ---- the list ---- */

void plait__look_enlist(struct plait__loop *loop)
{
    struct plait__loop *first = __atomic_load_n(&plait__loops, __ATOMIC_ACQUIRE);

    if (!loop->is_listed) {
        loop->is_listed = true;
        do
            loop->earlier = first;
        while (!__atomic_compare_exchange_n(&plait__loops, &first, loop, true, __ATOMIC_ACQ_REL,
                                            __ATOMIC_ACQUIRE));
    }
    if (__atomic_load_n(&wants_alt_stacks, __ATOMIC_ACQUIRE))
        plait__os_alt_stack(); /* without one, handlers use the stack that runs */
    loop->looked_ns = plait__os_tick_ns();
    __atomic_store_n(&loop->thread, (uint32_t)plait__os_thread_id(), __ATOMIC_SEQ_CST);
}

void plait__look_delist(struct plait__loop *loop)
{
    __atomic_store_n(&loop->thread, 0, __ATOMIC_SEQ_CST);
    /* seq_cst, as the store: who asks sees it, or is seen here */
    plait__look_serve(loop);
    plait__os_alt_stack_fini();
}

void plait__look_forget(void)
{
    plait__loops = NULL;
    n_helpers = 0;
    asking = (struct plait__mutex){ 0 };
}

struct plait__loop *plait__look_first(void)
{
    return __atomic_load_n(&plait__loops, __ATOMIC_ACQUIRE);
}

struct plait__loop *plait__look_next(const struct plait__loop *loop)
{
    return loop->earlier;
}

uint32_t plait__look_thread(const struct plait__loop *loop)
{
    return __atomic_load_n(&loop->thread, __ATOMIC_SEQ_CST);
}

/* ---- asking ---- */

void plait__look_serve(struct plait__loop *loop)
{
    struct plait__look *look = __atomic_exchange_n(&loop->look, NULL, __ATOMIC_SEQ_CST);
    uint32_t *done;

    if (look == NULL)
        return;
    done = look->done;
    look->fn(loop, look->arg);
    if (done == NULL)
        return;
    /* release: who waits sees what fn did; *look is gone afterwards */
    __atomic_store_n(done, 1, __ATOMIC_RELEASE);
    plait__os_futex_wake(done, 1);
}

static bool put_look(struct plait__loop *loop, struct plait__look *look)
{
    struct plait__look *none = NULL;

    if (!__atomic_compare_exchange_n(&loop->look, &none, look, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST))
        return false;
    plait__loop_kick(loop);
    return true;
}

/* Nobody will serve it any more; false: somebody does already. */
static bool take_back(struct plait__loop *loop, struct plait__look *look)
{
    return __atomic_compare_exchange_n(&loop->look, &look, NULL, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static int ask(struct plait__loop *loop, struct plait__look *look, plait_deadline until)
{
    while (!put_look(loop, look)) { /* a signal has put something else there */
        if (plait__deadline_left(plait__os_now_ns(), until) == 0)
            return -ETIMEDOUT;
        plait__os_futex_wait(look->done, 0,
                             plait__deadline_after(plait__os_now_ns(), 1000 * 1000).ns);
    }
    while (__atomic_load_n(look->done, __ATOMIC_ACQUIRE) == 0) {
        bool has_thread = plait__look_thread(loop) != 0;
        bool has_time = plait__deadline_left(plait__os_now_ns(), until) > 0;
        if ((!has_thread || !has_time) && take_back(loop, look))
            return has_thread ? -ETIMEDOUT : -ESRCH;
        plait__os_futex_wait(look->done, 0, has_time ? until.ns : INT64_MAX);
    }
    return 0;
}

/* Who asks meanwhile may want something of our own loop: it is not kept waiting by our wait for it. */
static int begin_asking(plait_deadline until)
{
    struct plait__loop *own = plait__loop_here();
    uint32_t never = 0;

    while (!plait__mutex_try(&asking)) {
        if (own != NULL)
            plait__look_serve(own);
        if (plait__deadline_left(plait__os_now_ns(), until) == 0)
            return -ETIMEDOUT;
        plait__os_futex_wait(&never, 0, plait__deadline_after(plait__os_now_ns(), 1000 * 1000).ns);
    }
    return 0;
}

int plait__look_ask(struct plait__loop *loop, void (*fn)(struct plait__loop *loop, void *arg),
                    void *arg, plait_deadline until)
{
    uint32_t done = 0;
    struct plait__look look = { .fn = fn, .arg = arg, .done = &done };
    int rc;

    if (loop == plait__loop_here()) {
        fn(loop, arg);
        return 0;
    }
    if (plait__look_thread(loop) == 0)
        return -ESRCH;
    /* one that is no task of ours, and has ended with its loop, has not said so */
    if (plait__os_thread_signal((pid_t)plait__look_thread(loop), 0) == -ESRCH)
        return -ESRCH;
    rc = begin_asking(until);
    if (rc < 0)
        return rc;
    rc = ask(loop, &look, until);
    plait__mutex_unlock(&asking);
    return rc;
}

void plait__look_ask_all(void (*fn)(struct plait__loop *loop, void *arg))
{
    static struct plait__look look; /* the same for all who call */

    __atomic_store_n(&look.fn, fn, __ATOMIC_SEQ_CST);
    for (struct plait__loop *loop = plait__look_first(); loop != NULL; loop = loop->earlier)
        if (plait__look_thread(loop) != 0)
            put_look(loop, &look);
}

/* ---- threads ---- */

void plait__look_add_helper(int n)
{
    __atomic_fetch_add(&n_helpers, (uint32_t)n, __ATOMIC_RELAXED);
}

bool plait__look_is_only_thread(void)
{
    return plait__os_thread_count() == 1 + (int)__atomic_load_n(&n_helpers, __ATOMIC_RELAXED);
}

static void get_alt_stack(struct plait__loop *loop, void *ret_rc)
{
    (void)loop;
    *(int *)ret_rc = plait__os_alt_stack();
}

int plait__look_want_alt_stacks(void)
{
    struct plait__loop *loop = plait__look_first();
    int rc = 0;

    __atomic_store_n(&wants_alt_stacks, true, __ATOMIC_SEQ_CST);
    for (; loop != NULL && rc == 0; loop = loop->earlier)
        plait__look_ask(loop, get_alt_stack, &rc, plait_after_ms(MOMENT_MS));
    return rc;
}

struct plait__look_stall *plait__look_stall_of(struct plait__loop *loop)
{
    return &loop->stall;
}

void plait__look_sample(const struct plait__loop *loop, struct plait__look_sample *ret)
{
    ret->n_switches = __atomic_load_n(&loop->n_switches, __ATOMIC_RELAXED);
    ret->is_asleep = __atomic_load_n(&loop->sleeping, __ATOMIC_SEQ_CST) != PLAIT__LOOP_AWAKE;
}

/* ---- inside ---- */

struct plait__strand *plait__look_root(struct plait__loop *loop)
{
    return &loop->root;
}

size_t plait__look_n_fresh(const struct plait__loop *loop)
{
    return loop->n_fresh;
}

bool plait__look_runs(const struct plait__strand *strand)
{
    return plait__strand_here() == strand;
}

bool plait__look_is_parked(const struct plait__strand *strand)
{
    return strand->is_calling ||
           __atomic_load_n(&strand->state, __ATOMIC_ACQUIRE) == PLAIT__STRAND_PARKED;
}

int plait__look_backtrace(const struct plait__strand *strand, void **ret, int max)
{
    return plait__look_runs(strand) ? plait__os_backtrace(ret, max)
                                    : plait__context_backtrace(&strand->context, ret, max);
}
