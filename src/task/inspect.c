/* What the tasks of a loop do, in words; and what is said when all of them wait for ever.
 * SPDX-License-Identifier: MIT
 *
 * Without memory a text is shorter than it should be: it is for people.
 */
#include "task/inspect.h"
#include "base/env.h"
#include "base/log.h"
#include "os/clock.h"
#include "os/place.h"
#include "sync/task_id.h"
#include "task/task.h"

#include <plait/inspect.h>
#include <plait/lock.h>

#include <stdlib.h>

enum {
    FRAMES = 32,
    PLACE_BYTES = 256,
    MOST_STUCK = 100 /* named in the log */
};

void plait__describe_name(struct plait__buf *ret, struct plait__strand *strand)
{
    if (strand->task != NULL)
        plait__buf_printf(ret, "task \"%s\"", plait_task_name(strand->task));
    else if (strand->sleeper->name != NULL)
        plait__buf_printf(ret, "task \"%s\" (thread %u)", strand->sleeper->name,
                          plait__look_thread(strand->loop));
    else
        plait__buf_printf(ret, "thread %u", plait__look_thread(strand->loop));
}

static void add_place(struct plait__buf *ret, const void *address)
{
    char place[PLACE_BYTES];

    plait__os_place_write(address, place, sizeof place);
    plait__buf_add_str(ret, place);
}

/* ---- what it waits for ---- */

/* For plait__loop_each, which takes no argument: of this thread. */
static _Thread_local struct {
    uint32_t number;
    struct plait__strand *found;
} search;

static void compare_number(struct plait__strand *strand)
{
    if (strand->sleeper->number == search.number)
        search.found = strand;
}

static void add_holder(struct plait__buf *ret, struct plait__strand *strand, const plait_lock *lock)
{
    uint64_t holder = __atomic_load_n(&lock->holder, __ATOMIC_RELAXED);

    if (holder == 0)
        return;
    search.number = (uint32_t)holder;
    search.found = NULL;
    if (holder >> 32 == plait__member_self()) {
        compare_number(plait__look_root(strand->loop));
        plait__loop_each(strand->loop, compare_number);
    }
    plait__buf_add_str(ret, ", held by ");
    if (search.found != NULL)
        plait__describe_name(ret, search.found);
    else
        plait__buf_add_str(ret, "a task elsewhere");
}

const char *plait__describe_kind(enum plait__wait_kind kind)
{
    static const char *const things[] = {
        [PLAIT__ON_WORD] = "something",
        [PLAIT__ON_LOCK] = "lock",
        [PLAIT__ON_RWLOCK] = "reader-writer lock",
        [PLAIT__ON_SEMAPHORE] = "semaphore",
        [PLAIT__ON_EVENT] = "event",
        [PLAIT__ON_CONDITION] = "condition",
        [PLAIT__ON_QUEUE] = "queue",
        [PLAIT__ON_TASK] = "the end of a task",
        [PLAIT__ON_GROUP] = "the end of what it started, group",
        [PLAIT__ON_TIME] = "its time",
        [PLAIT__ON_IDLE] = "a moment when nothing else is ready",
    };

    return things[kind];
}

static void add_word(struct plait__buf *ret, struct plait__strand *strand)
{
    const struct plait__sleeper *sleeper = strand->sleeper;
    const uint32_t *word = sleeper->word;
    enum plait__wait_kind kind = sleeper->said == word ? sleeper->kind : PLAIT__ON_WORD;
    char *at = (char *)(uintptr_t)word;

    if (kind == PLAIT__ON_TASK)
        plait__buf_printf(
            ret, "the end of task \"%s\"",
            plait_task_name((plait_task *)(void *)(at - offsetof(plait_task, state))));
    else if (kind == PLAIT__ON_TIME)
        plait__buf_add_str(ret, "its time (it sleeps)");
    else if (kind == PLAIT__ON_IDLE)
        plait__buf_add_str(ret, plait__describe_kind(kind));
    else if (kind == PLAIT__ON_WORD)
        plait__buf_printf(ret, "the word at %p", (const void *)word);
    else
        plait__buf_printf(ret, "%s %p", plait__describe_kind(kind), (const void *)word);
    if (kind == PLAIT__ON_LOCK)
        add_holder(ret, strand, (plait_lock *)(void *)(at - offsetof(plait_lock, word)));
}

