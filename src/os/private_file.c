/* Files that belong to one user.
 * SPDX-License-Identifier: MIT
 *
 * A new file has no name until it is whole (O_TMPFILE). Where the file system cannot do that, it
 * has the name PATH.plait-new until then. Its maker has the guard of it locked: a file of that name
 * whose guard is free was left by a maker that was killed, and is removed by the next one.
 */
#include "os/private_file.h"
#include "os/fd.h"
#include "os/probe.h"
#include "os/record_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#    define RENAME_NOREPLACE 1
#endif

enum {
    FD_PATH_BYTES = 40,
    RESERVE_AT_ONCE = 1 << 20 /* a signal makes the kernel begin again, and there may be many */
};

static void name_fd(char path[FD_PATH_BYTES], int fd)
{
    /* not /proc/self: the main thread may have ended before us */
    snprintf(path, FD_PATH_BYTES, "/proc/thread-self/fd/%d", fd);
}

static struct plait__file_id identify(const struct stat *status)
{
    return (struct plait__file_id){ .device = status->st_dev,
                                    .inode = status->st_ino,
                                    .bytes = (uint64_t)status->st_size };
}

bool plait__os_file_is(int fd, const struct plait__file_id *id)
{
    struct stat status;

    return fstat(fd, &status) == 0 && status.st_dev == id->device && status.st_ino == id->inode;
}

int plait__os_file_check(int fd, struct plait__file_id *ret)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (S_ISLNK(status.st_mode))
        return -ELOOP;
    if (!S_ISREG(status.st_mode) || status.st_uid != geteuid())
        return -EPERM;
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return -EACCES;
    *ret = identify(&status);
    return 0;
}

int plait__os_file_look(const char *path, struct plait__file_id *ret)
{
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), rc;

    if (fd < 0)
        return -errno;
    rc = plait__os_file_check(fd, ret);
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

int plait__os_file_lift(int fd)
{
    int lifted;

    if (fd < 0 || fd >= 3)
        return fd;
    lifted = plait__os_dup_above(fd, 3); /* before any lock, which the next line would drop */
    close(fd);
    return lifted;
}

int plait__os_file_open(int look)
{
    char path[FD_PATH_BYTES];
    int fd;

    name_fd(path, look);
    fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? -ENOTSUP : -errno;
    return plait__os_file_lift(fd);
}

bool plait__os_file_is_at(const char *path, const struct plait__file_id *id)
{
    struct stat status;

    return lstat(path, &status) == 0 && status.st_dev == id->device && status.st_ino == id->inode;
}

int plait__os_file_remove(const char *path)
{
    return unlink(path) < 0 ? -errno : 0;
}

char *plait__os_file_absolute(const char *path)
{
    char *folder, *ret = NULL;

    if (path[0] == '/')
        return strdup(path);
    folder = getcwd(NULL, 0);
    if (folder != NULL && asprintf(&ret, "%s/%s", folder, path) < 0)
        ret = NULL;
    free(folder);
    return ret;
}

/* ---- making ---- */

/* Its name was left by somebody who was killed, or is about to be. 0: it is gone. */
static int remove_abandoned(const char *temporary, int64_t guard)
{
    struct plait__file_id id;
    int look = plait__os_file_look(temporary, &id), fd, rc;

    if (look < 0)
        return look == -ENOENT ? 0 : look;
    fd = plait__os_file_open(look);
    close(look);
    if (fd < 0)
        return fd;
    rc = plait__os_byte_lock(fd, guard);
    /* while we have its guard, nobody else removes or renames it */
    if (rc == 0 && plait__os_file_is_at(temporary, &id))
        rc = plait__os_file_remove(temporary);
    close(fd);
    return rc;
}

