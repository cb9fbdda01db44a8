/* Memory that a family of processes shares, and a page that no child inherits.
 * SPDX-License-Identifier: MIT
 */
#include "os/memory.h"
#include "os/fd.h"
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#    define MADV_POPULATE_WRITE 23
#endif

enum {
    COMMIT_AT_ONCE = 1 << 20 /* a signal makes the kernel begin again, and there may be many */
};

/* How long the file is at first: what a process can use that has closed it; and all of it under
 * valgrind, whose leak checker touches each page and does not come back from behind the end. */
#define FIRST_EXTENT ((size_t)128 << 20)
/* Without a file there is no end before which mlockall(2) would stop. */
#define MOST_WITHOUT_FILE ((uint64_t)1 << 30)

/* 32 to 64 TiB, on machines with 47 bits of addresses or more: kernels put programs and libraries above
 * that, and sanitizers their own memory below. */
#define FIRST_ADDRESS (UINT64_C(1) << 45)
#define LAST_ADDRESS  (UINT64_C(1) << 46)

static size_t bound(size_t bytes, size_t least, uint64_t most)
{
    while (bytes > least && bytes > most)
        bytes /= 2;
    return bytes;
}

static uint64_t limit_on(int resource)
{
    struct rlimit limit;

    return getrlimit(resource, &limit) < 0 ? RLIM_INFINITY : limit.rlim_cur;
}

static bool is_under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");

    return preload != NULL && strstr(preload, "vgpreload") != NULL;
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

/* Where no kernel puts programs, libraries, stacks or heaps by itself, so that it is free in a spawned
 * process, too. Only a hint: where addresses are fewer, the kernel takes another place. */
static void *choose_address(void)
{
    uint64_t gib = plait__os_random() % ((LAST_ADDRESS - FIRST_ADDRESS) >> 30);

    if (is_under_valgrind()) /* which has all of them for itself */
        return NULL;
    return (void *)(uintptr_t)(FIRST_ADDRESS + (gib << 30));
}

/* As much as there are addresses for; 0: not even the least. fd -1: memory without a file. */
static size_t map_most(int fd, size_t least, size_t most, char **ret_base)
{
    int flags = MAP_SHARED | MAP_NORESERVE | (fd < 0 ? MAP_ANONYMOUS : 0);
    void *hint = choose_address();

    for (size_t bytes = most; bytes >= least; bytes /= 2) {
        char *base = mmap(hint, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
        if (base != MAP_FAILED) {
            *ret_base = base;
            return bytes;
        }
    }
    return 0;
}

/* False: no descriptor is left, or files may not be that large. */
static bool reserve_file(size_t least, size_t most, struct plait__shared *ret)
{
    uint64_t limit = limit_on(RLIMIT_FSIZE); /* a larger one would raise SIGXFSZ */
    struct stat status;
    char *base = NULL;
    size_t bytes;
    int fd;

    most = bound(most, least, limit);
    if (most > limit)
        return false;
    fd = open_memory();
    bytes = fd < 0 ? 0 : map_most(fd, least, most, &base);
    if (bytes > 0 && ftruncate(fd, (off_t)(bytes < FIRST_EXTENT ? bytes : FIRST_EXTENT)) == 0 &&
        fstat(fd, &status) == 0) {
        *ret = (struct plait__shared){
            .base = base, .bytes = bytes, .fd = fd, .device = status.st_dev, .inode = status.st_ino
        };
        return true;
    }
    if (bytes > 0)
        munmap(base, bytes);
    if (fd >= 0)
        close(fd);
    return false;
}

int plait__os_shared_reserve(size_t least, size_t most, struct plait__shared *ret)
{
    char *base = NULL;

    most = bound(most, least, limit_on(RLIMIT_AS) / 4); /* the rest is the program's */
    if (is_under_valgrind())
        most = bound(most, least, FIRST_EXTENT);
    if (!reserve_file(least, most, ret)) {
        size_t bytes = map_most(-1, least, bound(most, least, MOST_WITHOUT_FILE), &base);
        if (bytes == 0)
            return -ENOMEM;
        *ret = (struct plait__shared){ .base = base, .bytes = bytes, .fd = -1 };
    }
    madvise(ret->base, ret->bytes, MADV_DONTDUMP); /* most of it was never touched */
    return 0;
}

void plait__os_shared_release(const struct plait__shared *shared)
{
    munmap(shared->base, shared->bytes);
    if (shared->fd >= 0)
        close(shared->fd);
}

/* Is the descriptor still the file that is mapped? The program may have closed all it found. */
static bool is_ours(const struct plait__shared *shared)
{
    struct stat status;

    return fstat(shared->fd, &status) == 0 && status.st_dev == shared->device &&
           status.st_ino == shared->inode;
}

int plait__os_shared_attach(const struct plait__shared *shared)
{
    int flags = MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    void *base;

    if (!is_ours(shared))
        return -EBADF;
    base = mmap(shared->base, shared->bytes, PROT_READ | PROT_WRITE, flags, shared->fd, 0);
    if (base == MAP_FAILED)
        return errno == EEXIST ? -EADDRINUSE : -ENOMEM;
    if (base != shared->base) { /* a kernel, or an emulator, that takes it for a hint */
        munmap(base, shared->bytes);
        return -EADDRINUSE;
    }
    madvise(base, shared->bytes, MADV_DONTDUMP);
    return 0;
}

int plait__os_shared_extend(const struct plait__shared *shared, size_t bytes, size_t *ret)
{
    uint64_t limit = limit_on(RLIMIT_FSIZE);
    struct stat status;
    size_t more;

    if (shared->fd < 0) {
        *ret = shared->bytes;
        return 0;
    }
    if (!is_ours(shared) || fstat(shared->fd, &status) < 0)
        return -ENOMEM;
    more = (size_t)status.st_size; /* somebody may have been killed before he could say so */
    while (more < bytes)
        more = more * 2 <= limit ? more * 2 : bytes;
    more = more < shared->bytes ? more : shared->bytes;
    if (more > (size_t)status.st_size) {
        int rc;
        if (more > limit)
            return -ENOMEM;
        do
            rc = ftruncate(shared->fd, (off_t)more);
        while (rc < 0 && errno == EINTR);
        if (rc < 0)
            return -ENOMEM;
    }
    *ret = more;
    return 0;
}

static int allocate(int fd, size_t offset, size_t bytes)
{
    int rc = 0;

    for (size_t done = 0, n; done < bytes && rc == 0; done += n) {
        n = bytes - done < COMMIT_AT_ONCE ? bytes - done : COMMIT_AT_ONCE;
        do
            rc = fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)(offset + done), (off_t)n);
        while (rc < 0 && errno == EINTR);
    }
    return rc;
}

