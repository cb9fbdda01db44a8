/* A task as the seam knows it: how it sleeps, and whether it was asked to end.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__WAIT_SLEEPER_H
#define PLAIT__WAIT_SLEEPER_H

#include "base/debug.h"
#include "os/fd.h"
#include <plait/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plait__futex;
struct plait__sleeper;
struct plait__spots;

/* How a task sleeps that is not a thread. */
struct plait__park_ops {
    /* Give the thread to others until unpark or the deadline. 0 (also for nothing), -ETIMEDOUT;
     * -EDEADLK: nobody is left who could unpark it.
     * An unpark that comes before park makes the next park return at once. So does a change of one
     * of the n words, which other processes share: nobody unparks us when they change them. */
    int (*park)(struct plait__sleeper *sleeper, const struct plait__futex *words, size_t n,
                plait_deadline until);
    /* Make it run again; called from any thread of the process, with no lock of the seam's held but
     * the bucket's. */
    void (*unpark)(struct plait__sleeper *sleeper);
    /* As plait__wait_fds, without cancellation being looked at first, and on words as park does;
     * returns early, with 0, when unparked. */
    int (*wait_any)(struct plait__sleeper *sleeper, struct plait__spots *spots,
                    plait_deadline until);
};

/* What a task waits for, for people who look on. */
enum plait__wait_kind {
    PLAIT__ON_WORD, /* nobody said */
    PLAIT__ON_LOCK,
    PLAIT__ON_RWLOCK,
    PLAIT__ON_SEMAPHORE,
    PLAIT__ON_EVENT,
    PLAIT__ON_CONDITION,
    PLAIT__ON_QUEUE,
    PLAIT__ON_TASK,  /* its end */
    PLAIT__ON_GROUP, /* the end of all in it */
    PLAIT__ON_TIME,
    PLAIT__ON_IDLE, /* that nothing else is ready */
};

/* One for each task; zero bytes are the sleeper of a thread. */
struct plait__sleeper {
    /* NULL: a thread. Set once, by the task itself, with seq_cst: its partner is plait__cancel */
    const struct plait__park_ops *ops;
    void *strand; /* const, with ops: what they need to know */
    /* atomic: 1 once the task was asked to end; a futex word for the task itself */
    uint32_t cancel;
    /* atomic: an eventfd for cancelling a wait on descriptors, plus one; 0: none yet */
    int wake_fd;
    uint32_t number;  /* owner task: of one with ops, its number in this process; 0: none yet */
    uint32_t masks;   /* owner task: how often it has put off being cancelled */
    const char *name; /* const: of the task, for people; NULL: it has none */
    int64_t until_ns; /* owner task: from then on it counts as asked to end; 0: never */
    int64_t scope_ns; /* owner task: no wait is longer than until then; 0: there is no such scope */
    uint32_t scope_masks;       /* owner task: unless it has put on more masks than these since */
    bool is_left;               /* atomic: its thread has ended without it: it never goes on */
    bool is_bare;               /* const: of a thread that is no task: nobody can ask it to end */
    const uint32_t *word;       /* owner task: parked until it changes; NULL: by something else */
    const uint32_t *said;       /* owner task: the word of which `kind` was said last */
    enum plait__wait_kind kind; /* owner task */
    /* const: told around each sleep on a word, or (NULL) on anything else; NULL: nobody is. May not
     * sleep itself by this sleeper. Of one that begins: how long it may be until it is told again;
     * INT64_MAX: for ever */
    int64_t (*on_sleep)(struct plait__sleeper *sleeper, const uint32_t *word, bool begins);
};

/* Only for the next functions: owner thread. */
extern _Thread_local struct plait__sleeper *plait__sleeper_now
    __attribute__((tls_model("initial-exec")));
extern _Thread_local uint32_t plait__thread_number
    __attribute__((tls_model("initial-exec"))); /* the thread's, while a coroutine runs */
extern _Thread_local uint32_t plait__running_number
    __attribute__((tls_model("initial-exec"))); /* of the running task; 0: none yet, or kept back:
                                                   with PLAIT_DEBUG=locks always */

/* The running task's sleeper; NULL in a thread that is no task of plait's (it cannot be cancelled).
 */
