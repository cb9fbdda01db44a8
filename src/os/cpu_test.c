/* CPU counts, and control groups in trees made for the purpose.
 * SPDX-License-Identifier: MIT
 */
#include "os/cpu.h"

#include "os/cgroup.h"
#include "test.h"

#include <errno.h>
#include <plait/cpu.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define V2 "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1 \
    "31 23 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 master:3 - cgroup cgroup rw,cpu,cpuacct\n"
#define NOISE                                                 \
    "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n" \
    "22 21 0:4 / /proc rw - proc proc rw\n"                   \
    "33 23 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"

/* A new directory below which everything of one case stands. */
static char root[64];

static void remove_root(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", root);
    if (system(command) != 0)
        fprintf(stderr, "cannot remove %s\n", root);
}

static void make_root(void)
{
    strcpy(root, "/tmp/plait-cpu-test-XXXXXX");
    CHECK(mkdtemp(root) != NULL);
    atexit(remove_root);
}

/* Write a file below the root, and the directories on the way. */
static void put(const char *path, const char *text)
{
    char full[512];
    FILE *file;

    snprintf(full, sizeof(full), "%s%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        CHECK(mkdir(full, 0755) == 0 || errno == EEXIST);
        *slash = '/';
    }
    file = fopen(full, "w");
    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK_INT(fclose(file), 0);
}

/* The quota in a tree where the kernel says this about us. */
static int quota(const char *mountinfo, const char *cgroup)
{
    put("/proc/self/mountinfo", mountinfo);
    put("/proc/self/cgroup", cgroup);
    return plait__os_cpu_quota(root);
}

TEST(v2_quota_is_rounded_up)
{
    make_root();
    put("/sys/fs/cgroup/work/cpu.max", "250000 100000\n");
    CHECK_INT(quota(NOISE V2, "0::/work\n"), 3);
    put("/sys/fs/cgroup/work/cpu.max", "200000 100000\n");
    CHECK_INT(quota(NOISE V2, "0::/work\n"), 2);
    put("/sys/fs/cgroup/work/cpu.max", "1000 100000\n");
    CHECK_INT(quota(NOISE V2, "0::/work\n"), 1);
    put("/sys/fs/cgroup/work/cpu.max", "18446744073709551614 1\n");
    CHECK_INT(quota(NOISE V2, "0::/work\n"), 0);
}

TEST(v2_without_a_limit_has_no_quota)
{
    make_root();
    put("/sys/fs/cgroup/work/cpu.max", "max 100000\n");
    CHECK_INT(quota(NOISE V2, "0::/work\n"), 0);
    CHECK_INT(quota(NOISE V2, "0::/\n"), 0);
}

TEST(v2_smallest_group_on_the_way_up_counts)
{
    make_root();
    put("/sys/fs/cgroup/a/cpu.max", "300000 100000\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "800000 100000\n");
    put("/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/other/cpu.max", "100000 100000\n");
    CHECK_INT(quota(NOISE V2, "0::/a/b/c\n"), 3);
    CHECK_INT(quota(NOISE V2, "0::/a/b/c/not-there\n"), 3);
    put("/sys/fs/cgroup/a/b/cpu.max", "150000 100000\n");
    CHECK_INT(quota(NOISE V2, "0::/a/b/c\n"), 2);
    put("/sys/fs/cgroup/cpu.max", "100000 100000\n");
    CHECK_INT(quota(NOISE V2, "0::/a/b/c\n"), 1);
    CHECK_INT(quota(NOISE V2, "0::/\n"), 1);
}

TEST(v1_quota_is_found_through_the_cpu_controller)
{
    make_root();
    put("/sys/fs/cgroup/cpu,cpuacct/work/cpu.cfs_quota_us", "350000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/work/cpu.cfs_period_us", "100000\n");
    CHECK_INT(quota(NOISE V1, "5:cpuset:/elsewhere\n4:cpu,cpuacct:/work\n"), 4);
    put("/sys/fs/cgroup/cpu,cpuacct/work/cpu.cfs_quota_us", "-1\n");
    CHECK_INT(quota(NOISE V1, "4:cpu,cpuacct:/work\n"), 0);
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    CHECK_INT(quota(NOISE V1, "4:cpu,cpuacct:/work\n"), 2);
}

TEST(v1_mount_that_is_our_group_itself)
{
    make_root();
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "150000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us", "90000\n");
    put("/sys/fs/cgroup/cpu/inner/cpu.cfs_period_us", "100000\n");
    CHECK_INT(quota("31 23 0:28 /docker/ab12 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n",
                    "4:cpu:/docker/ab12\n"),
              2);
    CHECK_INT(quota("31 23 0:28 /docker/ab12 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n",
                    "4:cpu:/docker/ab12/inner\n"),
              1);
}

