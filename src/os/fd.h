/* File descriptors: waiting, pipes, temporary files, channels between two processes.
 * SPDX-License-Identifier: MIT
 *
 * Every descriptor made here is close-on-exec. Functions return 0, a count or a descriptor;
 * negative is -errno.
 */
#ifndef PLAIT__OS_FD_H
#define PLAIT__OS_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    PLAIT__FD_READ = 1,
    PLAIT__FD_WRITE = 2,
    PLAIT__FD_HUP = 4, /* only in `ready`: the other end is gone, or the descriptor is in error */
};

struct plait__fd {
    int fd;          /* negative: skipped */
    unsigned wanted; /* PLAIT__FD_READ | PLAIT__FD_WRITE */
    unsigned ready;  /* out: what is possible without blocking */
};

/* Waits until one is ready or until_ns (monotonic; INT64_MAX: for ever). How many are ready; 0 at
 * the deadline; -EINTR when a signal handler ran. Files and directories are always ready. */
int plait__os_poll(struct plait__fd *fds, size_t n, int64_t until_ns);
/* 1 if a read would not block (end of file counts), 0, or -errno. Never blocks. */
int plait__os_fd_is_readable(int fd);
bool plait__os_fd_is_open(int fd);

int plait__os_pipe(int ret_fds[2]);
int plait__os_set_nonblocking(int fd);
/* A write that raises no SIGPIPE, and takes none away that somebody else has sent: how many bytes, or
 * -errno (-EPIPE, -EAGAIN, -EINTR …). */
ssize_t plait__os_write_quietly(int fd, const void *bytes, size_t n);
/* `number` is fd from now on; it is another one. 0 or -errno. */
int plait__os_dup_onto(int fd, int number);
/* The lowest copy of fd at or above `lowest`. */
int plait__os_dup_above(int fd, int lowest);
/* The descriptor itself, or if it is below 3 a copy that is not, in its place. An error stays what it
 * is. */
int plait__os_lift(int fd);
/* A counter that is readable while it is not zero. */
int plait__os_eventfd(void);
/* Adds one; readable from now on. Async-signal-safe. */
void plait__os_eventfd_raise(int fd);
/* Makes it zero. */
void plait__os_eventfd_clear(int fd);
/* An anonymous file in memory. */
int plait__os_memfd(const char *name);
/* A file without a name in `dir`. */
int plait__os_tmpfile(const char *dir);

/* Two ends of a channel that keeps messages apart and can carry descriptors. */
int plait__os_channel(int ret_fds[2]);

/* A message carries at most so many. */
enum {
    PLAIT__CHANNEL_FDS = 32
};

/* Sends one message whole. -EAGAIN: no room now · -EMSGSIZE: too large for the channel · -EPIPE,
 * -ECONNRESET: the other end is gone. Never raises SIGPIPE, never blocks. */
int plait__os_channel_send(int channel, const void *bytes, size_t n, const int *fds, size_t n_fds);
/* Receives one message: its size. 0: the other end is gone and nothing is left · -EAGAIN ·
 * -EMSGSIZE: larger than cap. *ret_n descriptors are in ret_fds (PLAIT__CHANNEL_FDS of room); none
 * of them when this process has no room for all. Never blocks. */
ssize_t plait__os_channel_recv(int channel, void *bytes, size_t cap, int *ret_fds, size_t *ret_n);

/* Whoever sends from now on is told -EPIPE; what was sent before can be received. */
void plait__os_channel_stop_receiving(int channel);

/* How many descriptors this process may have: the soft limit. */
int64_t plait__os_fd_limit(void);
/* As many as it may have. */
void plait__os_raise_fd_limit(void);
/* Columns of the terminal behind fd; 0 when it is none. */
int plait__os_terminal_columns(int fd);

/* Closes all descriptors from 3 on but those n, ascending. Async-signal-safe once the probe close_range
 * has been asked for. */
void plait__os_close_others(const int *keep, size_t n);
/* In a process that the host did not fork: closes all but those n descriptors (ascending) and
 * points 0, 1 and 2 at /dev/null. -errno of opening /dev/null; the rest cannot fail. */
int plait__os_close_all_but(const int *keep, size_t n);

#endif
