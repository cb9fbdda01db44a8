/* Memory that a family of processes shares, and a page that no child inherits.
 * SPDX-License-Identifier: MIT
 */
#include "os/memory.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#    define MADV_POPULATE_WRITE 23
#endif

/* A write beyond the limit on file size would raise SIGXFSZ; memory is no file to the user. */
static size_t bound_by_file_size(size_t bytes)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return bytes;
    while (bytes > limit.rlim_cur)
        bytes /= 2;
    return bytes;
}

static int open_memory(void)
{
    int fd = plait__os_memfd("plait-family"), lifted;

    if (fd < 0 || fd >= 3)
        return fd;
    lifted = plait__os_dup_above(fd, 3); /* 0 to 2 get other meanings in children */
    close(fd);
    return lifted;
}

/* As much as the limits allow; 0: not even the least. */
static size_t map_most(int fd, size_t least, size_t most, char **ret_base)
{
    for (size_t bytes = bound_by_file_size(most); bytes >= least; bytes /= 2) {
        char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
        if (base != MAP_FAILED) {
            *ret_base = base;
            return bytes;
        }
    }
    return 0;
}

int plait__os_shared_reserve(size_t least, size_t most, struct plait__shared *ret)
{
    struct stat status;
    char *base = NULL;
    int fd = open_memory();
    size_t bytes = fd < 0 ? 0 : map_most(fd, least, most, &base);

    if (fd < 0)
        return fd;
    if (bytes == 0 || ftruncate(fd, (off_t)bytes) < 0 || fstat(fd, &status) < 0) {
        int error = bytes == 0 ? ENOMEM : errno;
        if (bytes > 0)
            munmap(base, bytes);
        close(fd);
        return -error;
    }
    madvise(base, bytes, MADV_DONTDUMP); /* most of it was never touched */
    *ret = (struct plait__shared){
        .base = base, .bytes = bytes, .fd = fd, .device = status.st_dev, .inode = status.st_ino
    };
    return 0;
}

void plait__os_shared_release(const struct plait__shared *shared)
{
    munmap(shared->base, shared->bytes);
    close(shared->fd);
}

/* Is the descriptor still the file that is mapped? The program may have closed all it found. */
static bool is_ours(const struct plait__shared *shared)
{
    struct stat status;

    return fstat(shared->fd, &status) == 0 && status.st_dev == shared->device &&
           status.st_ino == shared->inode;
}

int plait__os_shared_commit(const struct plait__shared *shared, size_t offset, size_t bytes)
{
    int rc;

    if (is_ours(shared)) {
        do
            rc = fallocate(shared->fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes);
        while (rc < 0 && errno == EINTR);
        if (rc == 0)
            return 0;
    }
    do
        rc = madvise(shared->base + offset, bytes, MADV_POPULATE_WRITE);
    while (rc < 0 && errno == EINTR);
    return rc == 0 ? 0 : -ENOMEM;
}

void plait__os_shared_decommit(const struct plait__shared *shared, size_t offset, size_t bytes)
{
    madvise(shared->base + offset, bytes, MADV_REMOVE); /* refused: the memory stays */
}

static void *page_to_wipe;

static void wipe(void)
{
    memset(page_to_wipe, 0, plait__os_page_bytes());
}

size_t plait__os_page_bytes(void)
{
    static size_t bytes;

    if (bytes == 0)
        bytes = (size_t)sysconf(_SC_PAGESIZE);
    return bytes;
}

void *plait__os_page_of_this_process(void)
{
    size_t bytes = plait__os_page_bytes();
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return NULL;
    if (madvise(page, bytes, MADV_WIPEONFORK) == 0)
        return page;
    /* an emulator without it: then only forks by the C library are seen */
    if (page_to_wipe == NULL && pthread_atfork(NULL, NULL, wipe) == 0) {
        page_to_wipe = page;
        return page;
    }
    munmap(page, bytes);
    return NULL;
}

void plait__os_page_free(void *page)
{
    munmap(page, plait__os_page_bytes());
}
