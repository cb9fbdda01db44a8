/* Packets over a channel, and sealed files.
 * SPDX-License-Identifier: MIT
 */
#include "os/fd.h"
#include "os/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static int channel[2];
static char head[4], body[8];
static struct plait__packet got;

static void open_channel(void)
{
    CHECK_INT(plait__os_channel(channel), 0);
}

static int send_parts(const char *one, const char *two, const int *fds, size_t n_fds)
{
    struct plait__packet packet = { .n_parts = 2, .n_fds = n_fds };

    packet.parts[0] = (struct iovec){ (void *)(uintptr_t)one, strlen(one) };
    packet.parts[1] = (struct iovec){ (void *)(uintptr_t)two, strlen(two) };
    for (size_t i = 0; i < n_fds && i <= PLAIT__PACKET_FDS; i++)
        packet.fds[i] = fds[i];
    return plait__os_packet_send(channel[0], &packet);
}

static ssize_t receive(enum plait__packet_how how)
{
    got = (struct plait__packet){ .parts = { { head, sizeof head }, { body, sizeof body } },
                                  .n_parts = 2 };
    return plait__os_packet_recv(channel[1], &got, how);
}

TEST(a_packet_is_looked_at_and_then_taken)
{
    open_channel();
    CHECK_INT(receive(PLAIT__PACKET_LOOK), -EAGAIN);
    CHECK_INT(receive(PLAIT__PACKET_TAKE), -EAGAIN);
    CHECK_INT(send_parts("head", "body", NULL, 0), 0);
    for (int i = 0; i < 3; i++) {
        memset(head, 0, sizeof head);
        CHECK_INT(receive(i < 2 ? PLAIT__PACKET_LOOK : PLAIT__PACKET_TAKE), 8);
        CHECK_MEM(head, 4, "head", 4);
        CHECK_MEM(body, 4, "body", 4);
    }
    CHECK_INT(receive(PLAIT__PACKET_TAKE), -EAGAIN);
}

TEST(the_size_is_told_also_when_there_is_no_room)
{
    open_channel();
    CHECK_INT(send_parts("head", "a body of more bytes", NULL, 0), 0);
    CHECK_INT(receive(PLAIT__PACKET_LOOK), 24);
    CHECK_INT(receive(PLAIT__PACKET_TAKE), 24);
    CHECK_INT(receive(PLAIT__PACKET_TAKE), -EAGAIN);
}

TEST(descriptors_come_with_a_look_and_again_with_the_packet)
{
    int fds[3] = { 0, 1, 2 };

    open_channel();
    CHECK_INT(send_parts("two", "", fds, 2), 0);
    CHECK_INT(receive(PLAIT__PACKET_LOOK), 3);
    CHECK_INT(got.n_fds, 0);
    CHECK(!got.lost_fds);
    CHECK_INT(receive(PLAIT__PACKET_LOOK_FDS), 3);
    CHECK_INT(got.n_fds, 2);
    close(got.fds[0]);
    close(got.fds[1]);
    CHECK_INT(receive(PLAIT__PACKET_TAKE), 3);
    CHECK_INT(got.n_fds, 2);
    CHECK_INT(fcntl(got.fds[1], F_GETFD), FD_CLOEXEC);
    CHECK_INT(send_parts("three", "", fds, 3), -EINVAL);
}

TEST(descriptors_that_find_no_room_are_told)
{
    struct rlimit old, tight;
    int fds[2] = { 0, 1 }, lowest;

    open_channel();
    CHECK_INT(send_parts("two", "", fds, 2), 0);
    lowest = plait__os_dup_above(0, 3);
    close(lowest);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = (struct rlimit){ .rlim_cur = (rlim_t)lowest + 1, .rlim_max = old.rlim_max };
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &tight), 0);
    CHECK_INT(receive(PLAIT__PACKET_LOOK_FDS), 3);
    CHECK(got.lost_fds);
    CHECK_INT(got.n_fds, 1);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
    close(got.fds[0]);
    CHECK_INT(receive(PLAIT__PACKET_TAKE), 3);
    CHECK(!got.lost_fds);
    CHECK_INT(got.n_fds, 2);
}

