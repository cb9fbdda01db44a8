/* How many CPUs this process can use.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_CPU_H
#define PLAIT__OS_CPU_H

/* CPUs that the calling thread may run on, or -errno. */
int plait__os_cpu_affinity(void);

/* CPUs' worth of time that the control groups leave to this process, rounded up, at least 1; 0:
 * they set no limit. It is the smallest one of our group and all above it. `root` stands before
 * every path that is read: "" but in tests. */
int plait__os_cpu_quota(const char *root);

/* Affinity and quota, whichever is less; at least 1. */
int plait__os_cpu_count(void);

/* In a loop that waits for another CPU: be easy on what the two share. */
static inline void plait__os_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
