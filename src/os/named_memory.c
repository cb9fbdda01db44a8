/* Memory with a name.
 * SPDX-License-Identifier: MIT
 *
 * The guard is an abstract socket address: one process can have it, and the kernel takes it back
 * when that ends. Anybody may bind it; so who finds it taken connects, which tells whose it is.
 */
#include "os/named_memory.h"
#include "os/identity.h"
#include "os/private_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW,
    LINK_BYTES = PLAIT__NAME_BYTES + 32
};

#define PREFIX "plait-"

/* ---- the guard ---- */

/* Of this process, or the last one that it had, or -1; one thread at a time has one. A fork copies
 * descriptors first and memory later: one that was closed in between has to be known to the child.
 * Atomic, as its inode is, which is written before it. */
static int guard = -1;
static uint64_t guard_inode;

/* Of this process's forks, how many have begun and how many are over. Atomic. */
static uint32_t forks_begun, forks_over;

static void begin_fork(void)
{
    __atomic_fetch_add(&forks_begun, 1, __ATOMIC_SEQ_CST);
}

static void end_fork(void)
{
    __atomic_fetch_add(&forks_over, 1, __ATOMIC_SEQ_CST);
}

/* A forked child would keep it, bound or about to be. The number may be another file's by now: it
 * was closed just then. */
static void close_in_child(void)
{
    int fd = __atomic_exchange_n(&guard, -1, __ATOMIC_RELAXED);
    struct stat status;

    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) &&
        status.st_ino == __atomic_load_n(&guard_inode, __ATOMIC_RELAXED))
        close(fd);
    __atomic_store_n(&forks_begun, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&forks_over, 0, __ATOMIC_SEQ_CST);
}

static void watch_forks(void)
{
    pthread_atfork(begin_fork, end_fork, close_in_child);
}

static int open_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? -errno : fd;
}

static socklen_t make_address(struct sockaddr_un *address, const char *name)
{
    int n;

    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    n = snprintf(address->sun_path + 1, sizeof address->sun_path - 1, PREFIX "%u-%s",
                 (unsigned)geteuid(), name);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

/* Whoever has it, is it our user? -EAGAIN: yes, or it is gone by now; -EPERM. */
static int ask_holder(const struct sockaddr_un *address, socklen_t bytes)
{
    struct ucred who = { .uid = geteuid() };
    socklen_t who_bytes = sizeof who;
    int fd = open_socket(), rc = -EAGAIN;

    if (fd < 0)
        return fd;
    if (connect(fd, (const struct sockaddr *)address, bytes) == 0)
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &who_bytes);
    if (who.uid != geteuid())
        rc = -EPERM;
    close(fd);
    return rc;
}

/* Not bound yet. -EAGAIN: another thread forks, and its child could get one that it does not know
 * of. */
static int open_guard(void)
{
    uint32_t begun = __atomic_load_n(&forks_begun, __ATOMIC_SEQ_CST);
    struct stat status;
    int fd;

    if (__atomic_load_n(&forks_over, __ATOMIC_SEQ_CST) != begun)
        return -EAGAIN;
    fd = open_socket();
    if (fd < 0)
        return fd;
    status.st_ino = 0;
    fstat(fd, &status);
    __atomic_store_n(&guard_inode, status.st_ino, __ATOMIC_SEQ_CST);
    __atomic_store_n(&guard, fd, __ATOMIC_SEQ_CST);
    /* a fork that begins after this finds the guard */
    if (__atomic_load_n(&forks_begun, __ATOMIC_SEQ_CST) == begun)
        return fd;
    plait__os_name_unlock();
    return -EAGAIN;
}

int plait__os_name_lock(const char *name)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct sockaddr_un address;
    socklen_t bytes = make_address(&address, name);
    int fd, rc;

    pthread_once(&once, watch_forks);
    fd = open_guard();
    if (fd < 0)
        return fd;
    if (bind(fd, (const struct sockaddr *)&address, bytes) == 0 && listen(fd, 64) == 0)
        return 0;
    rc = errno == EADDRINUSE ? ask_holder(&address, bytes) : -errno;
    plait__os_name_unlock();
    return rc;
}

void plait__os_name_unlock(void)
{
    close(__atomic_load_n(&guard, __ATOMIC_RELAXED)); /* and is remembered: see above */
}

/* ---- the search ---- */

struct search {
    plait__memory_fn *fn;
    void *arg;
    bool has_seen;         /* any descriptor of the process at hand */
    char link[LINK_BYTES]; /* what /proc says of such a descriptor */
};

/* Ends of processes and of our view of them are no errors. */
static int explain(int error)
{
    return error == ENOENT || error == ESRCH || error == EACCES || error == EPERM ? 0 : -error;
}

static int look_at(struct search *search, int folder, const char *number)
{
    char link[LINK_BYTES + 1];
    ssize_t n = readlinkat(folder, number, link, sizeof link - 1);
    int look, rc;

    search->has_seen = true;
    if (n < 0)
        return explain(errno);
    link[n] = '\0';
    if (strcmp(link, search->link) != 0)
        return 0;
    look = openat(folder, number, O_PATH | O_CLOEXEC);
    if (look < 0)
        return explain(errno);
    rc = search->fn(look, search->arg);
    close(look);
    return rc;
}

/* All of a folder whose names are numbers. */
typedef int entry_fn(struct search *search, int folder, const char *number);

static int for_each_number(struct search *search, int folder, const char *name, entry_fn *fn)
{
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (dir == NULL) {
        rc = explain(errno);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    while (rc == 0) {
        errno = 0;
        entry = readdir(dir);
        if (entry == NULL) {
            rc = explain(errno);
            break;
        }
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
            rc = fn(search, dirfd(dir), entry->d_name);
    }
    closedir(dir);
    return rc;
}

static int look_through_thread(struct search *search, int folder, const char *id)
{
    char files[300];

    if (search->has_seen)
        return 0;
    snprintf(files, sizeof files, "%s/fd", id);
    return for_each_number(search, folder, files, look_at);
}

static int look_through(struct search *search, int folder, const char *pid)
{
    int rc;
    struct stat status;
    char files[300];

    if (fstatat(folder, pid, &status, 0) < 0)
        return explain(errno);
    if (status.st_uid != geteuid())
        return 0;
    search->has_seen = false;
    snprintf(files, sizeof files, "%s/fd", pid);
    rc = for_each_number(search, folder, files, look_at);
    if (rc != 0 || search->has_seen)
        return rc;
    /* when its main thread has ended before the others, only they have any */
    snprintf(files, sizeof files, "%s/task", pid);
    return for_each_number(search, folder, files, look_through_thread);
}

int plait__os_memory_find(const char *name, plait__memory_fn *fn, void *arg)
{
    struct search search = { .fn = fn, .arg = arg };

    if (!plait__os_proc_is_ours())
        return -ENOTSUP;
    snprintf(search.link, sizeof search.link, "/memfd:" PREFIX "%s (deleted)", name);
    return for_each_number(&search, AT_FDCWD, "/proc", look_through);
}

/* ---- making ---- */

int plait__os_memory_make(const char *name)
{
    char full[PLAIT__NAME_BYTES + 16];
    int fd;

    snprintf(full, sizeof full, PREFIX "%s", name);
    fd = memfd_create(full, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    if (fchmod(fd, 0600) < 0) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    return plait__os_file_lift(fd);
}

int plait__os_memory_seal(int fd)
{
    return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

bool plait__os_memory_is_sealed(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);

    return seals >= 0 && (seals & SEALS) == SEALS;
}
