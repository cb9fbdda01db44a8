/* What a loop does between two strands: it finds the next one, looks outside, sleeps.
 * SPDX-License-Identifier: MIT
 *
 * Waking. A parked strand is made ready by whoever moves its state from PARKED to RUNS: another
 * strand, its timer, a descriptor, another thread; one of them wins. Another thread puts it into the
 * loop's inbox, and kicks the loop if that sleeps. Either the loop sees the inbox after it has said
 * that it sleeps, or the waker sees that it sleeps after it has filled the inbox: both are seq_cst.
 *
 * A loop is never freed, but used again by another thread: who has just woken a strand of it may
 * look at `sleeping` when the strand has run to its end already.
 */
#include "base/time.h"
#include "loop/balance.h"
#include "loop/inside.h"
#include "loop/look.h"
#include "loop/trace.h"
#include "os/clock.h"
#include "os/probe.h"
#include "wait/wait.h"

#include <errno.h>

enum {
    LOOK_EVERY = 64, /* switches: how long a busy loop does not look outside, at most */
    LOOK_SOONER = 8, /* so much, when those took more than … */
    LOOK_NS = 2 * 1000 * 1000,
    WORDS_AT_ONCE = 100,
    SLICE_NS = 5 * 1000 * 1000,  /* of a sleep that cannot be on all words */
    STUCK_NS = 20 * 1000 * 1000, /* of a sleep that may be one for ever, before that is asked */
    RETRY_NS = 1 * 1000 * 1000,  /* after a sleep that the kernel refused */
};

_Thread_local struct plait__strand *plait__strand_of_thread
    __attribute__((tls_model("initial-exec")));

/* ---- ready ---- */

static void push_ready(struct plait__loop *loop, struct plait__strand *strand)
{
    if (loop->is_armed)
        plait__host_rouse(loop);
    strand->next = NULL;
    strand->ticket = loop->tickets++;
    if (loop->first == NULL)
        loop->first = strand;
    else
        loop->last->next = strand;
    loop->last = strand;
}

void plait__loop_kick(struct plait__loop *loop)
{
    switch (__atomic_exchange_n(&loop->sleeping, PLAIT__LOOP_AWAKE, __ATOMIC_SEQ_CST)) {
    case PLAIT__LOOP_ON_WORD:
        plait__os_futex_wake(&loop->sleeping, 1);
        break;
    case PLAIT__LOOP_ON_POLLER:
        loop->poller_ops->kick(loop->poller);
        break;
    case PLAIT__LOOP_ON_HOST:
        plait__os_eventfd_raise(loop->host_bell);
        break;
    default:
        break;
    }
}

void plait__loop_post(struct plait__loop *loop, struct plait__strand *strand)
{
    struct plait__strand *head = __atomic_load_n(&loop->inbox, __ATOMIC_RELAXED);

    do
        strand->next = head;
    while (!__atomic_compare_exchange_n(&loop->inbox, &head, strand, true, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED));
    if (__atomic_load_n(&loop->sleeping, __ATOMIC_SEQ_CST) != PLAIT__LOOP_AWAKE)
        plait__loop_kick(loop);
}

/* In the order in which they were posted. */
static void take_inbox(struct plait__loop *loop)
{
    struct plait__strand *strand, *in_order = NULL;

    if (__atomic_load_n(&loop->inbox, __ATOMIC_SEQ_CST) == NULL)
        return;
    strand = __atomic_exchange_n(&loop->inbox, NULL, __ATOMIC_SEQ_CST);
    while (strand != NULL) {
        struct plait__strand *next = strand->next;
        strand->next = in_order;
        in_order = strand;
        strand = next;
    }
    while (in_order != NULL) {
        struct plait__strand *next = in_order->next;
        push_ready(loop, in_order);
        in_order = next;
    }
}

void plait__strand_ready(struct plait__strand *strand)
{
    push_ready(strand->loop, strand);
}

void plait__strand_wake(struct plait__strand *strand)
{
    if (plait__strand_take(strand))
        push_ready(strand->loop, strand);
}

/* ---- looking outside, and sleeping ---- */

static void fire_timers(struct plait__loop *loop)
{
    struct plait__heap_node *first = plait__heap_first(&loop->timers);
    int64_t now = first != NULL ? plait__os_now_ns() : 0;

    for (; first != NULL && first->key <= now; first = plait__heap_first(&loop->timers)) {
        struct plait__strand *strand =
            (struct plait__strand *)(void *)((char *)first - offsetof(struct plait__strand, timer));
        plait__heap_remove(&loop->timers, first);
        strand->has_timed_out = true;
        plait__strand_wake(strand);
    }
}

static int64_t sooner(int64_t until_ns, int64_t after_ns)
{
    return plait__deadline_earlier(plait__deadline_after(plait__os_now_ns(), after_ns),
                                   (plait_deadline){ until_ns })
        .ns;
}

