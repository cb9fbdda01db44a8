/* A message of a pipe on its way through a channel.
 * SPDX-License-Identifier: MIT
 */
#include "chan/message.h"

#include <errno.h>
#include <unistd.h>

enum {
    MAGIC = 0x31706c70, /* "plp1" */
    BRINGS_FD = 1,
    HAS_FILE = 2
};

/* ---- sending ---- */

/* Different from that of every other message that may be in the same channel. */
static uint64_t make_id(void)
{
    static uint32_t count; /* atomic: only the number matters */

    return (uint64_t)getpid() << 32 | __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
}

/* All but the first in_packet bytes go into the file. */
static int put_into_file(struct plait__outgoing *message, size_t in_packet)
{
    int file = plait__os_sealed_file((const char *)message->bytes + in_packet,
                                     message->head.bytes - in_packet);

    if (file < 0)
        return file;
    plait__message_release(message);
    message->file = file;
    message->in_packet = in_packet;
    message->head.flags |= HAS_FILE;
    message->head.id = make_id();
    return 0;
}

int plait__message_prepare(struct plait__outgoing *ret, const void *bytes, size_t n, int fd)
{
    *ret = (struct plait__outgoing){
        .head = { .magic = MAGIC, .flags = fd < 0 ? 0 : BRINGS_FD, .bytes = n },
        .bytes = bytes,
        .in_packet = n,
        .file = -1,
        .fd = fd,
    };
    if (fd >= 0)
        ret->head.id = make_id();
    return n <= PLAIT__MESSAGE_INLINE ? 0 : put_into_file(ret, PLAIT__MESSAGE_INLINE);
}

static int send_packet(int channel, const struct plait__outgoing *message)
{
    struct plait__packet packet = {
        .parts = { { (void *)(uintptr_t)&message->head, sizeof message->head },
                   { (void *)(uintptr_t)message->bytes, message->in_packet } },
        .n_parts = 2
    };

    if (message->fd >= 0)
        packet.fds[packet.n_fds++] = message->fd;
    if (message->file >= 0)
        packet.fds[packet.n_fds++] = message->file;
    return plait__os_packet_send(channel, &packet);
}

int plait__message_send(int channel, struct plait__outgoing *message)
{
    int rc = send_packet(channel, message);

    if (rc != -EMSGSIZE || message->in_packet == 0)
        return rc;
    rc = put_into_file(message, 0); /* somebody has made the socket's buffer small */
    return rc < 0 ? rc : send_packet(channel, message);
}

void plait__message_release(struct plait__outgoing *message)
{
    if (message->file >= 0)
        close(message->file);
    message->file = -1;
}

/* ---- receiving ---- */

bool plait__message_brings_fd(const struct plait__message *message)
{
    return (message->head.flags & BRINGS_FD) != 0;
}

size_t plait__message_fds(const struct plait__message *message)
{
    return ((message->head.flags & BRINGS_FD) != 0) + ((message->head.flags & HAS_FILE) != 0);
}

/* Does the head agree with itself and with the size of its packet? */
static bool is_sane(const struct plait__message *message, size_t max, size_t packet_bytes)
{
    const struct plait__message_head *head = &message->head;

    if (packet_bytes < sizeof *head || head->magic != MAGIC || head->bytes > max ||
        (head->flags & ~(uint32_t)(BRINGS_FD | HAS_FILE)) != 0)
        return false;
    if (message->in_packet > PLAIT__MESSAGE_INLINE)
        return false;
    return head->flags & HAS_FILE ? message->in_packet < head->bytes
                                  : message->in_packet == head->bytes;
}

static int receive(int channel, struct plait__packet *packet, enum plait__packet_how how,
                   struct plait__message *message)
{
    ssize_t n;

    packet->parts[0] = (struct iovec){ &message->head, sizeof message->head };
    n = plait__os_packet_recv(channel, packet, how);
    if (n < 0)
        return (int)n;
    message->in_packet = (size_t)n - sizeof message->head; /* nonsense if negative: is_sane */
    message->n_fds = packet->n_fds;
    message->lost_fds = packet->lost_fds;
    for (size_t i = 0; i < packet->n_fds; i++)
        message->fds[i] = packet->fds[i];
    if (n == 0 && plait__os_channel_has_ended(channel))
        return -EPIPE;
    return (int)n; /* 0: an empty packet, which no message is */
}

/* The message if it is one; else nothing of it is left open. */
static int check(struct plait__message *message, size_t max, int n, bool with_fds)
{
    bool sane = is_sane(message, max, (size_t)n);

    if (sane && with_fds && !message->lost_fds)
        sane = message->n_fds == plait__message_fds(message);
    if (!sane)
        plait__message_drop(message);
    return sane ? 0 : -EBADMSG;
}

int plait__message_look(int channel, size_t max, bool with_fds, struct plait__message *ret)
{
    struct plait__packet packet = { .n_parts = 1 };
    int n;

    *ret = (struct plait__message){ .n_fds = 0 };
    n = receive(channel, &packet, with_fds ? PLAIT__PACKET_LOOK_FDS : PLAIT__PACKET_LOOK, ret);
    return n < 0 ? n : check(ret, max, n, with_fds);
}

int plait__message_take(int channel, size_t max, const struct iovec body[2],
                        struct plait__message *ret)
{
    struct plait__packet packet = { .parts = { { NULL, 0 }, body[0], body[1] }, .n_parts = 3 };
    int n;

    *ret = (struct plait__message){ .n_fds = 0 };
    n = receive(channel, &packet, PLAIT__PACKET_TAKE, ret);
    return n < 0 ? n : check(ret, max, n, true);
}

int plait__message_finish(struct plait__message *message, void *buf, int *ret_fd)
{
    size_t rest = message->head.bytes - message->in_packet;
    int rc = 0;

    if (message->head.flags & HAS_FILE)
        rc = plait__os_sealed_read(message->fds[message->n_fds - 1],
                                   (char *)buf + message->in_packet, rest);
    if (rc == 0 && plait__message_brings_fd(message)) {
        *ret_fd = message->fds[0];
        message->fds[0] = -1;
    }
    plait__message_drop(message);
    return rc;
}

void plait__message_drop(struct plait__message *message)
{
    for (size_t i = 0; i < message->n_fds; i++)
        if (message->fds[i] >= 0)
            close(message->fds[i]);
    message->n_fds = 0;
}