int plait__os_shared_commit(const struct plait__shared *shared, size_t offset, size_t bytes)
{
    int rc;

    if (is_ours(shared) && allocate(shared->fd, offset, bytes) == 0)
        return 0;
    do
        rc = madvise(shared->base + offset, bytes, MADV_POPULATE_WRITE);
    while (rc < 0 && errno == EINTR);
    return rc == 0 ? 0 : -ENOMEM;
}

int plait__os_shared_decommit(const struct plait__shared *shared, size_t offset, size_t bytes)
{
    if (madvise(shared->base + offset, bytes, MADV_REMOVE) == 0)
        return 0;
    /* the program has locked its memory */
    if (is_ours(shared) && fallocate(shared->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                     (off_t)offset, (off_t)bytes) == 0)
        return 0;
    return -errno;
}

size_t plait__os_page_bytes(void)
{
    static size_t known; /* atomic, relaxed: everybody finds the same */
    size_t bytes = __atomic_load_n(&known, __ATOMIC_RELAXED);

    if (bytes == 0) {
        bytes = (size_t)sysconf(_SC_PAGESIZE);
        __atomic_store_n(&known, bytes, __ATOMIC_RELAXED);
    }
    return bytes;
}

/* Where the kernel wipes nothing: an emulator. Then only forks by the C library are seen. */
static _Alignas(64) char page_to_wipe[4096];

static void wipe(void)
{
    memset(page_to_wipe, 0, sizeof page_to_wipe);
}

static void wipe_at_fork(void)
{
    pthread_atfork(NULL, NULL, wipe);
}

void *plait__os_page_of_this_process(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    size_t bytes = plait__os_page_bytes();
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return NULL;
    if (madvise(page, bytes, MADV_WIPEONFORK) == 0)
        return page;
    munmap(page, bytes);
    pthread_once(&once, wipe_at_fork);
    return page_to_wipe;
}

void plait__os_page_free(void *page)
{
    if (page != page_to_wipe)
        munmap(page, plait__os_page_bytes());
}
