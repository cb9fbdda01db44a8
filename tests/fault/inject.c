/* Makes allocations and system calls fail: a library for LD_PRELOAD, with glibc only.
 * SPDX-License-Identifier: MIT
 *
 * Here are the calls that it takes the place of; inject_points.c says which of them fail.
 */
#include "../../src/os/call_numbers.h"
#include "inject_points.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    EXEC_WORDS = 512 /* of an environment; on the stack of a child in a vfork */
};

/* ---- the calls ---- */

#pragma GCC visibility push(default)

/* glibc's own names of its allocator: dlsym allocates, and could not look them up. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t n);

void *malloc(size_t n)
{
    return fails(KIND_malloc, __builtin_return_address(0), true) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return fails(KIND_calloc, __builtin_return_address(0), true) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t n)
{
    return fails(KIND_realloc, __builtin_return_address(0), true) ? NULL : __libc_realloc(old, n);
}

void *reallocarray(void *old, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return fails(KIND_realloc, __builtin_return_address(0), true) ? NULL
                                                                  : __libc_realloc(old, bytes);
}

/* The real function. Called in a vfork child too: what is remembered is the same for both. */
#define REAL(name)                                              \
    __extension__({                                             \
        static __typeof__(name) *real;                          \
        if (real == NULL)                                       \
            real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name); \
        real;                                                   \
    })

/* A wrapper that fails with `failed`. */
#define WRAP(type, name, parameters, arguments, failed)             \
    type name parameters                                            \
    {                                                               \
        if (fails(KIND_##name, __builtin_return_address(0), false)) \
            return failed;                                          \
        return REAL(name) arguments;                                \
    }

WRAP(FILE *, fopen, (const char *path, const char *how), (path, how), NULL)
WRAP(DIR *, opendir, (const char *path), (path), NULL)
WRAP(DIR *, fdopendir, (int fd), (fd), NULL)
WRAP(ssize_t, getdelim, (char **line, size_t *cap, int end, FILE *file), (line, cap, end, file), -1)
WRAP(int, pipe2, (int fds[2], int flags), (fds, flags), -1)
WRAP(int, socketpair, (int family, int type, int protocol, int fds[2]),
     (family, type, protocol, fds), -1)
WRAP(int, socket, (int family, int type, int protocol), (family, type, protocol), -1)
WRAP(int, bind, (int fd, const struct sockaddr *address, socklen_t n), (fd, address, n), -1)
WRAP(int, eventfd, (unsigned count, int flags), (count, flags), -1)
WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags), -1)
WRAP(int, mkostemp, (char *path, int flags), (path, flags), -1)
WRAP(int, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags), -1)
WRAP(int, dup2, (int from, int to), (from, to), -1)
WRAP(ssize_t, read, (int fd, void *bytes, size_t n), (fd, bytes, n), -1)
WRAP(ssize_t, pread, (int fd, void *bytes, size_t n, off_t at), (fd, bytes, n, at), -1)
WRAP(ssize_t, pwrite, (int fd, const void *bytes, size_t n, off_t at), (fd, bytes, n, at), -1)
WRAP(int, ftruncate, (int fd, off_t n), (fd, n), -1)
WRAP(int, fallocate, (int fd, int how, off_t at, off_t n), (fd, how, at, n), -1)
WRAP(int, madvise, (void *at, size_t n, int how), (at, n, how), -1)
WRAP(int, mincore, (void *at, size_t n, unsigned char *ret), (at, n, ret), -1)
WRAP(int, mprotect, (void *at, size_t n, int how), (at, n, how), -1)
WRAP(int, fstat, (int fd, struct stat *ret), (fd, ret), -1)
WRAP(int, stat, (const char *path, struct stat *ret), (path, ret), -1)
WRAP(int, lstat, (const char *path, struct stat *ret), (path, ret), -1)
WRAP(int, fstatat, (int folder, const char *path, struct stat *ret, int how),
     (folder, path, ret, how), -1)
WRAP(ssize_t, readlink, (const char *path, char *ret, size_t n), (path, ret, n), -1)
WRAP(ssize_t, readlinkat, (int folder, const char *path, char *ret, size_t n),
     (folder, path, ret, n), -1)
WRAP(int, fchmod, (int fd, mode_t how), (fd, how), -1)
WRAP(int, linkat, (int folder, const char *path, int to, const char *name, int how),
     (folder, path, to, name, how), -1)
WRAP(int, access, (const char *path, int how), (path, how), -1)
WRAP(int, mkdir, (const char *path, mode_t how), (path, how), -1)
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags), -1)
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags), -1)
WRAP(int, epoll_create1, (int flags), (flags), -1)
WRAP(int, epoll_wait, (int epoll, struct epoll_event *ret, int n, int ms), (epoll, ret, n, ms), -1)
WRAP(int, poll, (struct pollfd * fds, nfds_t n, int ms), (fds, n, ms), -1)
WRAP(int, ppoll,
     (struct pollfd * fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask),
     (fds, n, timeout, mask), -1)
WRAP(void *, mmap, (void *at, size_t n, int protection, int flags, int fd, off_t from),
     (at, n, protection, flags, fd, from), MAP_FAILED)
WRAP(pid_t, fork, (void), (), -1)
WRAP(pid_t, wait4, (pid_t pid, int *status, int flags, struct rusage *usage),
     (pid, status, flags, usage), -1)
WRAP(pid_t, waitpid, (pid_t pid, int *status, int flags), (pid, status, flags), -1)
WRAP(int, sigaction, (int number, const struct sigaction *action, struct sigaction *old),
     (number, action, old), -1)
