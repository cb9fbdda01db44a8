/* Pipes: calls that are refused, limits that bite, and peers that lie.
 * SPDX-License-Identifier: MIT
 */
#include <plait/pipe.h>

#include "chan/message.h"
#include "os/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

static plait_pipe *a, *b;
static char buf[200000];

static void open_pipe(const plait_pipe_opts *opts)
{
    CHECK_INT(plait_pipe_create(&a, &b, opts), 0);
}

static void destroy_pipe(void)
{
    plait_pipe_destroy(a);
    plait_pipe_destroy(b);
}

static int count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    CHECK(dir != NULL);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static void set_limit(int resource, rlim_t value, rlim_t *ret_old)
{
    struct rlimit limit;

    CHECK_INT(getrlimit(resource, &limit), 0);
    *ret_old = limit.rlim_cur;
    limit.rlim_cur = value;
    CHECK_INT(setrlimit(resource, &limit), 0);
}

/* ---- what is refused ---- */

TEST(null_is_refused_or_harmless)
{
    plait_pipe *end = NULL;
    void *bytes = NULL;
    int fd = -1;

    CHECK_INT(plait_pipe_create(NULL, &end, NULL), -EINVAL);
    CHECK_INT(plait_pipe_create(&end, NULL, NULL), -EINVAL);
    CHECK_INT(plait_pipe_open(NULL, 0, NULL), -EINVAL);
    CHECK_INT(plait_pipe_send(NULL, "x", 1, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_pipe_send_fd(NULL, 0, "x", 1, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_pipe_recv(NULL, buf, 1, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_pipe_recv_fd(NULL, &fd, buf, 1, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_pipe_recv_alloc(NULL, &bytes, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_pipe_next_size(NULL, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_pipe_poll(NULL, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_pipe_fd(NULL), -EINVAL);
    CHECK_INT(plait_pipe_close(NULL), -EINVAL);
    plait_pipe_destroy(NULL);
    open_pipe(NULL);
    CHECK_INT(plait_pipe_send(a, NULL, 1, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_pipe_recv(a, NULL, 1, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_pipe_recv_fd(a, NULL, buf, 1, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_pipe_recv_alloc(a, NULL, PLAIT_FOREVER), -EINVAL);
    CHECK(end == NULL && bytes == NULL && fd == -1);
    destroy_pipe();
}

TEST(a_closed_end_says_so)
{
    int before = count_fds(), fd;
    void *bytes;

    open_pipe(NULL);
    CHECK_INT(plait_pipe_close(a), 0);
    CHECK_INT(plait_pipe_close(a), -EBADF);
    CHECK_INT(plait_pipe_send(a, "x", 1, PLAIT_FOREVER), -EBADF);
    CHECK_INT(plait_pipe_send_fd(a, 0, "x", 1, PLAIT_FOREVER), -EBADF);
    CHECK_INT(plait_pipe_recv(a, buf, 1, PLAIT_FOREVER), -EBADF);
    CHECK_INT(plait_pipe_recv_fd(a, &fd, buf, 1, PLAIT_FOREVER), -EBADF);
    CHECK_INT(plait_pipe_recv_alloc(a, &bytes, PLAIT_FOREVER), -EBADF);
    CHECK_INT(plait_pipe_next_size(a, PLAIT_FOREVER), -EBADF);
    CHECK_INT(plait_pipe_poll(a, PLAIT_FOREVER), -EBADF);
    CHECK_INT(plait_pipe_fd(a), -EBADF);
    destroy_pipe();
    CHECK_INT(count_fds(), before);
}

TEST(options_of_a_later_version_are_refused)
{
    struct {
        plait_pipe_opts opts;
        long later;
    } large = { .later = 1 };

    int before = count_fds();

    CHECK_INT(plait_pipe_create_sized(&a, &b, &large.opts, sizeof large), -E2BIG);
    CHECK_INT(plait_pipe_open_sized(&a, 0, &large.opts, sizeof large), -EINVAL);
    CHECK(a == NULL && b == NULL);
    CHECK_INT(count_fds(), before);
}

TEST(only_an_end_of_a_pipe_is_opened)
{
    int stream[2];

    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, stream), 0);
    CHECK_INT(plait_pipe_open(&a, stream[0], NULL), -EINVAL);
    CHECK_INT(plait_pipe_open(&a, -1, NULL), -EINVAL);
    CHECK_INT(plait_pipe_open(&a, 9999, NULL), -EINVAL);
    CHECK(a == NULL);
    CHECK(fcntl(stream[0], F_GETFD) >= 0); /* still the caller's */
}

TEST(a_descriptor_that_is_none_is_not_sent)
{
    open_pipe(NULL);
    CHECK_INT(plait_pipe_send_fd(a, -1, "x", 1, PLAIT_FOREVER), -EBADF);
    CHECK_INT(plait_pipe_send_fd(a, 9999, "x", 1, PLAIT_FOREVER), -EBADF);
    CHECK_INT(plait_pipe_poll(b, PLAIT_NOWAIT), -ETIMEDOUT);
    destroy_pipe();
}

TEST(an_end_is_never_descriptor_0_1_or_2)
{
    close(0);
    close(1);
    open_pipe(NULL);
    CHECK(plait_pipe_fd(a) > 2 && plait_pipe_fd(b) > 2);
    CHECK_INT(fcntl(plait_pipe_fd(a), F_GETFD), FD_CLOEXEC);
    CHECK_INT(fcntl(0, F_GETFD), -1);
    CHECK_INT(fcntl(1, F_GETFD), -1);
    destroy_pipe();
}

/* ---- limits ---- */

TEST(messages_above_the_limit_are_refused_at_both_ends)
{
    plait_pipe *lax = NULL;

    open_pipe(&(plait_pipe_opts){ .max_bytes = 100 });
    CHECK_INT(plait_pipe_send(a, buf, 101, PLAIT_FOREVER), -EMSGSIZE);
    CHECK_INT(plait_pipe_send(a, buf, 100, PLAIT_FOREVER), 0);
    CHECK_INT(plait_pipe_recv(b, buf, 100, PLAIT_FOREVER), 100);
    CHECK_INT(plait_pipe_open(&lax, dup(plait_pipe_fd(a)), NULL), 0);
    CHECK_INT(plait_pipe_send(lax, buf, 101, PLAIT_FOREVER), 0); /* who has another limit */
    CHECK_INT(plait_pipe_recv(b, buf, sizeof buf, PLAIT_FOREVER), -EBADMSG);
    CHECK_INT(plait_pipe_poll(b, PLAIT_NOWAIT), -ETIMEDOUT);
    plait_pipe_destroy(lax);
    destroy_pipe();
    open_pipe(NULL);
    CHECK_INT(plait_pipe_send(a, buf, ((size_t)1 << 30) + 1, PLAIT_FOREVER), -EMSGSIZE);
    CHECK_INT(plait_pipe_send(a, buf, SIZE_MAX, PLAIT_FOREVER), -EMSGSIZE);
    destroy_pipe();
    open_pipe(&(plait_pipe_opts){ .max_bytes = SIZE_MAX });
    CHECK_INT(plait_pipe_send(a, buf, SIZE_MAX, PLAIT_FOREVER), -EMSGSIZE);
    destroy_pipe();
}

TEST(without_descriptors_nothing_is_made_and_large_messages_are_refused)
{
    plait_pipe *c = NULL, *d = NULL;
    rlim_t old;

    open_pipe(NULL);
    set_limit(RLIMIT_NOFILE, (rlim_t)plait_pipe_fd(b) + 1, &old);
    CHECK_INT(plait_pipe_create(&c, &d, NULL), -EMFILE);
    CHECK(c == NULL && d == NULL);
    CHECK_INT(plait_pipe_send(a, buf, 100000, PLAIT_FOREVER), -EMFILE);
    CHECK_INT(plait_pipe_send(a, buf, 60000, PLAIT_FOREVER), 0);
    CHECK_INT(plait_pipe_recv(b, buf, sizeof buf, PLAIT_NOWAIT), 60000);
    CHECK_INT(plait_pipe_recv(b, buf, sizeof buf, PLAIT_NOWAIT), -ETIMEDOUT);
    set_limit(RLIMIT_NOFILE, old, &old);
    destroy_pipe();
}

/* room: how many descriptors the receiver can still have. */
static void receive_without_room(rlim_t room)
{
    rlim_t old;
    int fd = -1, lowest = dup(0);
    void *bytes = NULL;

    close(lowest);
    set_limit(RLIMIT_NOFILE, (rlim_t)lowest + room, &old);
    CHECK_INT(plait_pipe_recv_fd(b, &fd, buf, sizeof buf, PLAIT_FOREVER), -EMFILE);
    CHECK_INT(plait_pipe_recv_fd(b, &fd, buf, sizeof buf, PLAIT_FOREVER), -EMFILE);
    CHECK_INT(plait_pipe_recv_fd(b, &fd, NULL, 0, PLAIT_FOREVER), -EMSGSIZE);
    CHECK_INT(plait_pipe_recv_alloc(b, &bytes, PLAIT_FOREVER), -ENOMSG);
    CHECK_INT(fd, -1);
    set_limit(RLIMIT_NOFILE, old, &old);
}

TEST(a_message_whose_descriptors_find_no_room_stays)
{
    int fd = -1, before;
    rlim_t old;

    open_pipe(NULL);
    before = count_fds();
    for (size_t size = 1; size <= 100000; size += 99999) {
        CHECK_INT(plait_pipe_send_fd(a, 2, buf, size, PLAIT_FOREVER), 0);
        for (rlim_t room = 0; room < (size == 1 ? 1U : 2U); room++)
            receive_without_room(room);
        CHECK_INT(count_fds(), before);
        /* exactly enough is enough */
        set_limit(RLIMIT_NOFILE, (rlim_t)plait_pipe_fd(b) + (size == 1 ? 2 : 3), &old);
        CHECK_INT(plait_pipe_recv_fd(b, &fd, buf, sizeof buf, PLAIT_FOREVER), size);
        set_limit(RLIMIT_NOFILE, old, &old);
        close(fd);
    }
    CHECK_INT(plait_pipe_send(a, buf, sizeof buf, PLAIT_FOREVER), 0);
    set_limit(RLIMIT_NOFILE, (rlim_t)plait_pipe_fd(b) + 1, &old);
    CHECK_INT(plait_pipe_recv(b, buf, sizeof buf, PLAIT_FOREVER), -EMFILE);
    CHECK_INT(plait_pipe_next_size(b, PLAIT_FOREVER), sizeof buf);
    set_limit(RLIMIT_NOFILE, old, &old);
    CHECK_INT(plait_pipe_recv(b, buf, sizeof buf, PLAIT_FOREVER), sizeof buf);
    CHECK_INT(count_fds(), before);
    destroy_pipe();
}

TEST(too_many_descriptors_under_way_are_an_error)
{
    rlim_t old;
    int rc;

    open_pipe(NULL);
    if (geteuid() == 0)
        CHECK_INT(setresuid(65534, 65534, 65534), 0); /* the limit does not bind root */
    set_limit(RLIMIT_NOFILE, 20, &old);
    while ((rc = plait_pipe_send_fd(a, 2, "x", 1, PLAIT_NOWAIT)) == 0)
        continue;
    CHECK_INT(rc, -ETOOMANYREFS);
    CHECK_INT(plait_pipe_send(a, buf, 100, PLAIT_NOWAIT), 0);
    destroy_pipe();
}

TEST(the_limit_on_file_sizes_is_an_error_and_no_signal)
{
    rlim_t old;

    open_pipe(NULL);
    set_limit(RLIMIT_FSIZE, 10, &old);
    CHECK_INT(plait_pipe_send(a, buf, sizeof buf, PLAIT_FOREVER), -EFBIG);
    CHECK_INT(plait_pipe_send(a, buf, 60000, PLAIT_FOREVER), 0);
    set_limit(RLIMIT_FSIZE, old, &old);
    destroy_pipe();
}

TEST(a_small_socket_buffer_makes_no_difference)
{
    int small = 4096, before;

    open_pipe(NULL);
    before = count_fds();
    CHECK_INT(setsockopt(plait_pipe_fd(a), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    for (size_t size = 1; size <= sizeof buf; size = size * 3 + 1) {
        CHECK_INT(plait_pipe_send(a, buf, size, PLAIT_FOREVER), 0);
        CHECK_INT(plait_pipe_recv(b, buf, size, PLAIT_FOREVER), size);
        CHECK_INT(plait_pipe_send_fd(a, 2, buf, size, PLAIT_FOREVER), 0);
        int fd;
        CHECK_INT(plait_pipe_recv_fd(b, &fd, buf, size, PLAIT_FOREVER), size);
        close(fd);
    }
    CHECK_INT(count_fds(), before);
    destroy_pipe();
}

TEST(large_messages_wait_in_small_number)
{
    int n = 0;

    open_pipe(NULL);
    while (plait_pipe_send(a, buf, sizeof buf, PLAIT_NOWAIT) == 0)
        n++;
    CHECK(n >= 1 && n <= 8);
    destroy_pipe();
}

/* ---- a peer that is not plait, or lies ---- */

static struct plait__message_head honest(size_t bytes, uint32_t flags)
{
    struct plait__outgoing message;

    CHECK_INT(plait__message_prepare(&message, buf, 5, -1), 0);
    message.head.bytes = bytes;
    message.head.flags = flags;
    return message.head;
}

static void send_raw(const void *bytes, size_t n, const int *fds, size_t n_fds)
{
    CHECK_INT(plait__os_channel_send(plait_pipe_fd(a), bytes, n, fds, n_fds), 0);
}

/* The last packet is dropped, in whichever way it is received, and nothing of it stays open. */
static void check_dropped(const void *bytes, size_t n, const int *fds, size_t n_fds)
{
    void *none = NULL;
    int fd = -1, before = count_fds();

    for (int i = 0; i < 3; i++) {
        send_raw(bytes, n, fds, n_fds);
        CHECK_INT(plait_pipe_send(a, "good", 4, PLAIT_FOREVER), 0);
        CHECK_INT(plait_pipe_poll(b, PLAIT_NOWAIT), 0);
        if (i == 0)
            CHECK_INT(plait_pipe_recv(b, buf, sizeof buf, PLAIT_FOREVER), -EBADMSG);
        else if (i == 1)
            CHECK_INT(plait_pipe_recv_alloc(b, &none, PLAIT_FOREVER), -EBADMSG);
        else
            CHECK_INT(plait_pipe_recv_fd(b, &fd, buf, sizeof buf, PLAIT_FOREVER), -EBADMSG);
        CHECK(none == NULL && fd == -1);
        CHECK_INT(count_fds(), before);
        CHECK_INT(plait_pipe_recv(b, buf, sizeof buf, PLAIT_FOREVER), 4);
    }
}

TEST(what_is_no_message_is_dropped)
{
    char *junk = calloc(1, 100000);
    int fds[4] = { 0, 0, 0, 0 };

    open_pipe(NULL);
    memset(junk, 'j', 100000);
    check_dropped(junk, 0, NULL, 0);
    check_dropped(junk, 1, NULL, 0);
    check_dropped(junk, sizeof(struct plait__message_head), NULL, 0);
    check_dropped(junk, 500, NULL, 0);
    check_dropped(junk, 100000, NULL, 0);
    check_dropped(junk, 500, fds, 4);
    check_dropped(junk, 0, fds, 1);
    free(junk);
    destroy_pipe();
}

TEST(a_head_that_lies_is_dropped)
{
    static const struct {
        size_t bytes;
        uint32_t flags;
    } lies[] = { { 6, 0 }, { 4, 0 },        { 0, 0 }, { SIZE_MAX, 0 }, { 5, 2 },
                 { 0, 2 }, { SIZE_MAX, 2 }, { 5, 3 }, { 5, 4 },        { 5, 0x80000000 } };

    struct {
        struct plait__message_head head;
        char bytes[5];
    } packet = { .bytes = "12345" };

    size_t n = sizeof packet.head + 5;

    open_pipe(NULL);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        packet.head = honest(lies[i].bytes, lies[i].flags);
        check_dropped(&packet, n, NULL, 0);
    }
    packet.head = honest(5, 0);
    packet.head.magic++;
    check_dropped(&packet, n, NULL, 0);
    packet.head = honest(5, 0);
    send_raw(&packet, n, NULL, 0); /* the honest one passes */
    CHECK_INT(plait_pipe_recv(b, buf, sizeof buf, PLAIT_FOREVER), 5);
    destroy_pipe();
}

TEST(descriptors_that_are_not_what_the_head_says_are_dropped)
{
    struct plait__message_head head = honest(0, 1);
    int fds[4] = { 0, 1, 2, 2 }, fd = -1, before;

    open_pipe(NULL);
    before = count_fds();
    for (size_t n = 0; n <= 4; n++) {
        send_raw(&head, sizeof head, fds, n);
        CHECK_INT(plait_pipe_recv_fd(b, &fd, buf, sizeof buf, PLAIT_FOREVER),
                  n == 1 ? 0 : -EBADMSG);
        if (n == 1)
            close(fd);
    }
    head = honest(0, 0);
    send_raw(&head, sizeof head, fds, 1);
    CHECK_INT(plait_pipe_recv(b, buf, sizeof buf, PLAIT_FOREVER), -EBADMSG);
    CHECK_INT(plait_pipe_poll(b, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(count_fds(), before);
    destroy_pipe();
}

/* The file is said to hold 1000 bytes. */
static void check_file(int file, int want)
{
    struct plait__message_head head = honest(1000, 2);
    int before = count_fds();

    send_raw(&head, sizeof head, &file, 1);
    CHECK_INT(plait_pipe_recv(b, buf, sizeof buf, PLAIT_FOREVER), want);
    CHECK_INT(count_fds(), before);
    CHECK_INT(plait_pipe_poll(b, PLAIT_NOWAIT), -ETIMEDOUT);
    close(file);
}

TEST(a_file_that_is_not_the_rest_of_a_message_is_not_read)
{
    int fds[2], memory = plait__os_memfd("test");

    open_pipe(NULL);
    check_file(plait__os_sealed_file(buf, 1000), 1000);
    check_file(plait__os_sealed_file(buf, 999), -EBADMSG);
    check_file(plait__os_sealed_file(buf, 1001), -EBADMSG);
    CHECK_INT(ftruncate(memory, 1000), 0);
    check_file(memory, -EBADMSG);
    CHECK_INT(plait__os_pipe(fds), 0);
    check_file(fds[0], -EBADMSG);
    check_file(dup(plait_pipe_fd(a)), -EBADMSG);
    check_file(open("/dev/zero", O_RDONLY | O_CLOEXEC), -EBADMSG);
    destroy_pipe();
}