/* Until when, if not all words can be slept on. */
static int64_t in_slices(const struct plait__loop *loop, int64_t until_ns)
{
    return loop->outside.n <= WORDS_AT_ONCE ? until_ns : sooner(until_ns, SLICE_NS);
}

static bool poller_takes_words(const struct plait__loop *loop)
{
    return loop->poller_ops->wait_words != NULL && plait__probe_has(PLAIT__PROBE_IO_URING_FUTEX);
}

static int sleep_on_poller(struct plait__loop *loop, int64_t until_ns)
{
    struct plait__futex words[WORDS_AT_ONCE];
    size_t n;

    loop->since_look = 0;
    if (loop->outside.n == 0)
        return loop->poller_ops->wait(loop->poller, until_ns);
    loop->poller_ops->wait(loop->poller, 0); /* cheaper than to take the words back */
    if (loop->first != NULL)
        return 0;
    n = plait__outside_list(&loop->outside, words, WORDS_AT_ONCE);
    return loop->poller_ops->wait_words(loop->poller, words, n, in_slices(loop, until_ns));
}

/* On words that other processes share, and on the poller's descriptor if anybody needs it. */
static int sleep_on_words(struct plait__loop *loop, int64_t until_ns)
{
    struct plait__futex words[WORDS_AT_ONCE + 2] = { { &loop->sleeping, PLAIT__LOOP_ON_WORD } };
    struct plait__fd fds[2] = { { .fd = -1 } };
    struct plait__spots spots = { words, 1, fds, 0 };
    int rc;

    if (loop->n_watches > 0) {
        fds[0] = (struct plait__fd){ .fd = loop->poller_ops->fd(loop->poller),
                                     .wanted = PLAIT__FD_READ };
        spots.n_fds = 1;
        if (fds[0].fd < 0)
            return fds[0].fd;
        loop->poller_ops->wait(loop->poller, 0);
        if (loop->first != NULL)
            return 0;
    }
    spots.n_words += plait__outside_list(&loop->outside, words + 1, WORDS_AT_ONCE);
    until_ns = in_slices(loop, until_ns);
    rc = plait__wait_any(&spots, (plait_deadline){ until_ns });
    if (loop->n_watches > 0)
        loop->poller_ops->wait(loop->poller, 0);
    return rc;
}

/* Nothing is there that could wake any strand but other threads. */
static bool hears_nobody_outside(const struct plait__loop *loop)
{
    return loop->n_strands > 0 && plait__heap_first(&loop->timers) == NULL &&
           loop->n_watches == 0 && loop->outside.n == 0;
}

/* It has slept for a while. Asked once until a strand has been ready again. */
static void look_whether_stuck(struct plait__loop *loop)
{
    struct plait__strand *root = &loop->root;

    loop->stuck_tickets = loop->tickets;
    if (!plait__look_is_only_thread())
        return;
    if (plait__look_stuck != NULL)
        plait__look_stuck(loop);
    if (root->sleeper->masks > 0)
        return;
    root->is_stuck = true;
    plait__strand_wake(root);
    loop->stuck_tickets = loop->tickets;
}

static int sleep_somehow(struct plait__loop *loop, int64_t until_ns, bool on_poller)
{
    if (on_poller)
        return sleep_on_poller(loop, until_ns);
    if (loop->outside.n > 0)
        return sleep_on_words(loop, until_ns);
    return plait__os_futex_wait(&loop->sleeping, PLAIT__LOOP_ON_WORD, until_ns);
}

static void go_to_sleep(struct plait__loop *loop)
{
    struct plait__sleeper *sleeper = plait__sleeper_current();
    const struct plait__heap_node *first = plait__heap_first(&loop->timers);
    bool on_poller = loop->n_watches > 0 && (loop->outside.n == 0 || poller_takes_words(loop));
    bool may_be_stuck = loop->stuck_tickets != loop->tickets && hears_nobody_outside(loop);
    int64_t until_ns = first != NULL  ? first->key
                       : may_be_stuck ? plait__os_now_ns() + STUCK_NS
                                      : INT64_MAX;
    bool lacks_stacks = loop->lacks_stacks;
    int rc = 0;

    if (lacks_stacks && !may_be_stuck)
        until_ns = sooner(until_ns, SLICE_NS);
    __atomic_store_n(&loop->sleeping, on_poller ? PLAIT__LOOP_ON_POLLER : PLAIT__LOOP_ON_WORD,
                     __ATOMIC_SEQ_CST);
    plait__sleeper_set_current(NULL); /* the thread itself sleeps, for all of them */
    if (!plait__loop_has_post(loop) && __atomic_load_n(&loop->look, __ATOMIC_SEQ_CST) == NULL &&
        !(loop->is_balanced && plait__balance_has_any()))
        rc = sleep_somehow(loop, until_ns, on_poller);
    __atomic_store_n(&loop->sleeping, PLAIT__LOOP_AWAKE, __ATOMIC_SEQ_CST);
    if (rc < 0 && rc != -EINTR && rc != -ETIMEDOUT && rc != -EAGAIN) /* no memory: not too often */
        plait_sleep(plait__deadline_after(plait__os_now_ns(), RETRY_NS));
    plait__sleeper_set_current(sleeper);
    loop->lacks_stacks = false; /* as in plait__loop_look_outside */
    if (rc == -ETIMEDOUT && may_be_stuck && !plait__loop_has_post(loop))
        look_whether_stuck(loop);
}

