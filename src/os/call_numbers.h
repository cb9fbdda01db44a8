/* Numbers of system calls that older headers lack.
 * SPDX-License-Identifier: MIT
 *
 * These are the same on every architecture that we know.
 */
#ifndef PLAIT__OS_CALL_NUMBERS_H
#define PLAIT__OS_CALL_NUMBERS_H

#include <sys/syscall.h>

#ifndef SYS_pidfd_send_signal
#    define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#    define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#    define SYS_close_range 436
#endif
#ifndef SYS_epoll_pwait2
#    define SYS_epoll_pwait2 441
#endif
#ifndef SYS_futex_waitv
#    define SYS_futex_waitv 449
#endif

#endif
