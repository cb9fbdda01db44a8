/* The watchdog: a thread that tells of tasks which keep their loop from running others.
 * SPDX-License-Identifier: MIT
 *
 * It looks at how often each loop has switched. Where that has not changed for too long, and the loop
 * does not sleep, a signal interrupts the thread, and its handler notes who runs, and its stack; the
 * watchdog puts that into words.
 */
#include <plait/inspect.h>

#include "base/log.h"
#include "family/self.h"
#include "os/clock.h"
#include "os/futex.h"
#include "os/place.h"
#include "os/signal.h"
#include "os/thread.h"
#include "task/inspect.h"
#include "task/task.h"

#include <errno.h>
#include <stdio.h>

enum {
    FRAMES = 24,
    PLACE_BYTES = 256,
    NAME_BYTES = 64,
    LOOKS_A_LIMIT = 4,
    ANSWER_NS = 200 * 1000 * 1000 /* how long a thread may take to notice the signal */
};

/* What the handler notes. */
static struct {
    uint32_t state; /* atomic, a futex word: 0: nothing is wanted · the thread · 1: it is there */
    char name[NAME_BYTES];
    const void *site;
    void *frames[FRAMES];
    int n_frames; /* -1: nobody is kept from anything */
} seen;

static struct {
    pid_t owner; /* the process of which it is one; 0: none */
    uintptr_t thread;
    uint32_t is_ending; /* atomic, a futex word */
    int signal;
    int64_t limit_ns;
} dog;

/* ---- in the thread that is busy ---- */

static void note(void)
{
    const struct plait__strand *strand = plait__strand_here();
    uint32_t wanted = __atomic_load_n(&seen.state, __ATOMIC_ACQUIRE);
    const plait_task *task = strand != NULL ? strand->task : NULL;

    if (wanted != (uint32_t)plait__os_thread_id())
        return; /* too late, or somebody else's signal */
    seen.n_frames = -1;
    if (strand != NULL && (task != NULL || plait__loop_count(strand->loop) > 0)) {
        const char *name =
            task != NULL ? __atomic_load_n(&task->name, __ATOMIC_ACQUIRE) : strand->sleeper->name;
        if (name != NULL)
            snprintf(seen.name, sizeof seen.name, "task \"%.40s\"", name);
        else if (task != NULL)
            snprintf(seen.name, sizeof seen.name, "task \"Coroutine-%u\"", task->id);
        else
            snprintf(seen.name, sizeof seen.name, "the thread itself");
        seen.site = strand->site;
        seen.n_frames = plait__os_backtrace(seen.frames, FRAMES);
    }
    /* unless the watchdog has given up; release: it sees what was noted */
    if (__atomic_compare_exchange_n(&seen.state, &wanted, 1, false, __ATOMIC_RELEASE,
                                    __ATOMIC_RELAXED))
        plait__os_futex_wake(&seen.state, 1);
}

/* ---- in the watchdog ---- */

static bool capture(uint32_t thread)
{
    int64_t until_ns = plait__os_now_ns() + ANSWER_NS;

    __atomic_store_n(&seen.state, thread, __ATOMIC_RELEASE);
    if (plait__os_thread_signal((pid_t)thread, dog.signal) < 0)
        return false;
    while (__atomic_load_n(&seen.state, __ATOMIC_ACQUIRE) == thread) {
        if (plait__os_now_ns() >= until_ns)
            return !__atomic_compare_exchange_n(&seen.state, &thread, 0, false, __ATOMIC_ACQUIRE,
                                                __ATOMIC_ACQUIRE);
        plait__os_futex_wait(&seen.state, thread, until_ns);
    }
    return true;
}

static void tell(uint32_t thread, int64_t busy_ns)
{
    char place[PLACE_BYTES] = "?";

    if (plait__os_thread_signal((pid_t)thread, 0) < 0)
        return; /* it has ended, and was no task of ours, which would have said so */
    if (!capture(thread)) {
        plait__log(PLAIT_LOG_WARNING,
                   "thread %u runs no other task for %lld ms, and hears no signal", thread,
                   (long long)(busy_ns / 1000000));
        return;
    }
    if (seen.n_frames < 0)
        return;
    if (seen.site != NULL)
        plait__os_place_write(seen.site, place, sizeof place);
    plait__log(PLAIT_LOG_WARNING, "%s keeps thread %u from all others for %lld ms, started at %s",
               seen.name, thread, (long long)(busy_ns / 1000000), place);
    for (int i = 0; i < seen.n_frames; i++) {
        plait__os_place_write(seen.frames[i], place, sizeof place);
        plait__log(PLAIT_LOG_WARNING, "    #%d %s", i, place);
    }
}

static void look_at(struct plait__loop *loop, int64_t now)
{
    struct plait__look_stall *stall = plait__look_stall_of(loop);
    uint32_t thread = plait__look_thread(loop);
    struct plait__look_sample sample;

    plait__look_sample(loop, &sample);
    if (thread == 0 || sample.is_asleep || sample.n_switches != stall->n_switches ||
        stall->since_ns == 0) {
        *stall = (struct plait__look_stall){ .n_switches = sample.n_switches, .since_ns = now };
        return;
    }
    if (stall->is_told || now - stall->since_ns < dog.limit_ns)
        return;
    stall->is_told = true;
    tell(thread, now - stall->since_ns);
}

static void watch(void *arg)
{
    (void)arg;
    plait__os_thread_set_name("plait-watchdog");
    while (!__atomic_load_n(&dog.is_ending, __ATOMIC_ACQUIRE)) {
        int64_t now = plait__os_now_ns();
        for (struct plait__loop *loop = plait__look_first(); loop != NULL;
             loop = plait__look_next(loop))
            look_at(loop, now);
        plait__os_futex_wait(&dog.is_ending, 0,
                             plait__os_now_ns() + dog.limit_ns / LOOKS_A_LIMIT + 1);
    }
}

/* ---- calls ---- */

int plait_watchdog_start(int64_t limit_ms)
{
    struct plait__thread_entry entry = { .fn = watch };
    void *frame;
    int rc;

    if (limit_ms <= 0 || limit_ms > INT32_MAX)
        return -EINVAL;
    if (dog.owner == plait__self_pid())
        return -EALREADY;
    plait__os_backtrace(&frame, 1); /* the first call, which may load a library, not in a handler */
    rc = plait__look_want_alt_stacks();
    if (rc == 0 && dog.signal == 0)
        rc = dog.signal = plait__os_on_free_signal(note);
    if (rc < 0) {
        dog.signal = 0;
        return rc;
    }
    dog.limit_ns = limit_ms * 1000000;
    dog.is_ending = 0;
    plait__look_add_helper(1);
    rc = plait__os_thread_start(&dog.thread, &entry, 0);
    if (rc < 0) {
        plait__look_add_helper(-1);
        return rc;
    }
    dog.owner = plait__self_pid();
    return 0;
}

int plait_watchdog_stop(void)
{
    if (dog.owner != plait__self_pid())
        return -ESRCH;
    __atomic_store_n(&dog.is_ending, 1, __ATOMIC_RELEASE);
    plait__os_futex_wake(&dog.is_ending, 1);
    plait__os_thread_join(dog.thread);
    plait__look_add_helper(-1);
    dog.owner = 0;
    return 0;
}
