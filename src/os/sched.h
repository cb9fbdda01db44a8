/* Who runs next on a CPU.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_SCHED_H
#define PLAIT__OS_SCHED_H

/* Asks the scheduler for short turns on the CPU, and for being let in soon in return: for a process
 * that does a little, and others wait for it. What it starts is not concerned. Linux 6.12 and
 * later; elsewhere nothing happens. Needs no privilege. */
void plait__os_sched_short_turns(void);

/* Gives the CPU to another thread that is ready. */
void plait__os_yield(void);

#endif
