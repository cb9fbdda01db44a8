/* Descriptors, and words that others share, by io_uring.
 * SPDX-License-Identifier: MIT
 *
 * Each watch is a request of its own, which ends when its descriptor is ready; those of all strands
 * that parked go to the kernel by the call that sleeps for them. A request has a slot, which is free
 * again only when the kernel has said the last of it: what comes late finds a slot that nobody waits
 * at, never a stack that is somebody else's by now.
 *
 * As long as its request lives, the kernel keeps a file open. So a watch that ends early is cancelled
 * at once: the strand may close the descriptor next, and the other end has to see it.
 */
#include "loop/poller.h"
#include "os/uring.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

struct slot {
    struct plait__fd_watch *watch; /* NULL: nobody waits any more */
    uint32_t generation;           /* counts its uses, from 1 */
    uint32_t next_free;
};

struct plait__poller {
    struct plait__uring *ring; /* NULL: no thread has it */
    int bell;                  /* an eventfd: a kick raises it, and nobody ever clears it */
    bool waits_for_words;
    struct slot *slots;
    uint32_t n_slots, first_free; /* the same: none is free */
};

enum {
    SLOTS_AT_FIRST = 16
};

/* Cookies that are no slot's. */
static const uint64_t BELL_COOKIE = UINT64_MAX - 1, WORDS_COOKIE = UINT64_MAX - 2;

/* ---- its life ---- */

static void destroy(struct plait__poller *poller)
{
    if (poller == NULL)
        return;
    plait__os_uring_close(poller->ring);
    if (poller->bell >= 0)
        close(poller->bell);
    free(poller->slots);
    free(poller);
}

static int create(struct plait__poller **ret)
{
    struct plait__poller *poller = calloc(1, sizeof *poller);

    if (poller == NULL)
        return -ENOMEM;
    poller->bell = plait__os_eventfd();
    if (poller->bell < 0) {
        int rc = poller->bell;
        free(poller);
        return rc;
    }
    *ret = poller;
    return 0;
}

static int enter(struct plait__poller *poller)
{
    int rc;

    if (poller->ring != NULL)
        return 0;
    rc = plait__os_uring_open(&poller->ring);
    if (rc < 0)
        return rc;
    rc = plait__os_uring_poll_always(poller->ring, poller->bell, PLAIT__FD_READ, BELL_COOKIE);
    if (rc < 0) {
        plait__os_uring_close(poller->ring);
        poller->ring = NULL;
    }
    return rc;
}

/* No watch is left, but slots of which the kernel has not said the last. */
static void leave(struct plait__poller *poller)
{
    plait__os_uring_close(poller->ring);
    poller->ring = NULL;
    free(poller->slots);
    poller->slots = NULL;
    poller->n_slots = poller->first_free = 0;
}

static void forget(struct plait__poller *poller)
{
    if (poller->ring != NULL)
        plait__os_uring_forget(poller->ring);
    close(poller->bell);
}

/* ---- slots ---- */

static uint64_t cookie_of(const struct plait__poller *poller, uint32_t at)
{
    return (uint64_t)poller->slots[at].generation << 32 | at;
}

static int add_slots(struct plait__poller *poller)
{
    uint32_t n = poller->n_slots > 0 ? poller->n_slots * 2 : SLOTS_AT_FIRST;
    struct slot *slots = realloc(poller->slots, n * sizeof *slots);

    if (slots == NULL)
        return -ENOMEM;
    for (uint32_t i = poller->n_slots; i < n; i++)
        slots[i] = (struct slot){ .generation = 1, .next_free = i + 1 };
    poller->slots = slots;
    poller->first_free = poller->n_slots;
    poller->n_slots = n;
    return 0;
}

/* Its request has ended. Who waited for it; NULL: nobody does. */
static struct plait__fd_watch *free_slot(struct plait__poller *poller, uint64_t cookie)
{
    uint32_t at = (uint32_t)cookie;
    struct slot *slot = &poller->slots[at];
    struct plait__fd_watch *watch;

