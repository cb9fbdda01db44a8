/* A loop inside a foreign one, and what other threads give it to run.
 * SPDX-License-Identifier: MIT
 *
 * While the host's code runs, which is the root's, the loop is armed: it counts as one that sleeps, so
 * that whoever has something for it kicks it, and the host's descriptor becomes readable by the kick,
 * by a descriptor that is watched, or by the first timer. It is armed whenever the root comes back
 * from a wait in plait, of whatever kind.
 */
#include "base/time.h"
#include "loop/balance.h"
#include "loop/inside.h"
#include "os/clock.h"
#include "os/epoll.h"
#include "os/timer.h"
#include "wait/wait.h"

#include <errno.h>
#include <unistd.h>

enum {
    SLICE_NS = 5 * 1000 * 1000, /* until the next look at what tells nobody */
    ROUNDS = 16,                /* that one run makes at most when it has no time */
    CALLS_AT_ONCE = 16
};

/* ---- the host's descriptor ---- */

static int get_bell(struct plait__loop *loop)
{
    int fd = loop->has_host_bell ? loop->host_bell : plait__os_eventfd();

    if (fd >= 0) {
        loop->host_bell = fd;
        loop->has_host_bell = true;
    }
    return fd;
}

/* All that may wake the host, in one. */
static int make_set(struct plait__loop *loop, int timer)
{
    int poller = loop->poller_ops->fd(loop->poller), bell = get_bell(loop), set, rc;

    if (poller < 0 || bell < 0)
        return poller < 0 ? poller : bell;
    rc = set = plait__os_epoll();
    if (rc >= 0)
        rc = plait__os_epoll_add(set, timer, PLAIT__FD_READ, 0);
    if (rc >= 0)
        rc = plait__os_epoll_add(set, poller, PLAIT__FD_READ, 0);
    if (rc >= 0)
        rc = plait__os_epoll_add(set, bell, PLAIT__FD_READ, 0);
    if (rc < 0 && set >= 0)
        close(set);
    return rc < 0 ? rc : set;
}

int plait__loop_fd(struct plait__loop *loop, int *ret)
{
    int rc = plait__loop_get_poller(loop), timer, set;

    if (rc < 0 || loop->is_hosted) {
        *ret = loop->host_fd;
        return rc;
    }
    timer = plait__os_timer();
    if (timer < 0)
        return timer;
    set = make_set(loop, timer);
    if (set < 0) {
        close(timer);
        return set;
    }
    loop->host_fd = set;
    loop->timer_fd = timer;
    loop->timer_ns = INT64_MAX;
    loop->is_hosted = true;
    if (plait__strand_here() == &loop->root)
        plait__host_arm(loop);
    *ret = set;
    return 0;
}

void plait__host_close(struct plait__loop *loop)
{
    if (!loop->is_hosted)
        return;
    close(loop->host_fd);
    close(loop->timer_fd);
    loop->is_hosted = false;
    plait__host_disarm(loop);
}

void plait__host_forget(struct plait__loop *loop)
{
    plait__host_close(loop);
    if (loop->has_host_bell)
        close(loop->host_bell);
}

static int64_t first_timer(const struct plait__loop *loop)
{
    const struct plait__heap_node *first = plait__heap_first(&loop->timers);
    plait_deadline until = { first != NULL ? first->key : INT64_MAX };

    if (loop->outside.n > 0 || loop->lacks_stacks)
        until = plait__deadline_earlier(until, plait__deadline_after(plait__os_now_ns(), SLICE_NS));
    return until.ns;
}

bool plait__loop_has_ready(const struct plait__loop *loop)
{
    if (loop->first_fresh == NULL && loop->is_balanced && plait__balance_has_any())
        return true;
    return loop->first != NULL || (loop->first_fresh != NULL && !loop->lacks_stacks);
}

/* An idler is something to do, too. */
static bool has_work(const struct plait__loop *loop)
{
    return plait__loop_has_ready(loop) || !plait__list_is_empty(&loop->idlers);
}

void plait__host_arm(struct plait__loop *loop)
{
    int64_t timer_ns;

    plait__os_eventfd_clear(loop->host_bell);
    loop->poller_ops->fd(loop->poller);
    loop->poller_ops->wait(loop->poller, 0);
    timer_ns = first_timer(loop);
    if (timer_ns != loop->timer_ns) {
        plait__os_timer_set(loop->timer_fd, timer_ns);
        loop->timer_ns = timer_ns;
    }
    loop->is_armed = true;
    /* seq_cst: the partner is who posts, as of a loop that goes to sleep */
    __atomic_store_n(&loop->sleeping, PLAIT__LOOP_ON_HOST, __ATOMIC_SEQ_CST);
    if (has_work(loop) || plait__loop_has_post(loop) ||
        __atomic_load_n(&loop->look, __ATOMIC_SEQ_CST) != NULL)
        plait__host_rouse(loop);
}

