/* File descriptors.
 * SPDX-License-Identifier: MIT
 */
#include "os/fd.h"
#include "os/call_numbers.h"
#include "os/clock.h"
#include "os/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* struct plait__fd is turned into the kernel's array in pieces of this size; more than fit are
 * allocated. */
enum {
    POLL_ON_STACK = 64
};

static short wanted_to_poll(unsigned wanted)
{
    return (short)((wanted & PLAIT__FD_READ ? POLLIN : 0) |
                   (wanted & PLAIT__FD_WRITE ? POLLOUT : 0));
}

static unsigned poll_to_ready(short revents)
{
    unsigned ready = 0;

    if (revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL))
        ready |= PLAIT__FD_READ;
    if (revents & (POLLOUT | POLLERR | POLLNVAL))
        ready |= PLAIT__FD_WRITE;
    if (revents & (POLLHUP | POLLERR | POLLNVAL))
        ready |= PLAIT__FD_HUP;
    return ready;
}

int plait__os_poll(struct plait__fd *fds, size_t n, int64_t until_ns)
{
    struct pollfd on_stack[POLL_ON_STACK];
    struct pollfd *polled = n <= POLL_ON_STACK ? on_stack : malloc(n * sizeof *polled);
    struct timespec left, *timeout = NULL;
    int rc;

    if (polled == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        polled[i] = (struct pollfd){ .fd = fds[i].fd, .events = wanted_to_poll(fds[i].wanted) };
    if (until_ns != INT64_MAX) {
        int64_t ns = until_ns > 0 ? until_ns - plait__os_now_ns() : 0;
        ns = ns > 0 ? ns : 0;
        left = (struct timespec){ .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
        timeout = &left;
    }
    rc = ppoll(polled, (nfds_t)n, timeout, NULL);
    rc = rc < 0 ? -errno : rc;
    for (size_t i = 0; i < n;
         i++) /* a skipped descriptor is asked for nothing, and the kernel says 0 */
        fds[i].ready =
            rc < 0 ? 0 : poll_to_ready(polled[i].revents) & (fds[i].wanted | PLAIT__FD_HUP);
    if (polled != on_stack)
        free(polled);
    return rc;
}

int plait__os_fd_is_readable(int fd)
{
    struct plait__fd one = { .fd = fd, .wanted = PLAIT__FD_READ };
    int rc;

    do
        rc = plait__os_poll(&one, 1, 0);
    while (rc == -EINTR);
    return rc < 0 ? rc : (one.ready & PLAIT__FD_READ) != 0;
}

bool plait__os_fd_is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

int plait__os_pipe(int ret_fds[2])
{
    return pipe2(ret_fds, O_CLOEXEC) < 0 ? -errno : 0;
}

int plait__os_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

ssize_t plait__os_write_quietly(int fd, const void *bytes, size_t n)
{
    static const struct timespec now;
    sigset_t ours, old, pending;
    ssize_t rc;

    sigemptyset(&ours);
    sigaddset(&ours, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &ours, &old);
    sigpending(&pending);
    rc = write(fd, bytes, n);
    rc = rc < 0 ? -errno : rc;
    /* that of a write is sent to the thread: it comes before one for the process */
    if (rc == -EPIPE && sigismember(&pending, SIGPIPE) == 0)
        sigtimedwait(&ours, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

/* Raw, as is close_range below: each function of the C library that a process has not called yet costs
 * it a page fault. */
int plait__os_dup_onto(int fd, int number)
{
    return syscall(SYS_dup3, fd, number, 0) < 0 ? -errno : 0;
}

int plait__os_dup_above(int fd, int lowest)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, lowest);

    if (copy < 0 && errno == EINVAL) /* the limit allows no number from there on */
        return -EMFILE;
    return copy < 0 ? -errno : copy;
}

int plait__os_lift(int fd)
{
    int copy;

    if (fd < 0 || fd >= 3)
        return fd;
    copy = plait__os_dup_above(fd, 3);
    close(fd);
    return copy;
}

int plait__os_eventfd(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

void plait__os_eventfd_raise(int fd)
{
    int saved = errno;
    uint64_t one = 1;
    ssize_t rc;

    do
        rc = write(fd, &one, sizeof one); /* EAGAIN: full, and so readable anyway */
    while (rc < 0 && errno == EINTR);
    errno = saved;
}

void plait__os_eventfd_clear(int fd)
{
    uint64_t count;

    while (read(fd, &count, sizeof count) < 0 && errno == EINTR)
        continue;
}

int plait__os_memfd(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* On a file system without O_TMPFILE: a file that has a name for a moment. */
static int open_unlinked(const char *dir)
{
    char *path = NULL;
    int fd;

    if (asprintf(&path, "%s/plait-XXXXXX", dir) < 0)
        return -ENOMEM;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        fd = -errno;
    else
        unlink(path);
    free(path);
    return fd;
}

int plait__os_tmpfile(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0)
        return fd;
    return errno == EOPNOTSUPP || errno == EISDIR ? open_unlinked(dir) : -errno;
}

int plait__os_channel(int ret_fds[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) < 0
               ? -errno
               : 0;
}

/* Room for the descriptors of one message, aligned as the kernel wants it. */
union control {
    char bytes[CMSG_SPACE(PLAIT__CHANNEL_FDS * sizeof(int))];
    struct cmsghdr align;
};

/* Nothing was moved for want of the kernel's memory: come again. */
static int explain_channel(int error)
{
    return error == ENOBUFS || error == ENOMEM ? -EAGAIN : -error;
}

int plait__os_channel_send(int channel, const void *bytes, size_t n, const int *fds, size_t n_fds)
{
    union control control;
    struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = n };
    struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (n_fds > PLAIT__CHANNEL_FDS)
        return -EINVAL;
    if (n_fds > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(header), fds, n_fds * sizeof(int));
    }
    for (;;) {
        if (sendmsg(channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            return 0;
        if (errno != EINTR)
            return explain_channel(errno);
    }
}

/* Takes the descriptors out of a received message. */
static size_t take_fds(struct msghdr *message, int *ret_fds)
{
    size_t n = 0;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
         header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count && n < PLAIT__CHANNEL_FDS; i++)
            memcpy(&ret_fds[n++], CMSG_DATA(header) + i * sizeof(int), sizeof(int));
    }
    return n;
}

ssize_t plait__os_channel_recv(int channel, void *bytes, size_t cap, int *ret_fds, size_t *ret_n)
{
    union control control;
    struct iovec iov = { .iov_base = bytes, .iov_len = cap };
    struct msghdr message;
    ssize_t n;

    do {
        message = (struct msghdr){ .msg_iov = &iov,
                                   .msg_iovlen = 1,
                                   .msg_control = control.bytes,
                                   .msg_controllen = sizeof control.bytes };
        n = recvmsg(channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return explain_channel(errno);
    *ret_n = take_fds(&message, ret_fds);
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        for (size_t i = 0; i < *ret_n; i++)
            close(ret_fds[i]);
        *ret_n = 0;
    }
    return message.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

void plait__os_channel_stop_receiving(int channel)
{
    shutdown(channel, SHUT_RD);
}

int64_t plait__os_fd_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return INT32_MAX;
    return limit.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)limit.rlim_cur;
}

void plait__os_raise_fd_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int plait__os_terminal_columns(int fd)
{
    struct winsize size;

    if (ioctl(fd, TIOCGWINSZ, &size) < 0)
        return 0;
    return size.ws_col > 0 ? size.ws_col : 80;
}

/* An entry of a directory as the kernel writes it. */
struct entry {
    uint64_t inode;
    int64_t offset;
    unsigned short bytes;
    unsigned char type;
    char name[];
};

/* Not below 0 for what is no number. */
static long to_number(const char *name)
{
    long number = 0;

    for (; *name >= '0' && *name <= '9'; name++)
        number = number * 10 + (*name - '0');
    return *name == '\0' ? number : -1;
}

/* Those that /proc lists; without an allocation, which opendir would make. False: there is no /proc. */
static bool close_listed(unsigned first, unsigned last)
{
    _Alignas(struct entry) char buf[1024];
    int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long n, fd;

    if (dir < 0)
        return false;
    while ((n = syscall(SYS_getdents64, dir, buf, sizeof buf)) > 0)
        for (long at = 0; at < n; at += ((struct entry *)(void *)(buf + at))->bytes) {
            fd = to_number(((struct entry *)(void *)(buf + at))->name);
            if (fd >= (long)first && fd <= (long)last && fd != dir)
                close((int)fd);
        }
    close(dir);
    return true;
}

static void close_between(unsigned first, unsigned last)
{
    long limit;

    if (first > last)
        return;
    if (plait__probe_has(PLAIT__PROBE_CLOSE_RANGE)) {
        syscall(SYS_close_range, first, last, 0);
        return;
    }
    if (close_listed(first, last))
        return;
    limit = sysconf(_SC_OPEN_MAX); /* every number that may be one */
    for (unsigned fd = first; fd <= last && fd < (limit > 0 ? (unsigned)limit : 1024U); fd++)
        close((int)fd);
}

void plait__os_close_others(const int *keep, size_t n)
{
    unsigned first = 3;

    for (size_t i = 0; i < n; i++) {
        close_between(first, (unsigned)keep[i] - 1);
        first = (unsigned)keep[i] + 1;
    }
    close_between(first, UINT_MAX);
}

int plait__os_close_all_but(const int *keep, size_t n)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0)
        return -errno;
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    plait__os_close_others(keep, n); /* takes `null` along, unless it is 0, 1 or 2 itself */
    return 0;
}
