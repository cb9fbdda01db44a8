/* Locks on bytes of a file.
 * SPDX-License-Identifier: MIT
 *
 * Classic record locks belong to the table of open files of a process, which goes with its last
 * user: in the end of a thread, the kernel gives up its memory first and its files then. So a byte
 * that has become free says that nobody can touch what its owner had mapped.
 */
#include "os/record_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int apply(int fd, int command, int type, int64_t at)
{
    struct flock lock = {
        .l_type = (short)type, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = 1
    };
    int rc;

    do
        rc = fcntl(fd, command, &lock);
    while (rc < 0 && errno == EINTR);
    if (rc == 0)
        return 0;
    return errno == EACCES ? -EAGAIN : -errno;
}

int plait__os_byte_lock(int fd, int64_t at)
{
    return apply(fd, F_SETLK, F_WRLCK, at);
}

void plait__os_byte_unlock(int fd, int64_t at)
{
    apply(fd, F_SETLK, F_UNLCK, at);
}

int plait__os_byte_share(int fd, int64_t at)
{
    return apply(fd, F_OFD_SETLK, F_RDLCK, at);
}

bool plait__os_byte_is_free(int fd, int64_t at)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = 1
    };

    return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}
