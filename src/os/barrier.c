/* A memory barrier that one thread has all others of the process pass.
 * SPDX-License-Identifier: MIT
 */
#include "os/barrier.h"
#include "os/sanitize.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef PLAIT__TSAN
enum {
    IS_UNDERSTOOD = 0 /* the sanitizer knows of no such thing */
};
#else
enum {
    IS_UNDERSTOOD = 1
};
#endif

bool plait__os_barrier_works(void)
{
    long known = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

    return IS_UNDERSTOOD && known >= 0 && (known & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0;
}

int plait__os_barrier_prepare(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) < 0 ? -errno
                                                                                        : 0;
}

int plait__os_barrier(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) < 0 ? -errno : 0;
}
