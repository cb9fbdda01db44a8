/* The one word of this process on which everybody waits for ends.
 * SPDX-License-Identifier: MIT
 */
#include "pool/bell.h"
#include "base/time.h"
#include "chan/bell.h"
#include "family/member.h"
#include "loop/loop.h"
#include "os/clock.h"
#include "os/cpu.h"
#include "wait/wait.h"

#include <errno.h>
#include <unistd.h>

enum {
    SPINS = 100,        /* looks before the first sleep */
    RELAXES_A_SPIN = 8, /* a look may touch a line of each worker */
};

/* A death may keep a ring from us, and a keeper's death is found by looking. */
#define SLICE_NS INT64_C(100000000)

static uint32_t private_bell;
static pid_t private_owner; /* atomic: the process that has to do with it; 0: none */
static uint32_t *our_bell;  /* atomic: the same for all who store it in one process */
static uint32_t generation; /* atomic: goes on in a forked child */

static uint32_t n_waiting; /* atomic: tasks of this process that may sleep */

/* Of them, those of this task: a callback may wait too. */
static uintptr_t *n_own(void)
{
    static _Thread_local void *of_thread __attribute__((tls_model("initial-exec")));

    return (uintptr_t *)plait__strand_slot(PLAIT__SLOT_WAITS, &of_thread);
}

/* ---- who we are ---- */

static uint32_t begin_privately(void)
{
    __atomic_store_n(&private_owner, getpid(), __ATOMIC_RELAXED);
    __atomic_store_n(&our_bell, &private_bell, __ATOMIC_RELEASE);
    return 0;
}

uint32_t plait__ends_begin(void)
{
    uint32_t process = 0, next;
    struct plait__self *self;

    if (__atomic_load_n(&private_owner, __ATOMIC_RELAXED) == getpid() || plait__member_join() < 0)
        return begin_privately();
    self = plait__myself();
    /* acquire: the bell was stored before */
    if ((process = __atomic_load_n(&self->pools, __ATOMIC_ACQUIRE)) != 0)
        return process;
    __atomic_store_n(&n_waiting, 0, __ATOMIC_RELAXED); /* of before the fork */
    *n_own() = 0;
    __atomic_store_n(&our_bell, &plait__member_entry()->ends_bell, __ATOMIC_RELAXED);
    next = __atomic_add_fetch(&generation, 1, __ATOMIC_RELAXED);
    /* release: pairs with the acquires of self->pools */
    return __atomic_compare_exchange_n(&self->pools, &process, next, false, __ATOMIC_RELEASE,
                                       __ATOMIC_ACQUIRE)
               ? next
               : process;
}

/* ---- the bell ---- */

uint32_t *plait__ends_bell(void)
{
    return __atomic_load_n(&our_bell, __ATOMIC_ACQUIRE);
}

void plait__ends_ring(uint32_t *bell)
{
    if (plait__bell_awaited(bell) != 0)
        plait__bell_ring_all(bell);
}

void plait__ends_pass_on(void)
{
    /* seq_cst: who waits has counted itself before it looked; it sees the end, or we see it */
    if (__atomic_load_n(&n_waiting, __ATOMIC_SEQ_CST) > *n_own())
        plait__ends_ring(plait__ends_bell());
}

void plait__ends_count(bool waits)
{
    __atomic_add_fetch(&n_waiting, waits ? 1 : UINT32_MAX, __ATOMIC_SEQ_CST);
    *n_own() += waits ? 1 : UINTPTR_MAX;
}

struct wait {
    plait__ends_look_fn *look;
    plait__ends_help_fn *help; /* or NULL */
    void *arg;
    plait_deadline until;
};

static bool looks_done(const struct wait *wait, bool will_sleep)
{
    return wait->look(wait->arg, will_sleep) == PLAIT__ENDS_DONE;
}

static bool helps(const struct wait *wait)
{
    return wait->help != NULL && wait->help(wait->arg);
}

static bool spin(const struct wait *wait)
{
    for (int i = 0; i < SPINS; i++) {
        for (int j = 0; j < RELAXES_A_SPIN; j++)
            plait__os_cpu_relax();
        if (looks_done(wait, false))
            return true;
    }
    return false;
}

/* A look with an announcement before it, and a sleep if there is nothing. 0: look again. */
static int look_and_sleep(const struct wait *wait, bool *ret_done)
{
    uint32_t *bell = plait__ends_bell();
    enum plait__ends_look what;
    plait_deadline soon;
    uint32_t seen;
    int rc = 0;

    plait__ends_count(true);
    /* all want different things */
    seen = plait__bell_announce(bell, PLAIT__BELL_MOST_WANT);
    what = wait->look(wait->arg, true);
    *ret_done = what == PLAIT__ENDS_DONE;
    if (what == PLAIT__ENDS_NOTHING && !helps(wait)) {
        soon = plait__deadline_after(plait__os_now_ns(), SLICE_NS);
        rc = plait__wait_word(bell, seen, plait__deadline_earlier(wait->until, soon));
    }
    plait__ends_count(false);
    if (rc == -ETIMEDOUT && plait_left_ns(wait->until) > 0)
        return 0;
    return rc;
}

static int run(const struct wait *wait)
{
    bool is_done = false;
    int rc = 0;

    /* help comes first: in the usual case nobody else has begun it */
    while (!is_done && helps(wait))
        is_done = looks_done(wait, false);
    is_done = is_done || looks_done(wait, false);
    if (!is_done && wait->until.ns != INT64_MAX && plait_left_ns(wait->until) == 0)
        return -ETIMEDOUT;
    is_done = is_done || (plait__may_spin() && spin(wait));
    while (!is_done && rc == 0)
        rc = look_and_sleep(wait, &is_done);
    return is_done || looks_done(wait, false) ? 0 : rc;
}

int plait__ends_wait(plait__ends_look_fn *look, void *arg, plait_deadline until)
{
    return plait__ends_help(look, NULL, arg, until);
}

int plait__ends_help(plait__ends_look_fn *look, plait__ends_help_fn *help, void *arg,
                     plait_deadline until)
{
    struct wait wait = { look, NULL, arg, plait__until_here(until) };

    if (wait.until.ns == INT64_MAX)
        wait.help = help;
    return run(&wait);
}