static inline struct plait__sleeper *plait__sleeper_current(void)
{
    return plait__sleeper_now;
}

static inline void plait__sleeper_set_current(struct plait__sleeper *sleeper)
{
    plait__sleeper_now = sleeper;
    if (!plait__debug_locks())
        plait__running_number =
            sleeper != NULL && sleeper->ops != NULL ? sleeper->number : plait__thread_number;
}

/* Frees what the sleeper acquired. The task must have ended, or never have begun. */
void plait__sleeper_fini(struct plait__sleeper *sleeper);

/* Ask the task to end: from now on each wait of it that would sleep says -ECANCELED, the one it
 * sleeps in too. Sticky. */
void plait__cancel(struct plait__sleeper *sleeper);
bool plait__has_passed_its_time(const struct plait__sleeper *sleeper);

static inline bool plait__is_cancelled(const struct plait__sleeper *sleeper)
{
    return sleeper != NULL && (__atomic_load_n(&sleeper->cancel, __ATOMIC_SEQ_CST) != 0 ||
                               (sleeper->until_ns != 0 && plait__has_passed_its_time(sleeper)));
}

/* The same, and it has not put it off: a wait that would sleep says -ECANCELED. */
static inline bool plait__must_end(const struct plait__sleeper *sleeper)
{
    return sleeper != NULL && plait__is_cancelled(sleeper) && sleeper->masks == 0;
}

/* When a wait of that task says -ETIMEDOUT: the sooner of the caller's deadline and the scope's. */
static inline plait_deadline plait__in_scope(const struct plait__sleeper *sleeper,
                                             plait_deadline until)
{
    if (sleeper != NULL && sleeper->scope_ns != 0 && sleeper->scope_ns < until.ns &&
        sleeper->masks <= sleeper->scope_masks)
        until.ns = sleeper->scope_ns;
    return until;
}

/* The same of the running task. For who sleeps in slices: when a slice is over it must know whether
 * all of its time is. */
plait_deadline plait__until_here(plait_deadline until);

/* Around each sleep: when it has to end, which may be sooner than the caller wants. */
plait_deadline plait__sleep_begins(struct plait__sleeper *sleeper, const uint32_t *word,
                                   plait_deadline until);
void plait__sleep_ends(struct plait__sleeper *sleeper, const uint32_t *word);

/* May the running task look again and again before it sleeps? Who could change something meanwhile
 * may be another one of its own thread. */
static inline bool plait__may_spin(void)
{
    const struct plait__sleeper *sleeper = plait__sleeper_current();

    return sleeper == NULL || sleeper->ops == NULL;
}

/* Has its thread ended without it? What it is given nobody ever gets, and a wake is lost on it. */
static inline bool plait__is_left(const struct plait__sleeper *sleeper)
{
    return sleeper != NULL && __atomic_load_n(&sleeper->is_left, __ATOMIC_RELAXED);
}

/* A thread that nobody can cancel, or that has put it off. */
static inline bool plait__sleeps_deeply(const struct plait__sleeper *sleeper)
{
    return sleeper == NULL || (sleeper->ops == NULL && (sleeper->masks > 0 || sleeper->is_bare));
}

/* The running task is about to wait for that word, which is of such a thing. */
static inline void plait__say_wait(enum plait__wait_kind kind, const uint32_t *word)
{
    struct plait__sleeper *sleeper = plait__sleeper_current();

    if (sleeper == NULL)
        return;
    sleeper->said = word;
    sleeper->kind = kind;
}

/* Until as many unmasks, no wait of the running task says -ECANCELED, or -ETIMEDOUT because of a
 * scope: for what must not be cut short, such as taking back a lock. */
void plait__mask_cancel(void);
void plait__unmask_cancel(void);
/* The eventfd that a cancel raises, made at the first call; -errno. Only the running task asks. */
int plait__sleeper_wake_fd(struct plait__sleeper *sleeper);

uint32_t plait__task_number_new(void);

/* The running task's number: never 0, and no other task's of this process, those that have ended
 * and those of its parents before a fork included. */
static inline uint32_t plait__task_number(void)
{
    uint32_t number = plait__running_number;

    return __builtin_expect(number != 0, 1) ? number : plait__task_number_new();
}

#endif
