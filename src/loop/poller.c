/* Which back-end a loop takes.
 * SPDX-License-Identifier: MIT
 *
 * epoll unless io_uring is asked for. For descriptors alone both cost the same, but a ring takes a
 * tenth of a millisecond to make. A loop that also waits for words that processes share spends a
 * quarter of the time with io_uring, as it needs no helper thread.
 */
#include "loop/poller.h"
#include "base/log.h"
#include "os/probe.h"

#include <stdlib.h>
#include <string.h>

static const struct plait__poller_ops *choose(void)
{
    const char *wanted = getenv("PLAIT_LOOP");

    if (wanted == NULL || strcmp(wanted, "epoll") == 0)
        return &plait__poller_epoll;
    if (strcmp(wanted, "uring") != 0)
        plait__log(PLAIT_LOG_WARNING, "PLAIT_LOOP=%s is neither epoll nor uring; epoll is taken",
                   wanted);
    else if (plait__probe_has(PLAIT__PROBE_IO_URING))
        return &plait__poller_uring;
    else
        plait__log(PLAIT_LOG_WARNING,
                   "PLAIT_LOOP=uring, but there is no io_uring here; epoll is taken");
    return &plait__poller_epoll;
}

const struct plait__poller_ops *plait__poller_choose(void)
{
    static const struct plait__poller_ops
        *chosen; /* atomic: any order, nothing else goes with it */
    const struct plait__poller_ops *ops = __atomic_load_n(&chosen, __ATOMIC_RELAXED), *none = NULL;

    if (ops != NULL)
        return ops;
    ops = choose();
    /* of two threads that look at once, both may have said something */
    __atomic_compare_exchange_n(&chosen, &none, ops, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return ops;
}
