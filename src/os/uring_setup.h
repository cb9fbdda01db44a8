/* io_uring: what we need of it, and whether it is there.
 * SPDX-License-Identifier: MIT
 *
 * Two files, as os/uring.h: without liburing nothing is there.
 */
#ifndef PLAIT__OS_URING_SETUP_H
#define PLAIT__OS_URING_SETUP_H

#include <stdbool.h>

struct io_uring;

/* Operations that liburing 2.3 does not name. */
enum {
    PLAIT__URING_FUTEX_WAITV = 53
};

/* A ring for the calling thread alone. 0; -ENOSYS: the kernel is too old · -errno. */
int plait__os_uring_setup(struct io_uring *ret);
/* Does this kernel have what we need, and may we use it? Only plait__probe_has asks. */
bool plait__os_uring_works(void);
/* Also to wait for words? */
bool plait__os_uring_has_futexes(void);

#endif