/* At all but the descriptors, which a sleep looks at by itself. */
static void look_near(struct plait__loop *loop)
{
    loop->looked_ns = plait__os_tick_ns();
    /* seq_cst: the partner is who wants a look, and kicks us if we sleep */
    if (__atomic_load_n(&loop->look, __ATOMIC_SEQ_CST) != NULL)
        plait__look_serve(loop);
    take_inbox(loop);
    if (__atomic_load_n(&loop->calls, __ATOMIC_SEQ_CST) != NULL)
        plait__loop_begin_calls(loop);
    fire_timers(loop);
    plait__outside_look(&loop->outside, plait__strand_wake);
}

void plait__loop_look_outside(struct plait__loop *loop)
{
    loop->since_look = 0;
    loop->lacks_stacks = false; /* perhaps: other threads give some back, and tell nobody */
    look_near(loop);
    if (loop->n_watches > 0 || loop->is_hosted)
        loop->poller_ops->wait(loop->poller, 0);
    if (loop->is_balanced && loop->n_fresh > 1)
        plait__balance_give(loop);
    else if (loop->is_balanced && loop->n_fresh == 0 && plait__balance_has_any())
        plait__balance_take(loop);
}

/* ---- switching ---- */

void plait__loop_tell_drained(struct plait__loop *loop)
{
    if (!loop->is_draining || plait__loop_count(loop) > 0)
        return;
    loop->n_drained++;
    plait__strand_wake(&loop->root);
}

/* Begins the oldest of what is fresh, if it can be. */
static struct plait__strand *begin_fresh(struct plait__loop *loop)
{
    bool is_last = loop->n_strands == 0 && !loop->is_leaving;
    struct plait__fresh *fresh, *rest;
    struct plait__strand *strand;

    if (loop->is_balanced) /* before this one keeps the others from it */
        plait__balance_give(loop);
    fresh = loop->first_fresh;
    rest = fresh->next;
    strand = fresh->begin(loop, fresh, is_last);

    if (strand == NULL && !is_last) {
        loop->lacks_stacks = true;
        if (loop->is_leaving) /* its stack is free when another one runs; that may be the root */
            plait__strand_wake(&loop->root);
        return NULL;
    }
    loop->first_fresh = rest;
    loop->n_fresh--;
    if (strand == NULL)
        plait__loop_tell_drained(loop);
    return strand;
}

/* The next one to run that is ready; NULL: there is none. */
static struct plait__strand *take_ready(struct plait__loop *loop)
{
    struct plait__strand *strand;

    while (loop->first_fresh != NULL && !loop->lacks_stacks &&
           (loop->first == NULL || loop->first_fresh->ticket < loop->first->ticket)) {
        strand = begin_fresh(loop);
        if (strand != NULL)
            return strand;
    }
    strand = loop->first;
    if (strand != NULL)
        loop->first = strand->next;
    return strand;
}

/* Who runs for long between two waits must not keep timers and descriptors waiting 64 times that. */
static void look_when_busy(struct plait__loop *loop)
{
    int64_t before_ns = loop->looked_ns;

    plait__loop_look_outside(loop);
    if (loop->looked_ns - before_ns >= LOOK_NS)
        loop->look_every = loop->look_every / LOOK_SOONER + 1;
    else if (loop->look_every < LOOK_EVERY) /* 0: of a new loop */
        loop->look_every = loop->look_every == 0 ? LOOK_EVERY : loop->look_every * 2;
}

static struct plait__strand *take_next(struct plait__loop *loop)
{
    struct plait__strand *strand;

    __atomic_store_n(&loop->n_switches, loop->n_switches + 1, __ATOMIC_RELAXED);
    if (++loop->since_look >= loop->look_every)
        look_when_busy(loop);
    while ((strand = take_ready(loop)) == NULL) {
        look_near(loop);
        if (loop->first == NULL && (loop->first_fresh == NULL || loop->lacks_stacks) &&
            !plait__balance_take(loop) && !plait__idle_begin(loop))
            go_to_sleep(loop);
    }
    /* relaxed: only the loop itself makes it hungry */
    if (__atomic_load_n(&loop->is_hungry, __ATOMIC_RELAXED))
        plait__balance_is_fed(loop);
    return strand;
}

