/* A process is killed at every instruction of what is done to message pipes.
 * SPDX-License-Identifier: MIT
 *
 * After each kill: what was sent before is received, whole and in its order; what the victim sent is
 * there or not, whole, with its descriptor, and there if its call had returned; what the victim
 * received is there still or gone, and whole with it if its call had returned; the pipe works; and
 * when the survivor closes the other end too, the end of file comes.
 */
#include "family/member.h"

#include "step.h"
#include "third.h"

#include <plait/pipe.h>
#include <plait/shared.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
    SMALL = 40,
    LARGE = 70 * 1000, /* the rest beyond 64 KiB goes in a file */
    VICTIMS = 10,
    OURS = 20
};

struct scene {
    plait_pipe *in, *out;
    size_t bytes;
    bool has_fds; /* each message brings a descriptor */
    int fd;       /* the one that is sent */
    int n_before; /* messages 1, 2, … were sent before */
    int n_taken;  /* by us, so that there is room */
    int64_t rc;   /* what the victim's call returned */
    uint32_t is_returned;
    uint32_t is_helped;
    char buf[LARGE];   /* the victim's */
    char other[LARGE]; /* the survivor's */
};

static int send_number(struct scene *scene, char *buf, int number, plait_deadline until)
{
    memset(buf, number, scene->bytes);
    return scene->has_fds ? plait_pipe_send_fd(scene->out, scene->fd, buf, scene->bytes, until)
                          : plait_pipe_send(scene->out, buf, scene->bytes, until);
}

/* The number; or the error. */
static int recv_number(struct scene *scene)
{
    char *buf = scene->other;
    int fd = -1;
    ssize_t n = scene->has_fds ? plait_pipe_recv_fd(scene->in, &fd, buf, LARGE, PLAIT_NOWAIT)
                               : plait_pipe_recv(scene->in, buf, LARGE, PLAIT_NOWAIT);
    struct stat sent, received;

    if (n < 0)
        return (int)n;
    CHECK_INT(n, scene->bytes);
    CHECK(memcmp(buf, buf + 1, scene->bytes - 1) == 0);
    if (scene->has_fds) {
        CHECK_INT(fstat(scene->fd, &sent), 0);
        CHECK_INT(fstat(fd, &received), 0);
        CHECK_INT(received.st_ino, sent.st_ino);
        close(fd);
    }
    return buf[0];
}

static struct scene *new_scene(size_t bytes, bool has_fds, int n_before)
{
    struct scene *scene = plait_shared_alloc(sizeof *scene);

    CHECK(scene != NULL);
    CHECK_INT(plait_pipe_create(&scene->in, &scene->out, NULL), 0);
    scene->fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    CHECK(scene->fd >= 0);
    scene->bytes = bytes;
    scene->has_fds = has_fds;
    scene->n_before = n_before;
    for (int i = 1; i <= n_before; i++)
        CHECK_INT(send_number(scene, scene->other, i, PLAIT_NOWAIT), 0);
    return scene;
}

static void *two_small(void)
{
    return new_scene(SMALL, false, 2);
}

static void *one_large(void)
{
    return new_scene(LARGE, false, 1);
}

static void *two_with_fds(void)
{
    return new_scene(SMALL, true, 2);
}

static void *empty(void)
{
    return new_scene(SMALL, false, 0);
}

static void *full(void)
{
    struct scene *scene = new_scene(SMALL, false, 0);

    while (send_number(scene, scene->other, scene->n_before % 100 + 1, PLAIT_NOWAIT) == 0)
        scene->n_before++;
    CHECK(scene->n_before > 0);
    return scene;
}

static void join(void *state)
{
    (void)state;
    CHECK_INT(plait__member_join(), 0);
}

static void note(struct scene *scene, ssize_t rc)
{
    scene->rc = rc;
    __atomic_store_n(&scene->is_returned, 1, __ATOMIC_SEQ_CST);
}

/* ---- what the survivor finds ---- */

static void check_works(struct scene *scene)
{
    CHECK_INT(recv_number(scene), -ETIMEDOUT);
    CHECK_INT(send_number(scene, scene->other, OURS, PLAIT_NOWAIT), 0);
    CHECK_INT(recv_number(scene), OURS);
    CHECK_INT(plait_pipe_close(scene->out), 0);
    CHECK_INT(recv_number(scene), -EPIPE);
    plait_pipe_destroy(scene->out);
    plait_pipe_destroy(scene->in);
    close(scene->fd);
}

