/* Tests of named segments: ids, bytes, and where an address lies.
 * SPDX-License-Identifier: MIT
 */
#include "family/member.h"
#include "family/segment.h"
#include "family/segment_path.h"
#include "os/record_lock.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[64];

static struct plait_segment *open_one(const char *name)
{
    struct plait__segment_wish wish = { .name = name };
    struct plait_segment *segment = NULL;

    CHECK_INT(plait__segment_try_open(&wish, &segment), 0);
    return segment;
}

static const char *make_path(void)
{
    snprintf(path, sizeof path, "/tmp/plait-segment-test-%d", (int)getpid());
    return path;
}

TEST(an_address_is_shared_from_the_first_byte_to_the_last)
{
    struct plait_segment *segment = open_one(make_path());
    char *base = segment->base;
    uint64_t total = segment->shape.total;

    CHECK(plait__is_shared(base));
    CHECK(plait__is_shared(base + total - 1));
    CHECK(!plait__attached_has(base - 1));
    CHECK(!plait__attached_has(base + total)); /* perhaps the family's region */
    CHECK(!plait__is_shared(&base));
    CHECK(!plait__family_has(base));
    CHECK(plait__is_shared(plait__member_entry()));
    CHECK_INT(plait__segment_close(segment), 0);
    CHECK(!plait__is_shared(base));
}

static void die_in(pid_t pid)
{
    kill(pid, SIGKILL);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
}

/* Another process has the byte of that id. */
static pid_t take_byte(const char *name, uint32_t id)
{
    int ends[2];
    char byte;
    pid_t pid;

    CHECK_INT(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        int fd = open(name, O_RDWR | O_CLOEXEC);
        CHECK_INT(plait__os_byte_lock(fd, PLAIT__BYTE_OF_ID + (int64_t)id), 0);
        CHECK_INT(write(ends[1], "x", 1), 1);
        for (;;)
            pause();
    }
    CHECK_INT(read(ends[0], &byte, 1), 1);
    return pid;
}

TEST(who_is_dead_depends_on_where_its_name_is_written)
{
    struct plait_segment *segment = open_one(make_path());
    uint32_t self = plait__member_self(), stranger = self ^ 1U << 20;
    pid_t other = take_byte(path, stranger);

    CHECK(!plait__holder_is_dead(segment->base, stranger));
    CHECK(plait__holder_is_dead(segment->base, stranger + 1));
    CHECK(plait__holder_is_dead(plait__member_entry(), stranger)); /* nobody of the family */
    CHECK(!plait__holder_is_dead(segment->base, self));
    CHECK(!plait__holder_is_dead(segment->base, 0));
    die_in(other);
    CHECK(plait__holder_is_dead(segment->base, stranger));
    CHECK_INT(plait__segment_close(segment), 0);
}

TEST(two_with_one_id_cannot_be_in_one_segment)
{
    struct plait__segment_wish wish = { .name = make_path() };
    struct plait_segment *segment = NULL;
    int ends[2];
    char byte;

    CHECK_INT(plait__member_join(), 0);
    CHECK_INT(pipe(ends), 0);
    pid_t keeper = fork();
    if (keeper == 0) {
        open_one(path);
        CHECK_INT(write(ends[1], "x", 1), 1);
        for (;;)
            pause();
    }
    CHECK_INT(read(ends[0], &byte, 1), 1);
    pid_t other = take_byte(path, plait__member_self());
    CHECK_INT(plait__segment_try_open(&wish, &segment), -EBUSY);
    CHECK(segment == NULL);
    die_in(other);
    CHECK_INT(plait__segment_try_open(&wish, &segment), 0);
    die_in(keeper);
    CHECK_INT(plait__segment_close(segment), 0);
    CHECK(access(path, F_OK) < 0);
}

