/* Makes allocations and system calls fail: a library for LD_PRELOAD, with glibc only.
 * SPDX-License-Identifier: MIT
 *
 * A point is one call that may fail: an allocation from anywhere in the process, or a system call's
 * wrapper called from the text of the program itself (so not what the C library does for itself).
 * Points are numbered from 1 in the order in which the program and its forks reach them.
 *
 *     PLAIT_INJECT=count              nothing fails
 *     PLAIT_INJECT=fail:N:ERRNO:KIND  the N-th point fails, once; if another run got there by
 *                                     another way, the next point of that kind
 *     PLAIT_INJECT=from:N:ERRNO:KIND  so does that one, and from then on all of its class: memory or
 *                                     descriptors are used up, the disk is full, no process can be
 *                                     made
 *     PLAIT_INJECT=eintr:N            one in N of the calls that a signal may interrupt says EINTR
 *     PLAIT_INJECT_FILE=FILE          gets struct state: what was reached and what failed
 *     PLAIT_INJECT_NO_TMPFILE=1       O_TMPFILE is not supported
 *     PLAIT_INJECT_TRAP=1             SIGTRAP before the failure: gdb shows where it is
 *
 * These variables and LD_PRELOAD are taken out of the environment at once, so that the programs that
 * are executed know nothing of this; the forks keep it, with one counter.
 */
#include "../../src/os/call_numbers.h"

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

enum {
    NAME_BYTES = 24,
    KINDS_MAX = 96,
    TRACE_MAX = 65536
};

static const struct {
    char name[NAME_BYTES];
    enum class class;
    bool interruptible;
} kinds[KIND_COUNT] = {

#define X(name, class, interruptible) { #name, class, interruptible },
    KINDS(X)
#undef X
};

struct point {
    uint64_t place; /* offset of the call in the program; with the highest bit, in a library */
    uint16_t kind;
    uint16_t is_fork; /* not the program's first process */
    uint32_t error;   /* what it failed with; 0: it did not */
};

/* What the file holds; read by inject.py. */
struct state {
    uint32_t n_kinds;
    uint32_t reached; /* atomic, relaxed, like the next one: a count and no more */
    uint32_t failed;
    uint32_t spare;
    char names[KINDS_MAX][NAME_BYTES];
    struct point first; /* the first one that failed */
    struct point trace[TRACE_MAX];
};

_Static_assert((int)KIND_COUNT <= (int)KINDS_MAX, "each kind has a name");

static enum {
    OFF,
    COUNT,
    FAIL,
    FROM,
    EINTR_EVERY
} mode;
static struct state *state;
static uint32_t wanted; /* N */
static int wanted_error = EINTR;
static enum kind wanted_kind = KIND_NONE; /* any */
static bool traps;                        /* for a debugger */
static bool without_tmpfile;              /* as on a file system that knows no O_TMPFILE */
static pid_t first_process;
static uintptr_t text_begin, text_end, base;

/* The program itself is the first that is told. */
static int find_text(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0) {
            text_begin = base + part->p_vaddr;
            text_end = text_begin + part->p_memsz;
        }
    }
    return 1;
}

static bool is_ours(const void *place)
{
    return (uintptr_t)place >= text_begin && (uintptr_t)place < text_end;
}

