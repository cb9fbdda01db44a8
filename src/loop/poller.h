/* How a loop learns that descriptors are ready: what its back-ends have in common.
 * SPDX-License-Identifier: MIT
 *
 * A back-end belongs to one loop, and all calls but kick come from the loop's thread. A watch tells
 * once: what was ready is not watched any more.
 *
 * PLAIT_LOOP=epoll or PLAIT_LOOP=uring chooses.
 */
#ifndef PLAIT__LOOP_POLLER_H
#define PLAIT__LOOP_POLLER_H

#include "base/list.h"
#include "os/fd.h"
#include "os/futex.h"

#include <stddef.h>
#include <stdint.h>

struct plait__poller;
struct plait__strand;

/* One wait for one descriptor, from watch to unwatch. */
struct plait__fd_watch {
    struct plait__list node;      /* the back-end's */
    struct plait__fd *fd;         /* const: gets `ready` */
    struct plait__strand *strand; /* const: to be woken */
    uint64_t token;               /* the back-end's */
};

struct plait__poller_ops {
    const char *name;
    /* 0 or -errno. */
    int (*create)(struct plait__poller **ret);
    void (*destroy)(struct plait__poller *poller);
    /* Around the calls that one thread makes. A loop that no thread has is kicked now and then by
     * those who are late: its back-end stays. 0 or -errno; leave: pre: nothing is watched. */
    int (*enter)(struct plait__poller *poller);
    void (*leave)(struct plait__poller *poller);
    /* In a forked child: closes what it has of the parent's; *poller is not used any more.
     * Async-signal-safe. */
    void (*forget)(struct plait__poller *poller);
    /* 0: it will be told · 1: it is ready at once (a file), fd->ready is set · -errno. */
    int (*watch)(struct plait__poller *poller, struct plait__fd_watch *watch);
    /* Also of one that was told. The memory may be reused afterwards. */
    void (*unwatch)(struct plait__poller *poller, struct plait__fd_watch *watch);
    /* Looks what is ready, sleeping for it until then or a kick at the latest; sets fd->ready of
     * those, and calls plait__strand_wake for their strands. 0 or -errno. */
    int (*wait)(struct plait__poller *poller, int64_t until_ns);
    /* The same, and sleeps on 1 … PLAIT__FUTEX_MOST words too, as plait__os_futex_wait_any does. NULL:
     * it cannot; and only with the probe io_uring_futex. */
    int (*wait_words)(struct plait__poller *poller, const struct plait__futex *words, size_t n,
                      int64_t until_ns);
    /* Ends the wait that runs, or the next one. From any thread; async-signal-safe. */
    void (*kick)(struct plait__poller *poller);
    /* A descriptor, always the same one, that is readable when wait has something to tell; -errno. To
     * be asked for before each sleep on it, and after that a wait without sleep. */
    int (*fd)(struct plait__poller *poller);
};

extern const struct plait__poller_ops plait__poller_epoll, plait__poller_uring;

/* What new loops take: by PLAIT_LOOP, and by what the kernel has. */
const struct plait__poller_ops *plait__poller_choose(void);

/* A strand of this thread's loop that is parked becomes ready; else nothing. */
void plait__strand_wake(struct plait__strand *strand);

#endif