void plait__host_disarm(struct plait__loop *loop)
{
    loop->is_armed = false;
    __atomic_store_n(&loop->sleeping, PLAIT__LOOP_AWAKE, __ATOMIC_SEQ_CST);
}

void plait__host_rouse(struct plait__loop *loop)
{
    loop->is_armed = false;
    plait__loop_kick(loop);
}

int plait__loop_run(struct plait__loop *loop, plait_deadline until)
{
    int rc = 0;

    for (int i = 0; i == 0 || (has_work(loop) && i < ROUNDS); i++) {
        plait__loop_look_outside(loop);
        if (!plait__loop_has_ready(loop))
            plait__idle_wake(loop);
        plait__strand_yield();
    }
    while (rc == 0 && plait__loop_count(loop) > 0) {
        uint32_t seen = loop->n_drained;
        loop->is_draining = true;
        rc = plait__wait_word(&loop->n_drained, seen, until);
        loop->is_draining = false;
    }
    return rc;
}

/* ---- calls from other threads ---- */

/* Numbers of uses of loops. Those up to `last_foreign` were the parent's, before a fork. */
static uint64_t last_number, last_foreign; /* atomic */

void plait__loop_open_door(struct plait__loop *loop)
{
    uint64_t number = __atomic_add_fetch(&last_number, 1, __ATOMIC_RELAXED);

    plait__mutex_lock(&loop->door);
    loop->number = number;
    plait__mutex_unlock(&loop->door);
}

void plait__loop_close_door(struct plait__loop *loop)
{
    plait__mutex_lock(&loop->door);
    loop->number = 0;
    plait__mutex_unlock(&loop->door);
}

void plait__loop_forget_doors(void)
{
    last_foreign = last_number;
}

uint64_t plait__loop_number(const struct plait__loop *loop)
{
    return loop->number;
}

int plait__loop_call(struct plait__loop *loop, uint64_t number, struct plait__fresh *fresh)
{
    bool is_open;

    if (number <=
        __atomic_load_n(&last_foreign, __ATOMIC_RELAXED)) /* its lock may be held by nobody */
        return -ESRCH;
    plait__mutex_lock(&loop->door);
    is_open = loop->number == number;
    if (is_open) {
        fresh->next = NULL;
        if (loop->calls != NULL)
            loop->last_call->next = fresh;
        else
            __atomic_store_n(&loop->calls, fresh, __ATOMIC_SEQ_CST); /* it looks without the lock */
        loop->last_call = fresh;
    }
    plait__mutex_unlock(&loop->door);
    if (is_open && __atomic_load_n(&loop->sleeping, __ATOMIC_SEQ_CST) != PLAIT__LOOP_AWAKE)
        plait__loop_kick(loop);
    return is_open ? 0 : -ESRCH;
}

static struct plait__fresh *take_call(struct plait__loop *loop)
{
    struct plait__fresh *fresh;

    plait__mutex_lock(&loop->door);
    fresh = loop->calls;
    if (fresh != NULL)
        __atomic_store_n(&loop->calls, fresh->next, __ATOMIC_SEQ_CST);
    plait__mutex_unlock(&loop->door);
    return fresh;
}

static void put_call_back(struct plait__loop *loop, struct plait__fresh *fresh)
{
    plait__mutex_lock(&loop->door);
    fresh->next = loop->calls;
    if (fresh->next == NULL)
        loop->last_call = fresh;
    __atomic_store_n(&loop->calls, fresh, __ATOMIC_SEQ_CST);
    plait__mutex_unlock(&loop->door);
}

/* Begun at once, so that no other loop takes them over; a few, each of which takes a stack. */
void plait__loop_begin_calls(struct plait__loop *loop)
{
    struct plait__fresh *fresh;

    for (int i = 0; i < CALLS_AT_ONCE && !loop->lacks_stacks && (fresh = take_call(loop)) != NULL;
         i++) {
        bool is_last = loop->n_strands == 0 && !loop->is_leaving;
        struct plait__strand *strand = fresh->begin(loop, fresh, is_last);
        if (strand != NULL) {
            plait__strand_ready(strand);
        } else if (!is_last) {
            put_call_back(loop, fresh);
            loop->lacks_stacks = true;
            if (loop->is_leaving)
                plait__strand_wake(&loop->root);
        } else {
            plait__loop_tell_drained(loop);
        }
    }
}
