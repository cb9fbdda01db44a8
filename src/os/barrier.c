/* A memory barrier that one thread has all others of the process pass.
 * SPDX-License-Identifier: MIT
 */
#include "os/barrier.h"
#include "os/sanitize.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef PLAIT__TSAN /* it knows of no such thing */

int plait__os_barrier_prepare(void)
{
    return -ENOTSUP;
}

#else

int plait__os_barrier_prepare(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) < 0 ? -errno
                                                                                        : 0;
}

#endif

void plait__os_barrier(void)
{
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}
