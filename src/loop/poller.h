/* How a loop learns that descriptors are ready: what its back-ends have in common.
 * SPDX-License-Identifier: MIT
 *
 * A back-end belongs to one loop, and all calls but kick come from the loop's thread. A watch tells
 * once: what was ready is not watched any more.
 */
#ifndef PLAIT__LOOP_POLLER_H
#define PLAIT__LOOP_POLLER_H

#include "base/list.h"
#include "os/fd.h"

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
    /* 0: it will be told · 1: it is ready at once (a file), fd->ready is set · -errno. */
    int (*watch)(struct plait__poller *poller, struct plait__fd_watch *watch);
    /* Also of one that was told. The memory may be reused afterwards. */
    void (*unwatch)(struct plait__poller *poller, struct plait__fd_watch *watch);
    /* Looks what is ready, sleeping for it until then or a kick at the latest; sets fd->ready of
     * those, and calls plait__strand_wake for their strands. 0 or -errno. */
    int (*wait)(struct plait__poller *poller, int64_t until_ns);
    /* Ends the wait that runs, or the next one. From any thread; async-signal-safe. */
    void (*kick)(struct plait__poller *poller);
    /* A descriptor that is readable when wait has something to tell. */
    int (*fd)(const struct plait__poller *poller);
};

extern const struct plait__poller_ops plait__poller_epoll;

/* A strand of this thread's loop that is parked becomes ready; else nothing. */
void plait__strand_wake(struct plait__strand *strand);

#endif