static int next_before(const struct scene *scene, int i)
{
    return scene->n_before > 2 ? (i - 1) % 100 + 1 : i;
}

static const char *check_sent(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    int number;

    (void)at;
    for (int i = scene->n_taken + 1; i <= scene->n_before; i++)
        CHECK_INT(recv_number(scene), next_before(scene, i));
    number = recv_number(scene);
    CHECK(number == 100 + VICTIMS || number == -ETIMEDOUT);
    CHECK(!scene->is_returned || (scene->rc == 0 && number > 0));
    check_works(scene);
    return number > 0 ? "sent" : "not sent";
}

static const char *check_received(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    int number = recv_number(scene), first = number > 0 ? number : scene->n_before + 1;

    (void)at;
    CHECK(first == 1 || first == 2);
    for (int i = first; i <= scene->n_before; i++, number = recv_number(scene))
        CHECK_INT(number, i);
    CHECK_INT(number, -ETIMEDOUT);
    if (scene->is_returned) {
        CHECK_INT(scene->rc, scene->bytes);
        CHECK_INT(first, 2);
        CHECK_INT(scene->buf[0], 1);
        CHECK(memcmp(scene->buf, scene->buf + 1, scene->bytes - 1) == 0);
    }
    check_works(scene);
    return first == 2 ? "received" : "not received";
}

/* ---- send ---- */

static void send_one(void *state)
{
    struct scene *scene = state;

    note(scene, send_number(scene, scene->buf, 100 + VICTIMS, PLAIT_FOREVER));
}

#define PIPE_CASE(id, words, scene_of, call, checks, claim)                                \
    static const struct step_call id = {                                                   \
        .name = words, .setup = scene_of, .prepare = join, .victim = call, .check = checks \
    };                                                                                     \
    STEP_TEST(claim, &id)

PIPE_CASE(send_small, "pipe send", two_small, send_one, check_sent,
          a_victim_in_send_has_sent_it_whole_or_not)
PIPE_CASE(send_large, "pipe send, large", one_large, send_one, check_sent,
          a_victim_in_send_of_a_large_message_has_sent_it_whole_or_not)
PIPE_CASE(send_fd, "pipe send, with a descriptor", two_with_fds, send_one, check_sent,
          a_victim_in_send_of_a_descriptor_has_sent_both_or_none)

static void take_some(void *state)
{
    struct scene *scene = state;

    while (!scene->is_helped && scene->n_taken < scene->n_before - 1)
        CHECK_INT(recv_number(scene), next_before(scene, ++scene->n_taken));
    scene->is_helped = 1;
}

static const struct step_call send_full = { .name = "pipe send, no room",
                                            .setup = full,
                                            .prepare = join,
                                            .victim = send_one,
                                            .asleep = take_some,
                                            .check = check_sent };

STEP_TEST(a_victim_that_waits_to_send_stops_nobody, &send_full)

/* ---- receive ---- */

static void recv_one(void *state)
{
    struct scene *scene = state;
    int fd;

    note(scene, scene->has_fds
                    ? plait_pipe_recv_fd(scene->in, &fd, scene->buf, LARGE, PLAIT_FOREVER)
                    : plait_pipe_recv(scene->in, scene->buf, LARGE, PLAIT_FOREVER));
}

PIPE_CASE(recv_small, "pipe recv", two_small, recv_one, check_received,
          a_victim_in_recv_takes_one_message_or_none)
PIPE_CASE(recv_large, "pipe recv, large", one_large, recv_one, check_received,
          a_victim_in_recv_of_a_large_message_takes_it_or_not)
PIPE_CASE(recv_fd, "pipe recv, with a descriptor", two_with_fds, recv_one, check_received,
          a_victim_in_recv_of_a_descriptor_takes_both_or_none)

static void bring(void *state)
{
    struct scene *scene = state;

    if (scene->is_helped)
        return;
    scene->is_helped = 1;
    scene->n_before = 1;
    CHECK_INT(send_number(scene, scene->other, 1, PLAIT_NOWAIT), 0);
}

static const struct step_call recv_empty = { .name = "pipe recv, no message",
                                             .setup = empty,
                                             .prepare = join,
                                             .victim = recv_one,
                                             .asleep = bring,
                                             .check = check_received };

STEP_TEST(a_victim_that_waits_to_receive_takes_nothing_with_it, &recv_empty)