static int make_with_name(const char *temporary, int64_t guard)
{
    int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, rc;
    int fd = plait__os_file_lift(open(temporary, flags, 0600));
    struct plait__file_id id;

    if (fd < 0) {
        if (errno != EEXIST)
            return -errno;
        rc = remove_abandoned(temporary, guard);
        return rc < 0 ? rc : -EAGAIN;
    }
    rc = plait__os_byte_lock(fd, guard);
    if (rc == 0)
        rc = plait__os_file_check(fd, &id);
    /* before we had the guard, somebody may have taken it for abandoned */
    if (rc == 0 && !plait__os_file_is_at(temporary, &id))
        rc = -EAGAIN;
    if (rc == 0 && fchmod(fd, 0600) < 0) {
        rc = -errno;
        unlink(temporary); /* ours: we have its guard */
    }
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

/* -EOPNOTSUPP: the file system cannot. */
static int make_without_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder;
    int fd;

    if (!plait__probe_has(PLAIT__PROBE_TMPFILE))
        return -EOPNOTSUPP;
    folder = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
    if (folder == NULL)
        return -ENOMEM;
    fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        fd = errno == EISDIR ? -EOPNOTSUPP : -errno;
    free(folder);
    fd = plait__os_file_lift(fd);
    if (fd >= 0)
        fchmod(fd, 0600); /* whatever the umask is: it is ours, so this does not fail */
    return fd;
}

int plait__os_file_make(struct plait__new_file *ret, const char *path, int64_t guard)
{
    char *temporary = NULL;
    int fd = make_without_name(path);

    if (fd == -EOPNOTSUPP) {
        if (asprintf(&temporary, "%s.plait-new", path) < 0)
            return -ENOMEM;
        fd = make_with_name(temporary, guard);
    }
    if (fd < 0) {
        free(temporary);
        return fd;
    }
    *ret = (struct plait__new_file){ .fd = fd, .temporary = temporary };
    return 0;
}

int plait__os_file_publish(struct plait__new_file *file, const char *path, int64_t guard)
{
    char unnamed[FD_PATH_BYTES];

    if (file->temporary == NULL) {
        name_fd(unnamed, file->fd);
        if (linkat(AT_FDCWD, unnamed, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
            return 0;
        return errno == ENOENT ? -ENOTSUP : -errno;
    }
    if (syscall(SYS_renameat2, AT_FDCWD, file->temporary, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
        return errno == EINVAL ? -ENOTSUP : -errno;
    free(file->temporary);
    file->temporary = NULL;
    plait__os_byte_unlock(file->fd, guard);
    return 0;
}

void plait__os_file_abandon(struct plait__new_file *file)
{
    if (file->temporary != NULL)
        unlink(file->temporary); /* before its guard goes */
    free(file->temporary);
    close(file->fd);
}

/* ---- bytes ---- */

int plait__os_file_reserve(int fd, size_t bytes)
{
    struct rlimit limit;
    int rc = 0;

    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && bytes > limit.rlim_cur)
        return -EFBIG; /* the kernel would send SIGXFSZ too */
    for (size_t done = 0, n; done < bytes && rc == 0; done += n) {
        n = bytes - done < RESERVE_AT_ONCE ? bytes - done : RESERVE_AT_ONCE;
        do
            rc = posix_fallocate(fd, (off_t)done, (off_t)n);
        while (rc == EINTR);
    }
    return -rc;
}

int plait__os_file_read_at_start(int fd, void *bytes, size_t n)
{
    ssize_t got;

    do
        got = pread(fd, bytes, n, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    return (size_t)got == n ? 0 : -EBADMSG;
}

int plait__os_file_write_at_start(int fd, const void *bytes, size_t n)
{
    ssize_t put;

    do
        put = pwrite(fd, bytes, n, 0);
    while (put < 0 && errno == EINTR);
    if (put < 0)
        return -errno;
    return (size_t)put == n ? 0 : -ENOSPC;
}

int plait__os_file_map(int fd, size_t bytes, char **ret)
{
    char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (base == MAP_FAILED)
        return -errno;
    *ret = base;
    return 0;
}

void plait__os_file_unmap(char *base, size_t bytes)
{
    munmap(base, bytes);
}