/* The first failure: of the calls that come at once, one. */
static bool is_wanted(uint32_t number, const struct point *point)
{
    uint32_t none = 0;

    return number >= wanted && (wanted_kind == KIND_NONE || point->kind == wanted_kind) &&
           __atomic_compare_exchange_n(&state->failed, &none, 1, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
}

static bool must_fail(uint32_t number, const struct point *point)
{
    switch (mode) {
    case FAIL:
        return is_wanted(number, point);
    case FROM:
        if (is_wanted(number, point))
            return true;
        return number > wanted && state->failed > 0 && kinds[point->kind].class != ONCE &&
               kinds[point->kind].class == kinds[state->first.kind].class;
    case EINTR_EVERY:
        /* scattered: in step with a loop of two calls it would never let the second one through */
        return number * UINT32_C(2654435769) >> 16 < 65536 / wanted;
    case OFF:
    case COUNT:
        break;
    }
    return false;
}

/* Counts the point; true, with errno set, if it has to fail. */
static bool fails(enum kind kind, const void *place, bool from_anywhere)
{
    struct point point = { .kind = (uint16_t)kind };
    uint32_t number;

    if (mode == OFF || kind == KIND_NONE || (!from_anywhere && !is_ours(place)))
        return false;
    if (mode == EINTR_EVERY && !kinds[kind].interruptible)
        return false;
    point.is_fork = getpid() != first_process;
    point.place =
        is_ours(place) ? (uintptr_t)place - base : UINT64_C(1) << 63 | ((uintptr_t)place & 0xfff);
    number = __atomic_add_fetch(&state->reached, 1, __ATOMIC_RELAXED);
    if (mode == COUNT && number <= TRACE_MAX)
        state->trace[number - 1] = point;
    if (!must_fail(number, &point))
        return false;
    if (traps)
        raise(SIGTRAP);
    errno = wanted_error;
    point.error = (uint32_t)wanted_error;
    if (state->first.error == 0)
        state->first = point;
    if (mode == EINTR_EVERY)
        __atomic_add_fetch(&state->failed, 1, __ATOMIC_RELAXED);
    return true;
}

static struct state *map_state(const char *path)
{
    int fd = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    void *memory;

    if (fd < 0 || ftruncate(fd, sizeof(struct state)) < 0)
        return NULL;
    memory = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return memory == MAP_FAILED ? NULL : memory;
}

__attribute__((constructor)) static void begin(void)
{
    static const char *const modes[] = { "off", "count", "fail", "from", "eintr" };
    const char *what = getenv("PLAIT_INJECT");
    char word[16] = "", kind[NAME_BYTES] = "";

    wanted = 1;
    if (what == NULL || sscanf(what, "%15[a-z]:%u:%d:%23s", word, &wanted, &wanted_error, kind) < 1)
        return;
    dl_iterate_phdr(find_text, NULL);
    state = map_state(getenv("PLAIT_INJECT_FILE"));
    if (state == NULL || wanted == 0)
        abort();
    state->n_kinds = KIND_COUNT;
    for (int i = 0; i < KIND_COUNT; i++) {
        memcpy(state->names[i], kinds[i].name, NAME_BYTES);
        if (strcmp(kinds[i].name, kind) == 0)
            wanted_kind = i;
    }
    without_tmpfile = getenv("PLAIT_INJECT_NO_TMPFILE") != NULL;
    traps = getenv("PLAIT_INJECT_TRAP") != NULL;
    unsetenv("PLAIT_INJECT_TRAP");
    unsetenv("PLAIT_INJECT_NO_TMPFILE");
    unsetenv("PLAIT_INJECT");
    unsetenv("PLAIT_INJECT_FILE");
    unsetenv("LD_PRELOAD");
    first_process = getpid();
    for (int i = COUNT; i <= EINTR_EVERY; i++)
        if (strcmp(word, modes[i]) == 0)
            mode = i;
}

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
WRAP(int, execve, (const char *path, char *const argv[], char *const envp[]), (path, argv, envp),
     -1)
/* these say why by their value */
WRAP(int, posix_fallocate, (int fd, off_t at, off_t n), (fd, at, n), errno)
WRAP(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *how, void *(*fn)(void *), void *arg),
     (thread, how, fn, arg), errno)

WRAP(int, setrlimit, (__rlimit_resource_t what, const struct rlimit *to), (what, to), -1)

int getrlimit(__rlimit_resource_t what, struct rlimit *ret)
{
    return fails(KIND_getrlimit, __builtin_return_address(0), false) ? -1
                                                                     : REAL(getrlimit)(what, ret);
}

/* A full disk is met by regular files only, once it is full for good. */
ssize_t write(int fd, const void *bytes, size_t n)
{
    struct stat status;
    bool is_disk = mode != FROM || (REAL(fstat)(fd, &status) == 0 && S_ISREG(status.st_mode));

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
    if (without_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
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
    int *parent;

    if (fails(KIND_clone, __builtin_return_address(0), false))
        return -1;
    va_start(rest, arg);
    parent = va_arg(rest, int *);
    va_end(rest);
    return REAL(clone)(fn, stack, flags, arg, parent);
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
