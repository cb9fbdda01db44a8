/* The control groups that this process is in, v1 and v2, and what they limit.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_CGROUP_H
#define PLAIT__OS_CGROUP_H

#include <stdint.h>

/* What the kernel says about this process; each string ends with a NUL. */
struct plait__cgroup_text {
    const char *mountinfo; /* /proc/self/mountinfo */
    const char *cgroup;    /* /proc/self/cgroup */
    const char *root;      /* what every path found begins with; "" but in tests */
};

/* Called with one directory; `version` is 1 or 2. 0 goes on, anything else ends the walk, which
 * returns it. */
typedef int (*plait__cgroup_fn)(const char *dir, int version, void *arg);

/* Calls fn for the directory of the cgroup in which `controller` ("cpu") governs this process, and
 * for those of all groups above it, as far as they are mounted. A directory may come twice, or not
 * exist. What cannot be understood is passed over. 0, what fn returned, or -ENOMEM. */
int plait__cgroup_walk(const struct plait__cgroup_text *text, const char *controller,
                       plait__cgroup_fn fn, void *arg);

/* The same with what the kernel says below `root`; without these files there is nothing to
 * visit. */
int plait__os_cgroup_walk(const char *root, const char *controller, plait__cgroup_fn fn, void *arg);

/* The smallest number in the file of that name (one for v1, one for v2) in any of these
 * directories. UINT64_MAX: nothing is limited, or nobody knows. */
uint64_t plait__os_cgroup_limit(const char *root, const char *controller, const char *file_v1,
                                const char *file_v2);

#endif