TEST(mount_of_a_group_that_is_not_ours_counts_by_its_mount_point)
{
    static const char ours[] =
        "32 23 0:28 / /ours ro - cgroup cgroup rw,cpu\n"
        "31 23 0:28 /docker/ab1 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n";

    make_root();
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "150000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpu/2/cpu.cfs_quota_us", "10000\n");
    put("/sys/fs/cgroup/cpu/2/cpu.cfs_period_us", "100000\n");
    CHECK_INT(quota("31 23 0:28 /docker/ab1 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n",
                    "4:cpu:/docker/ab12\n"),
              2);
    CHECK_INT(
        quota("31 23 0:28 /../.. /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n", "4:cpu:/2\n"), 2);
    CHECK_INT(quota(ours, "4:cpu:/docker/ab12\n"), 0);
}

TEST(groups_outside_of_our_namespace_are_not_walked)
{
    make_root();
    put("/sys/fs/cgroup/cpu.max", "300000 100000\n");
    put("/sys/fs/cpu.max", "100000 100000\n");
    put("/sys/fs/x/cpu.max", "100000 100000\n");
    CHECK_INT(quota(V2, "0::/../x\n"), 3);
    CHECK_INT(quota(V2, "0::/..\n"), 3);
    CHECK_INT(quota("30 23 0:26 /.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/../y\n"), 3);
}

TEST(hybrid_takes_whichever_hierarchy_limits)
{
    static const char mounts[] = V1 "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    static const char groups[] = "9:name=systemd:/s\n4:cpu,cpuacct:/work\n0::/uni\n";

    make_root();
    CHECK_INT(quota(mounts, groups), 0);
    put("/sys/fs/cgroup/cpu,cpuacct/work/cpu.cfs_quota_us", "500000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/work/cpu.cfs_period_us", "100000\n");
    CHECK_INT(quota(mounts, groups), 5);
    put("/sys/fs/cgroup/unified/uni/cpu.max", "400000 100000\n");
    CHECK_INT(quota(mounts, groups), 4);
}

TEST(blanks_and_backslashes_in_mount_points_are_decoded)
{
    make_root();
    put("/my groups\\134/a b/cpu.max", "200000 100000\n");
    CHECK_INT(quota("30 23 0:26 / /my\\040groups\\134134 rw - cgroup2 cgroup2 rw\n", "0::/a b\n"),
              2);
    CHECK_INT(quota("30 23 0:26 /x\\040y /my\\040groups\\134134 rw - cgroup2 cgroup2 rw\n",
                    "0::/x y/a b\n"),
              2);
    CHECK_INT(quota("30 23 0:26 / /my\\04 rw - cgroup2 cgroup2 rw\n", "0::/a b\n"), 0);
    CHECK_INT(quota("30 23 0:26 / /my\\0400\\ rw - cgroup2 cgroup2 rw\n", "0::/a b\n"), 0);
}

TEST(a_hierarchy_mounted_at_the_top_is_found)
{
    make_root();
    put("/work/cpu.max", "200000 100000\n");
    CHECK_INT(quota("30 23 0:26 / / rw - cgroup2 cgroup2 rw\n", "0::/work\n"), 2);
    put("/cpu.max", "100000 100000\n");
    CHECK_INT(quota("30 23 0:26 / / rw - cgroup2 cgroup2 rw\n", "0::/work\n"), 1);
}