static void add_wait(struct plait__buf *ret, struct plait__strand *strand)
{
    int64_t ms = (plait__os_now_ns() - strand->parked_ns) / 1000000;

    plait__buf_add_str(ret, "waits for ");
    if (strand->sleeper->word != NULL)
        add_word(ret, strand);
    else if (strand->task == NULL && strand->sleeper->masks > 0)
        plait__buf_add_str(ret, "the end of all others");
    else
        plait__buf_add_str(ret, "descriptors, or one of several things");
    plait__buf_printf(ret, ", since %lld.%lld s", (long long)(ms / 1000),
                      (long long)(ms % 1000 / 100));
}

/* ---- all of it ---- */

void plait__describe_strand(struct plait__buf *ret, struct plait__strand *strand)
{
    plait__describe_name(ret, strand);
    plait__buf_add_str(ret, ": ");
    if (plait__look_is_parked(strand))
        add_wait(ret, strand);
    else if (plait__look_runs(strand))
        plait__buf_add_str(ret, "runs");
    else
        plait__buf_add_str(ret, "is ready to run");
    if (strand->site != NULL) {
        plait__buf_add_str(ret, ", started at ");
        add_place(ret, strand->site);
    }
}

void plait__describe_stack(struct plait__buf *ret, const struct plait__strand *strand)
{
    void *frames[FRAMES];
    int n = plait__look_backtrace(strand, frames, FRAMES);

    for (int i = 0; i < n; i++) {
        plait__buf_printf(ret, "    #%d ", i);
        add_place(ret, frames[i]);
        plait__buf_add_char(ret, '\n');
    }
}

/* ---- all wait for ever ---- */

static _Thread_local unsigned n_said; /* for plait__loop_each, which takes no argument */

static void say_strand(struct plait__strand *strand)
{
    struct plait__buf line = { 0 };

    if (n_said++ >= MOST_STUCK)
        return;
    plait__describe_strand(&line, strand);
    plait__log(PLAIT_LOG_ERROR, "  %s", line.data != NULL ? line.data : "(no memory)");
    plait__buf_fini(&line);
}

static void say_stuck(struct plait__loop *loop)
{
    plait__log(PLAIT_LOG_ERROR,
               "all tasks of thread %u wait for ever: there is no other thread to wake one",
               plait__look_thread(loop));
    n_said = 0;
    say_strand(plait__look_root(loop));
    plait__loop_each(loop, say_strand);
    if (n_said > MOST_STUCK)
        plait__log(PLAIT_LOG_ERROR, "  and %u more", n_said - MOST_STUCK);
}

void plait__inspect_begin(void)
{
    static uint32_t has_begun; /* atomic */
    const char *limit_ms, *switches;

    if (__atomic_exchange_n(&has_begun, 1, __ATOMIC_ACQ_REL))
        return;
    __atomic_store_n(&plait__look_stuck, say_stuck, __ATOMIC_RELAXED);
    if (plait__env_lists("PLAIT_DEBUG", "stacks"))
        plait_name_overflows();
    switches = getenv("PLAIT_TRACE");
    if (switches != NULL)
        plait_trace((size_t)strtoull(switches, NULL, 10));
    limit_ms = getenv("PLAIT_WATCHDOG");
    if (limit_ms != NULL && plait_watchdog_start(strtoll(limit_ms, NULL, 10)) < 0)
        plait__log(PLAIT_LOG_WARNING, "PLAIT_WATCHDOG is no number of milliseconds, or there is no "
                                      "thread or signal for it");
}