WRAP(ssize_t, getrandom, (void *bytes, size_t n, unsigned flags), (bytes, n, flags), -1)
WRAP(int, setpgid, (pid_t pid, pid_t group), (pid, group), -1)
WRAP(int, chdir, (const char *path), (path), -1)
WRAP(int, setpriority, (__priority_which_t which, id_t who, int priority), (which, who, priority),
     -1)
/* these say why by their value */
WRAP(int, posix_fallocate, (int fd, off_t at, off_t n), (fd, at, n), errno)
WRAP(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *how, void *(*fn)(void *), void *arg),
     (thread, how, fn, arg), errno)

WRAP(int, setrlimit, (__rlimit_resource_t what, const struct rlimit *to), (what, to), -1)

int execve(const char *path, char *const argv[], char *const envp[])
{
    char *words[EXEC_WORDS];

    if (fails(KIND_execve, __builtin_return_address(0), false))
        return -1;
    return REAL(execve)(path, argv, environment_of(path, envp, words, EXEC_WORDS));
}

int getrlimit(__rlimit_resource_t what, struct rlimit *ret)
{
    return fails(KIND_getrlimit, __builtin_return_address(0), false) ? -1
                                                                     : REAL(getrlimit)(what, ret);
}

/* A full disk is met by regular files only, once it is full for good. */
ssize_t write(int fd, const void *bytes, size_t n)
{
    struct stat status;
    bool is_disk = !fails_for_good() || (REAL(fstat)(fd, &status) == 0 && S_ISREG(status.st_mode));

    if (fails(is_disk ? KIND_write : KIND_NONE, __builtin_return_address(0), false))
        return -1;
    return REAL(write)(fd, bytes, n);
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    mode_t how;

    va_start(rest, flags);
    how = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (fails(KIND_open, __builtin_return_address(0), false))
        return -1;
    if (is_without_tmpfile() && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return REAL(open)(path, flags, how);
}

int openat(int folder, const char *path, int flags, ...)
{
    va_list rest;
    mode_t how;

    va_start(rest, flags);
    how = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (fails(KIND_openat, __builtin_return_address(0), false))
        return -1;
    return REAL(openat)(folder, path, flags, how);
}

static enum kind kind_of_fcntl(int what, long arg)
{
    switch (what) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return KIND_fcntl_dup;
    case F_SETLK: /* to unlock one byte cannot fail */
    case F_OFD_SETLK:
        return ((const struct flock *)arg)->l_type == F_UNLCK ? KIND_NONE : KIND_fcntl_lock;
    case F_GETLK:
        return KIND_fcntl_look;
    case F_ADD_SEALS: /* nor can these, on a new memfd */
    case F_GET_SEALS:
        return KIND_NONE;
    default:
        return KIND_fcntl;
    }
}

int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
    enum kind kind = what == EPOLL_CTL_DEL ? KIND_NONE : KIND_epoll_ctl; /* to remove cannot fail */

    return fails(kind, __builtin_return_address(0), false)
               ? -1
               : REAL(epoll_ctl)(epoll, what, fd, event);
}

int fcntl(int fd, int what, ...)
{
    va_list rest;
    enum kind kind;
    long arg;

    va_start(rest, what);
    arg = va_arg(rest, long);
    va_end(rest);
    kind = kind_of_fcntl(what, arg);
    return fails(kind, __builtin_return_address(0), false) ? -1 : REAL(fcntl)(fd, what, arg);
}

int prctl(int what, ...)
{
    va_list rest;
    unsigned long args[4];

    va_start(rest, what);
    for (int i = 0; i < 4; i++)
        args[i] = va_arg(rest, unsigned long);
    va_end(rest);
    if (fails(KIND_prctl, __builtin_return_address(0), false))
        return -1;
    return REAL(prctl)(what, args[0], args[1], args[2], args[3]);
}

int clone(int (*fn)(void *), void *stack, int flags, void *arg, ...)
{
    va_list rest;
    int *parent, *child;
    void *tls;

    if (fails(KIND_clone, __builtin_return_address(0), false))
        return -1;
    va_start(rest, arg);
    parent = va_arg(rest, int *); /* what was not said is not looked at */
    tls = va_arg(rest, void *);
    child = va_arg(rest, int *);
    va_end(rest);
    return REAL(clone)(fn, stack, flags, arg, parent, tls, child);
}

static enum kind kind_of_call(long number, long operation)
{
    switch (number) {
    case SYS_clone:
        return KIND_sys_clone;
    case SYS_pidfd_open:
        return KIND_sys_pidfd_open;
    case SYS_pidfd_send_signal: /* nor can SIGKILL to one's own processes */
        return operation == SIGKILL ? KIND_NONE : KIND_sys_pidfd_send_signal;
    case SYS_waitid:
        return KIND_sys_waitid;
    case SYS_futex: /* to wake cannot fail */
        return operation == FUTEX_WAKE ? KIND_NONE : KIND_sys_futex;
    case SYS_futex_waitv:
        return KIND_sys_futex;
    case SYS_renameat2:
        return KIND_sys_renameat2;
    case SYS_prctl:
        return KIND_prctl;
    case SYS_dup3:
        return KIND_dup2;
    case SYS_close_range:
        return KIND_sys_close_range;
    case SYS_setgroups: /* of one kind, with those that change who a process is */
    case SYS_setresgid:
    case SYS_setresuid:
        return KIND_sys_setresuid;
    case SYS_epoll_pwait2:
        return KIND_sys_epoll_pwait2;
    default:
        return KIND_NONE;
    }
}

long syscall(long number, ...)
{
    va_list rest;
    long args[6];

    va_start(rest, number);
    for (int i = 0; i < 6; i++)
        args[i] = va_arg(rest, long);
    va_end(rest);
    if (fails(kind_of_call(number, args[1]), __builtin_return_address(0), false))
        return -1;
    return REAL(syscall)(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

#pragma GCC visibility pop