/* Who was called comes to wait itself: who called it is parked from now on, and who called that. */
static void park_callers(struct plait__strand *called)
{
    while (called->is_called) {
        struct plait__strand *caller = called->joiner;
        uint32_t state = PLAIT__STRAND_RUNS;
        called->is_called = caller->is_calling = false;
        /* acq_rel: as in `park` */
        if (!__atomic_compare_exchange_n(&caller->state, &state, PLAIT__STRAND_PARKED, false,
                                         __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            __atomic_store_n(&caller->state, PLAIT__STRAND_RUNS, __ATOMIC_RELAXED);
            push_ready(caller->loop, caller);
        }
        called = caller;
    }
}

void plait__strand_bury(struct plait__loop *loop)
{
    struct plait__strand *ended = loop->ended;

    loop->ended = NULL;
    ended->on_end(ended);
    loop->lacks_stacks = false;
}

/* errno belongs to the strand: others, and the loop, may set it meanwhile. */
void plait__run_others(struct plait__strand *self)
{
    struct plait__loop *loop = self->loop;
    int error = errno;
    struct plait__strand *next;

    if (loop->is_armed)
        plait__host_disarm(loop);
    if (self->is_called)
        park_callers(self);
    next = take_next(loop);
    if (next != self) {
        self->sleeper = plait__sleeper_current();
        if (__builtin_expect(loop->trace != NULL, 0))
            plait__trace_note(loop, self, next);
        plait__strand_of_thread = next;
        plait__context_switch(&self->context, &next->context);
        plait__strand_arrive(self);
    }
    if (loop->is_hosted && self == &loop->root)
        plait__host_arm(loop);
    errno = error;
}

void plait__strand_yield(void)
{
    struct plait__strand *self = plait__strand_here();

    push_ready(self->loop, self);
    plait__run_others(self);
}

/* Is it the next to run, and need nobody look outside, or on, before? */
static bool may_call(const struct plait__loop *loop, const struct plait__strand *strand)
{
    return loop->first == strand && !loop->is_hosted && loop->trace == NULL &&
           loop->since_look + 1 < loop->look_every &&
           (loop->first_fresh == NULL || loop->first_fresh->ticket > strand->ticket);
}

int plait__strand_call(struct plait__strand *strand)
{
    struct plait__strand *self = plait__strand_here();
    struct plait__loop *loop = self->loop;
    int error;

    if (!may_call(loop, strand))
        return -EAGAIN;
    error = errno;
    loop->first = strand->next;
    __atomic_store_n(&loop->n_switches, loop->n_switches + 1, __ATOMIC_RELAXED);
    loop->since_look++;
    self->has_timed_out = self->is_stuck = false;
    self->parked_ns = loop->looked_ns;
    self->sleeper = plait__sleeper_current();
    self->is_calling = strand->is_called = true;
    plait__strand_of_thread = strand;
    plait__context_switch(&self->context, &strand->context);
    self->is_calling = false;
    plait__strand_arrive(self);
    if (loop->is_hosted && self == &loop->root)
        plait__host_arm(loop);
    errno = error;
    return self->is_stuck ? -EDEADLK : 0;
}

/* Who has called it goes on at once if nobody has come to be ready before; NULL: another one is next. */
static struct plait__strand *tell_joiner(struct plait__strand *strand)
{
    struct plait__strand *joiner = strand->joiner;
    struct plait__loop *loop = strand->loop;

    if (!strand->is_called) {
        plait__strand_wake(joiner);
        return NULL;
    }
    if (loop->first == NULL && loop->first_fresh == NULL)
        return joiner;
    joiner->is_calling = false;
    push_ready(loop, joiner);
    return NULL;
}

struct plait__context *plait__strand_leave(struct plait__strand *strand)
{
    struct plait__loop *loop = strand->loop;
    struct plait__strand *next = NULL;

    if (strand->joiner != NULL)
        next = tell_joiner(strand);
    plait__strand_unmake(strand);
    if (loop->is_draining)
        plait__loop_tell_drained(loop);
    loop->lacks_stacks = false;
    /* release: nothing but the state itself is asked for from now on */
    __atomic_store_n(&strand->state, PLAIT__STRAND_ENDED, __ATOMIC_RELEASE);
    if (next == NULL) {
        strand->on_leave(strand);
        loop->is_leaving = true; /* its own stack comes back in a moment */
        next = take_next(loop);
        loop->is_leaving = false;
    }
    loop->ended = strand;
    if (__builtin_expect(loop->trace != NULL, 0))
        plait__trace_note(loop, strand, next);
    plait__strand_of_thread = next;
    return &next->context;
}
