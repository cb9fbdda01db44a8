/* A memory barrier that one thread has all others of the process pass.
 * SPDX-License-Identifier: MIT
 *
 * It takes microseconds, and so the others need none of their own: it orders their program, as far as
 * the compiler kept its order (__atomic_signal_fence).
 */
#ifndef PLAIT__OS_BARRIER_H
#define PLAIT__OS_BARRIER_H

/* Before the first one, once in each process. 0; -errno: there is none. */
int plait__os_barrier_prepare(void);
void plait__os_barrier(void);

#endif