TEST(missing_files_mean_no_limit)
{
    make_root();
    CHECK_INT(plait__os_cpu_quota(root), 0);
    put("/proc/self/mountinfo", V2);
    CHECK_INT(plait__os_cpu_quota(root), 0);
    CHECK_INT(quota("", ""), 0);
    CHECK_INT(quota(V2, ""), 0);
    CHECK_INT(quota("", "0::/work\n"), 0);
    CHECK_INT(quota(V1, "4:cpu,cpuacct:/work\n"), 0);
    put("/sys/fs/cgroup/cpu,cpuacct/work/cpu.cfs_quota_us", "350000\n");
    CHECK_INT(quota(V1, "4:cpu,cpuacct:/work\n"), 0);
}

TEST(garbage_means_no_limit)
{
    static const char *const limits[] = {
        "",
        "\n",
        "max",
        "100000",
        "0 100000",
        "100000 0",
        "-5 100",
        "1e5 100",
        "100000 1e5",
        "x y",
        "200000  100000",
        "99999999999999999999 1",
        " 1 1",
        "\xff\xff ",
        "200000\t1000",
        "200000,100000\n",
    };
    static const char *const mounts[] = {
        "-\n",
        " - cgroup2\n",
        "1 2 3 / /sys/fs/cgroup rw cgroup2 cgroup2 rw\n",
        "\n\n\n",
        "1 2 3 x /sys/fs/cgroup rw - cgroup2 c rw\n",
        "1 2 3 / sys/fs/cgroup rw - cgroup2 c rw\n",
        "1 2 3 / /sys/fs/cgroup",
        "1 2 3 / /sys/fs/cgroup rw -",
        "1 2 3 / /sys/fs/cgroup rw - ",
        "1 2 3 / /sys/fs/cgroup rw - cgroup",
    };
    static const char *const groups[] = { "0::",       "0",          ":",          "::",
                                          "0::work\n", "1::/work\n", "0:cpu:work", "\n\n" };

    make_root();
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        put("/sys/fs/cgroup/work/cpu.max", limits[i]);
        CHECK_INT(quota(V2, "0::/work\n"), 0);
    }
    put("/sys/fs/cgroup/work/cpu.max", "100000 100000\n");
    CHECK_INT(quota(V2, "0::/work"), 1);
    for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
        CHECK_INT(quota(mounts[i], "0::/work\n1:cpu:/work\n"), 0);
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        CHECK_INT(quota(V2 V1, groups[i]), 0);
}

TEST(memory_limits_are_found_the_same_way)
{
    make_root();
    put("/sys/fs/cgroup/a/b/memory.max", "max\n");
    put("/sys/fs/cgroup/a/memory.max", "1073741824\n");
    quota(V2, "0::/a/b\n");
    CHECK_INT(plait__os_cgroup_limit(root, "memory", "memory.limit_in_bytes", "memory.max"),
              1073741824);
    CHECK(plait__os_cgroup_limit(root, "pids", "pids.max", "pids.max") == UINT64_MAX);
}

TEST(count_is_between_one_and_the_affinity)
{
    int affinity = plait__os_cpu_affinity(), count = plait_cpu_count();

    CHECK(affinity >= 1);
    CHECK(count >= 1 && count <= affinity);
    CHECK_INT(plait__os_cpu_count(), count);
}

TEST(count_follows_the_affinity)
{
    cpu_set_t all, one;
    int first = 0;

    CHECK_INT(sched_getaffinity(0, sizeof(all), &all), 0);
    while (!CPU_ISSET(first, &all))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    CHECK_INT(sched_setaffinity(0, sizeof(one), &one), 0);
    CHECK_INT(plait__os_cpu_affinity(), 1);
    CHECK_INT(plait_cpu_count(), 1);
}
