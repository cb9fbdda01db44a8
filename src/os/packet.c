/* Packets over a channel, and sealed files.
 * SPDX-License-Identifier: MIT
 */
#include "os/packet.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Room for the descriptors of one packet, aligned as the kernel wants it. */
union control {
    char bytes[CMSG_SPACE((PLAIT__PACKET_FDS + 1) * sizeof(int))];
    struct cmsghdr align;
};

static struct msghdr message_of(const struct plait__packet *packet)
{
    return (struct msghdr){ .msg_iov = (struct iovec *)(uintptr_t)packet->parts,
                            .msg_iovlen = packet->n_parts };
}

static void put_fds(struct msghdr *message, union control *control,
                    const struct plait__packet *packet)
{
    size_t bytes = packet->n_fds * sizeof(int);

    memset(control, 0, sizeof *control);
    message->msg_control = control->bytes;
    message->msg_controllen = CMSG_SPACE(bytes);
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(header), packet->fds, bytes);
}

static int explain_send(int error)
{
    if (error == ECONNRESET || error == ENOTCONN)
        return -EPIPE;
    return error == ENOBUFS ? -ENOMEM : -error;
}

int plait__os_packet_send(int channel, const struct plait__packet *packet)
{
    struct msghdr message = message_of(packet);
    union control control;

    if (packet->n_fds > PLAIT__PACKET_FDS)
        return -EINVAL;
    if (packet->n_fds > 0)
        put_fds(&message, &control, packet);
    for (;;) {
        if (sendmsg(channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            return 0;
        if (errno != EINTR)
            return explain_send(errno);
    }
}

static void get_fds(struct msghdr *message, struct plait__packet *packet)
{
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
         header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        packet->n_fds = count;
        memcpy(packet->fds, CMSG_DATA(header), packet->n_fds * sizeof(int));
    }
}

ssize_t plait__os_packet_recv(int channel, struct plait__packet *packet, enum plait__packet_how how)
{
    int flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC;
    struct msghdr message;
    union control control;
    ssize_t n;

    if (how != PLAIT__PACKET_TAKE)
        flags |= MSG_PEEK;
    do {
        message = message_of(packet);
        if (how != PLAIT__PACKET_LOOK) {
            message.msg_control = control.bytes;
            /* not the padding behind it, which has room for one more */
            message.msg_controllen = CMSG_LEN((PLAIT__PACKET_FDS + 1) * sizeof(int));
        }
        n = recvmsg(channel, &message, flags);
        /* ECONNRESET is told once, when the peer went with messages of ours unread; what it had
         * sent before is still there */
    } while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    packet->n_fds = 0;
    packet->lost_fds = false;
    if (n < 0)
        return errno == ENOBUFS ? -ENOMEM : -errno;
    if (how != PLAIT__PACKET_LOOK) {
        get_fds(&message, packet);
        packet->lost_fds =
            (message.msg_flags & MSG_CTRUNC) != 0 && packet->n_fds <= PLAIT__PACKET_FDS;
    }
    return n;
}

bool plait__os_channel_has_ended(int channel)
{
    struct pollfd one = { .fd = channel, .events = POLLRDHUP };
    int rc;

    do
        rc = poll(&one, 1, 0);
    while (rc < 0 && errno == EINTR);
    return rc > 0;
}

int plait__os_channel_make_simplex(int reader, int writer)
{
    if (shutdown(reader, SHUT_WR) < 0 || shutdown(writer, SHUT_RD) < 0)
        return -errno;
    return 0;
}

static int socket_option(int fd, int option)
{
    int value;
    socklen_t bytes = sizeof value;

    return getsockopt(fd, SOL_SOCKET, option, &value, &bytes) < 0 ? -errno : value;
}

bool plait__os_is_channel(int fd)
{
    return socket_option(fd, SO_DOMAIN) == AF_UNIX && socket_option(fd, SO_TYPE) == SOCK_SEQPACKET;
}

pid_t plait__os_channel_maker(int fd)
{
    struct ucred maker;
    socklen_t bytes = sizeof maker;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &maker, &bytes) < 0 ? -errno : maker.pid;
}

static int write_all(int fd, const char *bytes, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t rc = pwrite(fd, bytes + done, n - done, (off_t)done);
        if (rc < 0 && errno != EINTR)
            return errno == ENOSPC ? -ENOMEM : -errno;
        done += rc > 0 ? (size_t)rc : 0;
    }
    return 0;
}

int plait__os_sealed_file(const void *bytes, size_t n)
{
    struct rlimit limit;
    int fd, rc;

    /* a write beyond it would raise SIGXFSZ; a message is no file to the user */
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && n > limit.rlim_cur)
        return -EFBIG;
    fd = memfd_create("plait-message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    rc = write_all(fd, bytes, n);
    /* Not F_SEAL_WRITE: the kernel would wait for all CPUs, and who reads by copying once does not
     * care. */
    if (rc == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        rc = -errno;
    if (rc < 0)
        close(fd);
    return rc < 0 ? rc : fd;
}

int plait__os_sealed_read(int fd, void *ret, size_t n)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct stat status;
    size_t done = 0;

    if (seals < 0 || (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) != (F_SEAL_SHRINK | F_SEAL_GROW))
        return -EBADMSG;
    if (fstat(fd, &status) < 0 || status.st_size < 0 || (uintmax_t)status.st_size != n)
        return -EBADMSG;
    while (done < n) {
        ssize_t rc = pread(fd, (char *)ret + done, n - done, (off_t)done);
        if (rc == 0)
            return -EBADMSG;
        if (rc < 0 && errno != EINTR)
            return -EBADMSG; /* EIO: it was swapped out, and does not come back */
        done += rc > 0 ? (size_t)rc : 0;
    }
    return 0;
}