    if (at >= poller->n_slots || cookie_of(poller, at) != cookie)
        return NULL;
    watch = slot->watch;
    *slot = (struct slot){ .generation = slot->generation + 1, .next_free = poller->first_free };
    poller->first_free = at;
    return watch;
}

/* ---- watching ---- */

static int watch(struct plait__poller *poller, struct plait__fd_watch *watch)
{
    uint32_t at;
    int rc = poller->first_free == poller->n_slots ? add_slots(poller) : 0;

    if (rc < 0)
        return rc;
    at = poller->first_free;
    watch->token = cookie_of(poller, at);
    rc = plait__os_uring_poll(poller->ring, watch->fd->fd, watch->fd->wanted, watch->token);
    if (rc < 0) {
        watch->token = 0;
        return rc;
    }
    poller->first_free = poller->slots[at].next_free;
    poller->slots[at].watch = watch;
    return 0;
}

/* What cannot be cancelled now ends by itself, for nobody. */
static void unwatch(struct plait__poller *poller, struct plait__fd_watch *watch)
{
    if (watch->token == 0)
        return;
    poller->slots[(uint32_t)watch->token].watch = NULL;
    if (plait__os_uring_cancel(poller->ring, watch->token) == 0)
        plait__os_uring_wait(poller->ring, 0);
    watch->token = 0;
}

static void tell(struct plait__poller *poller, const struct plait__uring_event *event)
{
    struct plait__fd_watch *watch;

    if (event->cookie == PLAIT__URING_NOBODY)
        return;
    if (event->cookie == BELL_COOKIE) {
        if (!event->goes_on) /* else: deaf to kicks; cannot fail, as there is room again */
            plait__os_uring_poll_always(poller->ring, poller->bell, PLAIT__FD_READ, BELL_COOKIE);
        return;
    }
    if (event->cookie == WORDS_COOKIE) {
        poller->waits_for_words = false;
        return;
    }
    watch = free_slot(poller, event->cookie);
    if (watch == NULL)
        return;
    watch->token = 0;
    if (event->result >= 0) /* else: they look again themselves */
        watch->fd->ready =
            plait__os_uring_ready(event->result) & (watch->fd->wanted | PLAIT__FD_HUP);
    plait__strand_wake(watch->strand);
}

static int wait(struct plait__poller *poller, int64_t until_ns)
{
    struct plait__uring_event event;
    int rc = plait__os_uring_wait(poller->ring, until_ns);

    while (plait__os_uring_next(poller->ring, &event))
        tell(poller, &event);
    return rc;
}

/* A wake of the words that comes when we do not look at them any more would be lost for others: the
 * request never outlives the call. */
static int wait_words(struct plait__poller *poller, const struct plait__futex *words, size_t n,
                      int64_t until_ns)
{
    int rc = plait__os_uring_words(poller->ring, words, n, WORDS_COOKIE);
    bool is_cancelled = false;

    if (rc < 0)
        return rc;
    poller->waits_for_words = true;
    rc = wait(poller, until_ns);
    while (poller->waits_for_words) {
        if (!is_cancelled)
            is_cancelled = plait__os_uring_cancel(poller->ring, WORDS_COOKIE) == 0;
        wait(poller, is_cancelled ? INT64_MAX : 0);
    }
    return rc;
}

static void kick(struct plait__poller *poller)
{
    plait__os_eventfd_raise(poller->bell);
}

static int get_fd(struct plait__poller *poller)
{
    return plait__os_uring_fd(poller->ring);
}

const struct plait__poller_ops plait__poller_uring = {
    .name = "uring",
    .create = create,
    .destroy = destroy,
    .enter = enter,
    .leave = leave,
    .forget = forget,
    .watch = watch,
    .unwatch = unwatch,
    .wait = wait,
    .wait_words = wait_words,
    .kick = kick,
    .fd = get_fd,
};
