/* Waiting until nothing else is ready.
 * SPDX-License-Identifier: MIT
 *
 * A loop that has nothing to run and has looked at everything would sleep: instead it lets the first
 * one go that waits for just that. Several of them take turns.
 */
#include "loop/inside.h"
#include "wait/wait.h"

#include <errno.h>

struct idler {
    struct plait__list node; /* in the loop's */
    struct plait__strand *strand;
    uint32_t told; /* it may go on; a word to wait for */
};

bool plait__idle_wake(struct plait__loop *loop)
{
    struct plait__list *node = plait__list_pop_front(&loop->idlers);
    struct idler *idler;

    if (node == NULL)
        return false;
    idler = plait__list_entry(node, struct idler, node);
    __atomic_store_n(&idler->told, 1, __ATOMIC_RELAXED); /* its own thread */
    plait__strand_wake(idler->strand);
    return true;
}

bool plait__idle_begin(struct plait__loop *loop)
{
    if (plait__list_is_empty(&loop->idlers))
        return false;
    if (loop->n_watches > 0 || loop->is_hosted)
        loop->poller_ops->wait(loop->poller, 0);
    if (loop->first == NULL)
        plait__idle_wake(loop);
    return true;
}

/* There was no time to wait. */
static int look_once(struct plait__loop *loop)
{
    plait__loop_look_outside(loop);
    return plait__loop_has_ready(loop) ? -ETIMEDOUT : 0;
}

int plait__strand_idle(plait_deadline until)
{
    struct plait__strand *self = plait__strand_here();
    struct idler idler = { .strand = self };
    int rc = 0;

    if (plait__must_end(plait__sleeper_current()))
        return -ECANCELED;
    if (self == NULL)
        return 0;
    plait__list_push_back(&self->loop->idlers, &idler.node);
    plait__say_wait(PLAIT__ON_IDLE, &idler.told);
    while (rc == 0 && idler.told == 0)
        rc = plait__wait_word(&idler.told, 0, until);
    plait__list_remove(&idler.node);
    if (idler.told != 0)
        return 0;
    return rc == -ETIMEDOUT ? look_once(self->loop) : rc;
}
