/* Descriptors that name a process, by the raw calls: older C libraries do not wrap them.
 * SPDX-License-Identifier: MIT
 */
#include "os/pidfd.h"
#include "os/call_numbers.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The kernel's struct pidfd_info as far as we ask, and its ioctl: newer than our headers. */
struct pidfd_info {
    uint64_t mask;
    uint64_t cgroup_id;
    uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    int32_t exit_code;
};

#define PIDFD_INFO_EXIT (UINT64_C(1) << 3)
#define PIDFD_GET_INFO  _IOWR(0xFF, 11, struct pidfd_info)

int plait__os_pidfd_open(pid_t pid)
{
    long fd = syscall(SYS_pidfd_open, pid, 0);

    return fd < 0 ? -errno : (int)fd;
}

int plait__os_pidfd_signal(int pidfd, int signal)
{
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int plait__os_pidfd_status(int pidfd, int *ret_status)
{
    struct pidfd_info info;
    int rc = -ESRCH;

    /* twice: it may be released between the kernel's look for the status and that for the process */
    for (int i = 0; rc == -ESRCH && i < 2; i++) {
        info = (struct pidfd_info){ .mask = PIDFD_INFO_EXIT };
        rc = ioctl(pidfd, PIDFD_GET_INFO, &info) < 0 ? -errno : 0;
    }
    if (rc < 0)
        return rc;
    if (!(info.mask & PIDFD_INFO_EXIT))
        return -EAGAIN;
    *ret_status = info.exit_code;
    return 0;
}

bool plait__os_pidfd_status_works(void)
{
    struct pidfd_info info = { .mask = PIDFD_INFO_EXIT };
    int pidfd = plait__os_pidfd_open(getpid());
    bool works;

    if (pidfd < 0)
        return false;
    works = ioctl(pidfd, PIDFD_GET_INFO, &info) == 0;
    close(pidfd);
    return works;
}
