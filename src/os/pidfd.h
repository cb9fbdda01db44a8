/* Descriptors that name a process: what they name can never become somebody else.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_PIDFD_H
#define PLAIT__OS_PIDFD_H

#include <stdbool.h>
#include <sys/types.h>

/* The descriptor, or -errno. Readable once all threads of the process have ended. */
int plait__os_pidfd_open(pid_t pid);
/* 0 or -errno; -ESRCH: it has ended and was reaped. */
int plait__os_pidfd_signal(int pidfd, int signal);
/* The wait status of a process that ended, whoever reaped it. pre: the probe pidfd_info.
 * 0 · -EAGAIN: not yet; it lives, or has not been released by the kernel · -errno: it never will. */
int plait__os_pidfd_status(int pidfd, int *ret_status);
/* Does this kernel know it? Only plait__probe_has asks. */
bool plait__os_pidfd_status_works(void);

#endif