TEST(a_peer_that_left_our_packets_unread_is_an_end_like_any_other)
{
    open_channel();
    CHECK(!plait__os_channel_has_ended(channel[1]));
    CHECK_INT(send(channel[1], "unread", 6, 0), 6);
    CHECK_INT(send_parts("last", "", NULL, 0), 0);
    close(channel[0]); /* from now on the kernel has an ECONNRESET to tell, once */
    CHECK(plait__os_channel_has_ended(channel[1]));
    CHECK_INT(receive(PLAIT__PACKET_LOOK), 4);
    CHECK_INT(receive(PLAIT__PACKET_TAKE), 4);
    CHECK_INT(receive(PLAIT__PACKET_TAKE), 0);
}

TEST(a_send_to_nobody_is_no_signal)
{
    open_channel();
    CHECK_INT(send(channel[0], "unread", 6, 0), 6);
    close(channel[1]);
    CHECK_INT(send_parts("x", "", NULL, 0), -EPIPE);
    CHECK_INT(send_parts("x", "", NULL, 0), -EPIPE);
}

TEST(an_empty_packet_is_no_end)
{
    open_channel();
    CHECK_INT(send_parts("", "", NULL, 0), 0);
    CHECK_INT(receive(PLAIT__PACKET_TAKE), 0);
    CHECK(!plait__os_channel_has_ended(channel[1]));
}

TEST(a_simplex_channel_has_one_direction)
{
    open_channel();
    CHECK_INT(plait__os_channel_make_simplex(channel[1], channel[0]), 0);
    CHECK_INT(send_parts("a", "b", NULL, 0), 0);
    CHECK_INT(receive(PLAIT__PACKET_TAKE), 2);
    CHECK(!plait__os_channel_has_ended(channel[1]));
    CHECK_INT(send(channel[1], "x", 1, MSG_NOSIGNAL), -1);
    CHECK_INT(plait__os_channel_make_simplex(0, 1), -ENOTSOCK);
}

TEST(only_a_channel_is_one)
{
    int stream[2];

    open_channel();
    CHECK(plait__os_is_channel(channel[0]));
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, stream), 0);
    CHECK(!plait__os_is_channel(stream[0]));
    CHECK(!plait__os_is_channel(0));
    CHECK(!plait__os_is_channel(-1));
    CHECK(!plait__os_is_channel(9999));
}

/* ---- sealed files ---- */

TEST(a_sealed_file_holds_its_bytes_and_keeps_its_size)
{
    char back[5];
    int fd = plait__os_sealed_file("12345", 5);

    CHECK(fd >= 0);
    CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_INT(plait__os_sealed_read(fd, back, 5), 0);
    CHECK_MEM(back, 5, "12345", 5);
    CHECK_INT(ftruncate(fd, 4), -1);
    CHECK_INT(errno, EPERM);
    CHECK_INT(plait__os_sealed_read(fd, back, 4), -EBADMSG);
    CHECK_INT(plait__os_sealed_read(fd, back, 6), -EBADMSG);
}

TEST(what_is_not_sealed_is_not_read)
{
    char back[5], *large;
    int memory = plait__os_memfd("test"), disk = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
        fds[2];
    struct stat status;

    CHECK_INT(write(memory, "12345", 5), 5);
    CHECK_INT(plait__os_sealed_read(memory, back, 5), -EBADMSG);
    CHECK_INT(fstat(disk, &status), 0); /* what knows no seals */
    large = malloc((size_t)status.st_size);
    CHECK(large != NULL);
    CHECK_INT(plait__os_sealed_read(disk, large, (size_t)status.st_size), -EBADMSG);
    free(large);
    CHECK_INT(plait__os_pipe(fds), 0); /* a read would sleep for ever */
    CHECK_INT(plait__os_sealed_read(fds[0], back, 5), -EBADMSG);
}

TEST(the_limit_on_file_sizes_is_no_signal)
{
    struct rlimit old, tight;

    CHECK_INT(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight = (struct rlimit){ .rlim_cur = 4, .rlim_max = old.rlim_max };
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &tight), 0);
    CHECK_INT(plait__os_sealed_file("12345", 5), -EFBIG);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &old), 0);
}
