/* CPUs.
 * SPDX-License-Identifier: MIT
 *
 *     int workers = plait_cpu_count();
 */
#ifndef PLAIT_CPU_H
#define PLAIT_CPU_H

#include <plait/export.h>

PLAIT_BEGIN

/* How many CPUs this process can use: as many tasks can compute at the same time.
 *
 * These are the CPUs that the calling thread may run on (its affinity, cpusets included), but no
 * more than the CPU time that its control group and those above it are granted, rounded up: 4 in a
 * container started with `--cpus 3.5` on a larger machine. Python's multiprocessing.cpu_count()
 * counts all CPUs of the machine, os.process_cpu_count() the affinity; neither knows the quota, and
 * both may have no answer. It is looked up anew at each call: take it once.
 *
 *   Returns   the number, at least 1; 1 when the system does not tell.
 *   Blocks    no; it reads small files below /proc and /sys.
 *   From      any task; not from a signal handler.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_cpu_count(void);

PLAIT_END

#endif
