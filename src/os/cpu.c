/* How many CPUs this process can use.
 * SPDX-License-Identifier: MIT
 *
 * A container's limit is time, not CPUs: `docker run --cpus 2` on a machine of 64 leaves all 64 in
 * the affinity mask, and 64 busy workers would get 1/32 CPU each, in bursts. So the quota counts as
 * CPUs.
 */
#include "os/cpu.h"

#include "os/cgroup.h"
#include "os/readfile.h"

#include <errno.h>
#include <limits.h>
#include <plait/cpu.h>
#include <sched.h>
#include <stdint.h>
#include <unistd.h>

enum {
    CPUS_FIRST = 1024,
    CPUS_LAST = 1 << 20
};

/* The kernel refuses a mask that is smaller than its own with EINVAL: try twice as many. */
int plait__os_cpu_affinity(void)
{
    int rc = -EINVAL;

    for (int cpus = CPUS_FIRST; rc == -EINVAL && cpus <= CPUS_LAST; cpus *= 2) {
        size_t bytes = CPU_ALLOC_SIZE(cpus);
        cpu_set_t *set = CPU_ALLOC(cpus);

        if (set == NULL)
            return -ENOMEM;
        rc = sched_getaffinity(0, bytes, set) < 0 ? -errno : CPU_COUNT_S(bytes, set);
        CPU_FREE(set);
    }
    return rc;
}

/* Looks at one group; *arg is the smallest number of CPUs so far, 0 for no limit. */
static int lower_quota(const char *dir, int version, void *arg)
{
    int *cpus = arg;
    uint64_t time[2]; /* quota and period, in microseconds */
    uint64_t whole;

    if (version == 2) {
        if (plait__os_read_numbers(dir, "cpu.max", time, 2) != 2)
            return 0;
    } else if (plait__os_read_numbers(dir, "cpu.cfs_quota_us", &time[0], 1) != 1 ||
               plait__os_read_numbers(dir, "cpu.cfs_period_us", &time[1], 1) != 1) {
        return 0;
    }
    if (time[0] == 0 || time[0] == UINT64_MAX || time[1] == 0)
        return 0;
    whole = time[0] / time[1] + (time[0] % time[1] != 0);
    if (whole < (uint64_t)(*cpus > 0 ? *cpus : INT_MAX))
        *cpus = (int)whole;
    return 0;
}

int plait__os_cpu_quota(const char *root)
{
    int cpus = 0;

    /* Out of memory on the way: what was found until then is a limit too. */
    plait__os_cgroup_walk(root, "cpu", lower_quota, &cpus);
    return cpus;
}

int plait__os_cpu_count(void)
{
    int cpus = plait__os_cpu_affinity(), quota = plait__os_cpu_quota("");

    if (cpus < 1)
        cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (quota > 0 && quota < cpus)
        cpus = quota;
    return cpus > 0 ? cpus : 1;
}

int plait_cpu_count(void)
{
    return plait__os_cpu_count();
}
