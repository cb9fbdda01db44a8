/* A memory barrier that one thread has all others of the process pass.
 * SPDX-License-Identifier: MIT
 *
 * It takes microseconds, and so the others need none of their own: it orders their program, as far as
 * the compiler kept its order (__atomic_signal_fence).
 */
#ifndef PLAIT__OS_BARRIER_H
#define PLAIT__OS_BARRIER_H

#include <stdbool.h>

/* Does the kernel know it? Ask the probe instead. */
bool plait__os_barrier_works(void);
/* Before the first one, once in each process. 0, -errno. */
int plait__os_barrier_prepare(void);
/* 0; -errno: it was none. That can be though it was prepared: the program forbids itself the call
 * (seccomp), or was forked. */
int plait__os_barrier(void);

#endif
