/* The points at which the injector may let something fail.
 * SPDX-License-Identifier: MIT
 */
#ifndef FAULT_INJECT_POINTS_H
#define FAULT_INJECT_POINTS_H

#include <stdbool.h>

enum class {
    ONCE, /* no class: `from` fails it once */
    MEMORY,
    FILES, /* descriptors */
    DISK,
    TASKS, /* processes and threads */
};

/* name, class, may a signal interrupt it? The order is that of the kinds in struct state. */
#define KINDS(X)                      \
    X(malloc, MEMORY, 0)              \
    X(calloc, MEMORY, 0)              \
    X(realloc, MEMORY, 0)             \
    X(mmap, MEMORY, 0)                \
    X(open, FILES, 0)                 \
    X(fopen, FILES, 0)                \
    X(opendir, FILES, 0)              \
    X(openat, FILES, 0)               \
    X(fdopendir, MEMORY, 0)           \
    X(pipe2, FILES, 0)                \
    X(socketpair, FILES, 0)           \
    X(socket, FILES, 0)               \
    X(bind, ONCE, 0)                  \
    X(eventfd, FILES, 0)              \
    X(memfd_create, FILES, 0)         \
    X(mkostemp, FILES, 0)             \
    X(signalfd, FILES, 0)             \
    X(fcntl, ONCE, 0)                 \
    X(fcntl_dup, FILES, 0)            \
    X(fcntl_lock, ONCE, 1)            \
    X(fcntl_look, ONCE, 0)            \
    X(dup2, ONCE, 0)                  \
    X(read, ONCE, 1)                  \
    X(pread, ONCE, 1)                 \
    X(write, DISK, 1)                 \
    X(pwrite, DISK, 1)                \
    X(ftruncate, ONCE, 0)             \
    X(fallocate, MEMORY, 1)           \
    X(posix_fallocate, DISK, 1)       \
    X(madvise, MEMORY, 0)             \
    X(mincore, ONCE, 0)               \
    X(mprotect, MEMORY, 0)            \
    X(fstat, ONCE, 0)                 \
    X(stat, ONCE, 0)                  \
    X(lstat, ONCE, 0)                 \
    X(fstatat, ONCE, 0)               \
    X(readlink, ONCE, 0)              \
    X(readlinkat, ONCE, 0)            \
    X(fchmod, ONCE, 0)                \
    X(linkat, DISK, 0)                \
    X(access, ONCE, 0)                \
    X(mkdir, ONCE, 0)                 \
    X(getdelim, MEMORY, 0)            \
    X(sendmsg, ONCE, 1)               \
    X(recvmsg, ONCE, 1)               \
    X(ppoll, ONCE, 1)                 \
    X(poll, ONCE, 1)                  \
    X(epoll_create1, FILES, 0)        \
    X(epoll_ctl, MEMORY, 0)           \
    X(epoll_wait, ONCE, 1)            \
    X(fork, TASKS, 0)                 \
    X(clone, TASKS, 0)                \
    X(pthread_create, TASKS, 0)       \
    X(wait4, ONCE, 1)                 \
    X(waitpid, ONCE, 1)               \
    X(sigaction, ONCE, 0)             \
    X(prctl, ONCE, 0)                 \
    X(getrlimit, ONCE, 0)             \
    X(getrandom, ONCE, 0)             \
    X(setpgid, ONCE, 0)               \
    X(chdir, ONCE, 0)                 \
    X(setpriority, ONCE, 0)           \
    X(setrlimit, ONCE, 0)             \
    X(execve, ONCE, 0)                \
    X(sys_clone, TASKS, 0)            \
    X(sys_pidfd_open, FILES, 0)       \
    X(sys_pidfd_send_signal, ONCE, 0) \
    X(sys_waitid, ONCE, 1)            \
    X(sys_futex, ONCE, 1)             \
    X(sys_renameat2, DISK, 0)         \
    X(sys_close_range, ONCE, 0)       \
    X(sys_setresuid, ONCE, 0)         \
    X(sys_epoll_pwait2, ONCE, 1)

enum kind {
#define X(name, class, interruptible) KIND_##name,
    KINDS(X)
#undef X
    KIND_COUNT,
    KIND_NONE = KIND_COUNT
};

/* Counts the point; true, with errno set, if it has to fail. */
bool fails(enum kind kind, const void *place, bool from_anywhere);

/* As on a full disk that stays full. */
bool fails_for_good(void);
/* As on a file system that knows no O_TMPFILE. */
bool is_without_tmpfile(void);

/* The environment of a program that is executed: if that is this one again, with what makes it count
 * and fail too, in ret, which has room for so many words. Allocates nothing. */
char *const *environment_of(const char *path, char *const *from, char **ret, int room);

#endif
