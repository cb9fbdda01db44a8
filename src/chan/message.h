/* A message of a pipe on its way through a channel.
 * SPDX-License-Identifier: MIT
 *
 *     packet:  struct plait__message_head | up to 64 KiB of the message
 *              + a descriptor that the message brings, if it does
 *              + a sealed file with the rest of the message, if there is one
 *
 * The sealed file is complete before the packet is sent, so a message is there whole or not at all,
 * whoever dies. Of a large message the first 64 KiB go in the packet all the same: so a socket
 * buffer that is full of packets bounds how much memory waits in files.
 *
 * The sender is not trusted: a head that lies, a file that is no sealed one or of another size, and
 * too many descriptors are -EBADMSG.
 */
#ifndef PLAIT__CHAN_MESSAGE_H
#define PLAIT__CHAN_MESSAGE_H

#include "os/packet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PLAIT__MESSAGE_INLINE = 64 * 1024 /* so much of a message goes in the packet */
};

struct plait__message_head {
    uint32_t magic;
    uint32_t flags;
    uint64_t bytes; /* of the whole message */
    uint64_t id;    /* with descriptors: its own, else 0 */
};

struct plait__outgoing {
    struct plait__message_head head;
    const void *bytes;
    size_t in_packet;
    int file; /* with the rest; -1: none */
    int fd;   /* the one that the message brings; -1: none */
};

/* Gets a message ready; a large one is copied into its file. 0, or -ENOMEM, -EMFILE, -EFBIG. */
int plait__message_prepare(struct plait__outgoing *ret, const void *bytes, size_t n, int fd);
/* Sends it; says what plait__os_packet_send says, and may be called again after -EAGAIN. */
int plait__message_send(int channel, struct plait__outgoing *message);
void plait__message_release(struct plait__outgoing *message);

struct plait__message {
    struct plait__message_head head;
    size_t in_packet; /* so many of its bytes came in the packet */
    int fds[PLAIT__PACKET_FDS + 1];
    size_t n_fds;
    bool lost_fds; /* this process had no room for them */
};

/* Looks at the next message; with_fds: gets copies of its descriptors too.
 * 0 · -EAGAIN: there is none · -EPIPE: the end of file · -EBADMSG: what is there is none of ours. */
int plait__message_look(int channel, size_t max, bool with_fds, struct plait__message *ret);
/* Takes the next message; what came of it in the packet is in the two parts of `body`. As
 * plait__message_look; after -EBADMSG what was there is gone. */
int plait__message_take(int channel, size_t max, const struct iovec body[2],
                        struct plait__message *ret);
/* pre: what came in the packet is at buf. Puts the rest behind it, hands out the descriptor that it
 * brings. 0 or -EBADMSG; nothing of the message is left in any case. */
int plait__message_finish(struct plait__message *message, void *buf, int *ret_fd);
/* Closes its descriptors. */
void plait__message_drop(struct plait__message *message);

bool plait__message_brings_fd(const struct plait__message *message);
/* How many descriptors it travels with. */
size_t plait__message_fds(const struct plait__message *message);

#endif
