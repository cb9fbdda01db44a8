/* Packets: whole messages over a channel of os/fd.h, looked at before they are taken, and sealed
 * files for what is too large for one.
 * SPDX-License-Identifier: MIT
 *
 * Functions return 0, a count or a descriptor; negative is -errno. None blocks, raises SIGPIPE or is
 * interrupted by a signal. A packet is sent whole or not at all, and taken whole by one receiver,
 * whatever process is killed at whatever instruction.
 */
#ifndef PLAIT__OS_PACKET_H
#define PLAIT__OS_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

enum {
    PLAIT__PACKET_PARTS = 3,
    PLAIT__PACKET_FDS = 2
};

struct plait__packet {
    struct iovec parts[PLAIT__PACKET_PARTS]; /* its bytes, one part after the other */
    size_t n_parts;
    int fds[PLAIT__PACKET_FDS + 1]; /* one more than is ever sent: so that too many are noticed */
    size_t n_fds;
    bool lost_fds; /* received: this process had no room for all of them */
};

enum plait__packet_how {
    PLAIT__PACKET_TAKE,    /* bytes and descriptors; the packet is gone from the channel */
    PLAIT__PACKET_LOOK,    /* bytes only; the packet stays */
    PLAIT__PACKET_LOOK_FDS /* bytes, and copies of the descriptors; the packet stays */
};

/* -EAGAIN: no room now · -EMSGSIZE: larger than this channel ever takes · -EPIPE: nobody has the
 * other end any more · -ENOMEM · -EBADF: one of the descriptors is none · -ETOOMANYREFS: too many
 * of this user's descriptors are under way. */
int plait__os_packet_send(int channel, const struct plait__packet *packet);

/* The packet's size, which may be more than the parts have room for (the rest is then lost, if it
 * was taken) · 0: the end of the channel, or an empty packet · -EAGAIN: nothing there. Sets fds,
 * n_fds and lost_fds. */
ssize_t plait__os_packet_recv(int channel, struct plait__packet *packet,
                              enum plait__packet_how how);
/* Will nothing be sent any more? What was sent before may still be there. */
bool plait__os_channel_has_ended(int channel);
/* From now on the reader cannot send and the writer cannot receive. */
int plait__os_channel_make_simplex(int reader, int writer);
/* Is the descriptor a channel? */
bool plait__os_is_channel(int fd);
/* The process that made it; -errno. */
pid_t plait__os_channel_maker(int fd);

/* A file in memory with these bytes, whose size can never change. -EFBIG: larger than this process
 * may make files · -ENOMEM · -EMFILE. */
int plait__os_sealed_file(const void *bytes, size_t n);
/* Reads such a file. -EBADMSG: it is none, or not of n bytes. Never blocks on what a stranger
 * sends: only files in memory can be sealed. */
int plait__os_sealed_read(int fd, void *ret, size_t n);

#endif
