/* io_uring: what we need of it, and whether it is there.
 * SPDX-License-Identifier: MIT
 *
 * One mode only: the kernel's work for a ring is done when its thread asks for it (DEFER_TASKRUN,
 * Linux 6.1), and a flag in shared memory says that there is some. So a look at nothing is no system
 * call, and a ring never interrupts what the thread does.
 */
#include "os/uring_setup.h"

#include <errno.h>
#include <liburing.h>
#include <stddef.h>

enum {
    REQUESTS = 128, /* handed over at once */
    EVENTS = 1024,  /* the kernel keeps more elsewhere, for a price */
    FLAGS = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
            IORING_SETUP_CQSIZE,
    FEATURES = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE,
};

int plait__os_uring_setup(struct io_uring *ret)
{
    struct io_uring_params params = { .flags = FLAGS, .cq_entries = EVENTS };
    int rc = io_uring_queue_init_params(REQUESTS, ret, &params);

    if (rc < 0)
        return rc;
    if ((params.features & FEATURES) == FEATURES)
        return 0;
    io_uring_queue_exit(ret);
    return -ENOSYS;
}

static bool has_operation(int code)
{
    struct io_uring_probe *probe;
    struct io_uring ring;
    bool has;

    if (plait__os_uring_setup(&ring) < 0)
        return false;
    probe = io_uring_get_probe_ring(&ring);
    has = probe != NULL && io_uring_opcode_supported(probe, code);
    io_uring_free_probe(probe);
    io_uring_queue_exit(&ring);
    return has;
}

bool plait__os_uring_works(void)
{
    return has_operation(IORING_OP_POLL_ADD);
}

bool plait__os_uring_has_futexes(void)
{
    return has_operation(PLAIT__URING_FUTEX_WAITV);
}