/* The next id of the family is taken in a segment that the child has inherited. */
TEST(a_child_joins_by_an_id_that_nobody_has_in_its_segments)
{
    struct plait_segment *segment = open_one(make_path());
    uint32_t next = 0;
    int ends[2], status;

    CHECK_INT(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_INT(plait__member_join(), 0);
        next = plait__member_self();
        _exit(write(ends[1], &next, sizeof next) != sizeof next);
    }
    CHECK_INT(read(ends[0], &next, sizeof next), sizeof next);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    /* the entry behind that one is the next */
    uint32_t slot = (next + 1) % PLAIT__MEMBERS != 0 ? (next + 1) % PLAIT__MEMBERS : 1;
    uint32_t taken = (next & ~(uint32_t)(PLAIT__MEMBERS - 1)) | slot;
    pid_t other = take_byte(path, taken);
    pid = fork();
    if (pid == 0) {
        CHECK_INT(plait__member_join(), 0);
        CHECK(plait__member_self() != taken);
        CHECK_INT(plait__member_self() % PLAIT__MEMBERS, slot % (PLAIT__MEMBERS - 1) + 1);
        _exit(0);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    die_in(other);
    CHECK_INT(plait__segment_close(segment), 0);
}

/* Somebody has renewed it between our look at the path and the guard. */
TEST(a_file_that_is_not_at_its_path_any_more_does_not_cost_the_new_one)
{
    struct plait_segment *segment;
    struct plait__file_id id;
    int old = open(make_path(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    CHECK_INT(plait__os_file_check(old, &id), 0);
    CHECK_INT(unlink(path), 0);
    segment = open_one(path);
    CHECK_INT(plait__segment_settle(path, old, &id), -EAGAIN);
    CHECK(plait__os_file_is_at(path, &segment->id));
    CHECK_INT(plait__segment_close(segment), 0);
    segment = open_one(path);
    CHECK_INT(plait__segment_close(segment), 0);
}

/* As one does that has looked while we had it open: after us, nobody else will. */
TEST(who_closes_it_last_removes_it_though_another_one_looks_at_it)
{
    struct plait_segment *segment = open_one(make_path());
    int ends[2];
    char byte;

    CHECK_INT(pipe(ends), 0);
    pid_t other = fork();
    if (other == 0) {
        int fd = open(path, O_RDWR);
        close(segment->fd);
        plait__os_file_unmap(segment->base, segment->shape.total);
        CHECK_INT(plait__os_byte_lock(fd, PLAIT__BYTE_GUARD), 0);
        CHECK_INT(write(ends[1], "x", 1), 1);
        usleep(50 * 1000);
        _exit(0);
    }
    CHECK_INT(read(ends[0], &byte, 1), 1);
    CHECK_INT(plait__segment_close(segment), 0);
    CHECK_INT(waitpid(other, NULL, 0), other);
    CHECK(access(path, F_OK) < 0);
}

TEST(whose_descriptor_was_closed_by_the_program_says_nobody_dead)
{
    struct plait_segment *segment = open_one(make_path());
    int fd = segment->fd;

    CHECK(plait__holder_is_dead(segment->base, 12345));
    close(fd);
    CHECK(!plait__holder_is_dead(segment->base, 12345));
    CHECK_INT(dup2(0, fd), fd); /* something else by now */
    CHECK(!plait__holder_is_dead(segment->base, 12345));
    CHECK_INT(plait__segment_close(segment), 0);
    CHECK(fcntl(fd, F_GETFD) >= 0);
    segment = open_one(path);
    CHECK(plait__holder_is_dead(segment->base, 12345));
    CHECK_INT(plait__segment_close(segment), 0);
}

TEST(there_are_128_at_once)
{
    static struct plait_segment *segments[PLAIT__SEGMENTS];
    struct plait__segment_wish wish = { .name = path, .bytes = 64 };
    struct plait_segment *more = NULL;

    for (int i = 0; i < PLAIT__SEGMENTS; i++) {
        snprintf(path, sizeof path, "/tmp/plait-segment-test-%d-%d", (int)getpid(), i);
        CHECK_INT(plait__segment_try_open(&wish, &segments[i]), 0);
        CHECK(plait__attached_at(segments[i]->base + 100) == segments[i]);
    }
    snprintf(path, sizeof path, "/tmp/plait-segment-test-%d-x", (int)getpid());
    CHECK_INT(plait__segment_try_open(&wish, &more), -EMFILE);
    CHECK_INT(plait__segment_close(segments[7]), 0);
    CHECK_INT(plait__segment_try_open(&wish, &more), 0);
    CHECK(more == segments[7]);
    for (int i = 0; i < PLAIT__SEGMENTS; i++)
        CHECK_INT(plait__segment_close(segments[i]), 0);
}

TEST(only_what_is_whole_passes_as_a_beginning)
{
    struct plait__segment_head head, changed;
    struct plait__segment_shape shape, read;
    int n_passed = 0;

    CHECK(plait__segment_shape_of(12345, &shape));
    CHECK_INT(shape.total % 4096, 0);
    CHECK(shape.end - shape.first >= 12345 && shape.end <= shape.total);
    plait__segment_head_make(&shape, &head);
    CHECK_INT(plait__segment_head_check(&head, shape.total, &read), 0);
    CHECK_MEM(&read, sizeof read, &shape, sizeof shape);
    CHECK_INT(plait__segment_head_check(&head, shape.total + 4096, &read), -EBADMSG);
    for (size_t i = 0; i < offsetof(struct plait__segment_head, spare); i++) {
        changed = head;
        ((unsigned char *)&changed)[i] ^= 1;
        n_passed += plait__segment_head_check(&changed, shape.total, &read) == 0;
    }
    CHECK_INT(n_passed, 0);
    CHECK(!plait__segment_shape_of(0, &shape));
    CHECK(!plait__segment_shape_of(UINT64_MAX, &shape));
}
