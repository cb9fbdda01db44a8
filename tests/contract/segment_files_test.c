/* The contract of named segments: what may stand at a path, and what not.
 * SPDX-License-Identifier: MIT
 */
#include "strangers.h"

#include "family/segment_layout.h"

#include <sys/socket.h>
#include <sys/un.h>

static int try_to_open(const char *name)
{
    plait_segment *segment = NULL;
    int rc = plait_segment_open(&segment, name, NULL, plait_after_ms(60000));

    if (rc == 0)
        CHECK_INT(plait_segment_close(segment), 0);
    return rc;
}

PART(be_there)
{
    add_number(stage, 0);
    stay();
}

/* A segment that a stranger has open, and we do not. */
static pid_t let_it_be_there(const char *name)
{
    plait_segment *segment = open_segment(name);
    pid_t other = start_stranger("be_there", name);

    UNTIL(number(stage_of(segment), 0) == 1);
    CHECK_INT(plait_segment_close(segment), 0);
    return other;
}

static void write_at(const char *path, size_t offset, const void *bytes, size_t n)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    CHECK(fd >= 0);
    CHECK_INT(pwrite(fd, bytes, n, (off_t)offset), n);
    close(fd);
}

static void put_byte(const char *path, size_t offset, unsigned char byte)
{
    write_at(path, offset, &byte, 1);
}

TEST(a_file_of_something_else_is_refused_and_left_alone)
{
    const char *path = make_name(true);
    char text[4096] = "the only copy", back[4096];
    int fd;

    write_at(path, 0, text, sizeof text);
    CHECK_INT(try_to_open(path), -EBADMSG);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK_INT(read(fd, back, sizeof back), sizeof back);
    CHECK_MEM(back, sizeof back, text, sizeof text);
    close(fd);
    CHECK_INT(truncate(path, 10), 0);
    CHECK_INT(try_to_open(path), -EBADMSG);
    CHECK_INT(truncate(path, 0), 0);
    CHECK_INT(try_to_open(path), -EBADMSG);
    CHECK_INT(count_files(), 1);
    remove_folder();
}

TEST(a_file_that_others_may_use_is_refused)
{
    const char *path = make_name(true);
    pid_t other = let_it_be_there(path);

    for (unsigned bit = 1; bit <= 040; bit <<= 1) {
        CHECK_INT(chmod(path, 0600 | bit), 0);
        CHECK_INT(try_to_open(path), -EACCES);
    }
    CHECK_INT(chmod(path, 0600), 0);
    CHECK_INT(try_to_open(path), 0);
    kill_stranger(other);
    remove_folder();
}

TEST(a_file_of_another_user_is_refused)
{
    const char *path = make_name(true);
    pid_t other = let_it_be_there(path);

    if (geteuid() != 0)
        test_skip("only root can make a file another user's");
    CHECK_INT(chown(path, 12345, (gid_t)-1), 0);
    CHECK_INT(try_to_open(path), -EPERM);
    CHECK_INT(count_files(), 1);
    kill_stranger(other);
    CHECK_INT(try_to_open(path), -EPERM);
    remove_folder();
}

TEST(a_name_that_another_user_has_taken_is_refused)
{
    const char *name = make_name(false);
    int ends[2], status;
    char byte;
    pid_t pid;

    if (geteuid() != 0)
        test_skip("only root can become another user");
    CHECK_INT(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int n = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "plait-0-%s", name);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        CHECK_INT(setuid(12345), 0);
        CHECK_INT(bind(fd, (struct sockaddr *)&address,
                       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)),
                  0);
        CHECK_INT(listen(fd, 4), 0);
        CHECK_INT(write(ends[1], "x", 1), 1);
        stay();
    }
    CHECK_INT(read(ends[0], &byte, 1), 1);
    CHECK_INT(try_to_open(name), -EPERM);
    kill(pid, SIGKILL);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(try_to_open(name), 0);
}

/* Root may write anywhere: so somebody else tries. */
static void become_nobody(void)
{
    if (geteuid() == 0) {
        CHECK_INT(setgid(12345), 0);
        CHECK_INT(setuid(12345), 0);
    }
}

TEST(without_the_permission_to_make_a_file_none_is_made)
{
    const char *path = make_name(true);
    int status;
    pid_t pid;

    CHECK_INT(chmod(folder, 0555), 0);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        become_nobody();
        CHECK_INT(try_to_open(path), -EACCES);
        _exit(0);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    CHECK_INT(count_files(), 0);
    CHECK_INT(chmod(folder, 0700), 0);
    remove_folder();
}

TEST(no_link_and_no_folder_and_no_pipe_is_followed)
{
    const char *path = make_name(true);
    char target[256];

    snprintf(target, sizeof target, "%s-target", path);
    CHECK_INT(symlink(target, path), 0);
    CHECK_INT(try_to_open(path), -ELOOP);
    CHECK_INT(access(target, F_OK), -1);
    CHECK_INT(unlink(path), 0);
    CHECK_INT(mkfifo(path, 0600), 0);
    CHECK_INT(try_to_open(path), -EPERM);
    CHECK_INT(unlink(path), 0);
    CHECK_INT(mkdir(path, 0700), 0);
    CHECK_INT(try_to_open(path), -EPERM);
    CHECK_INT(rmdir(path), 0);
    remove_folder();
}

TEST(another_layout_machine_or_a_broken_beginning_have_their_codes)
{
    const char *path = make_name(true);
    pid_t other = let_it_be_there(path);

    put_byte(path, offsetof(struct plait__segment_head, version), 2);
    CHECK_INT(try_to_open(path), -EPROTO);
    put_byte(path, offsetof(struct plait__segment_head, version), 1);
    CHECK_INT(try_to_open(path), 0);
    put_byte(path, offsetof(struct plait__segment_head, pointer), 7);
    CHECK_INT(try_to_open(path), -ENOEXEC);
    put_byte(path, offsetof(struct plait__segment_head, pointer), sizeof(void *));
    put_byte(path, offsetof(struct plait__segment_head, order), 9);
    CHECK_INT(try_to_open(path), -ENOEXEC);
    put_byte(path, offsetof(struct plait__segment_head, order),
             __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 1 : 2);
    CHECK_INT(try_to_open(path), 0);
    put_byte(path, offsetof(struct plait__segment_head, zero), 1);
    CHECK_INT(try_to_open(path), -EBADMSG);
    put_byte(path, offsetof(struct plait__segment_head, zero), 0);
    put_byte(path, offsetof(struct plait__segment_head, bytes) + 5, 1);
    CHECK_INT(try_to_open(path), -EBADMSG);
    put_byte(path, 0, 'P');
    CHECK_INT(try_to_open(path), -EBADMSG);
    CHECK_INT(count_files(), 1);
    kill_stranger(other);
    CHECK_INT(try_to_open(path), -EBADMSG); /* not a segment: it is not removed */
    CHECK_INT(count_files(), 1);
    remove_folder();
}

TEST(one_that_was_cut_short_is_refused)
{
    const char *path = make_name(true);
    pid_t other = let_it_be_there(path);

    CHECK_INT(truncate(path, 8192), 0);
    CHECK_INT(try_to_open(path), -EBADMSG);
    CHECK_INT(truncate(path, 20), 0);
    CHECK_INT(try_to_open(path), -EBADMSG);
    kill_stranger(other);
    remove_folder();
}

TEST(what_the_dead_left_is_made_new_whatever_is_in_it)
{
    const char *path = make_name(true);

    kill_stranger(let_it_be_there(path));
    put_byte(path, offsetof(struct plait__segment_head, version), 77);
    CHECK_INT(truncate(path, 4096), 0);
    CHECK_INT(count_files(), 1);
    CHECK_INT(number(stage_of(open_segment(path)), 0), 0);
    remove_folder();
}

TEST(a_file_that_was_removed_by_hand_does_not_harm_those_in_it)
{
    const char *path = make_name(true);
    plait_segment *old = open_segment(path), *new;

    CHECK_INT(unlink(path), 0);
    new = open_segment(path);
    CHECK(old != new);
    stage_of(old)->sum = 1;
    CHECK_INT(stage_of(new)->sum, 0);
    CHECK_INT(plait_segment_close(old), 0);
    CHECK_INT(count_files(), 1); /* not its own any more */
    CHECK_INT(plait_segment_close(new), 0);
    CHECK_INT(count_files(), 0);
    remove_folder();
}

TEST(a_path_means_the_same_after_a_change_of_the_folder)
{
    make_name(true);
    CHECK_INT(chdir(folder), 0);
    plait_segment *segment = open_segment("./segment");
    CHECK_INT(count_files(), 1);
    CHECK_STR(plait_segment_name(segment), "./segment");
    CHECK_INT(chdir("/"), 0);
    CHECK_INT(plait_segment_close(segment), 0);
    CHECK_INT(count_files(), 0);
    remove_folder();
}

/* Where a file cannot be made without a name. */
TEST(a_maker_that_was_killed_is_in_nobodys_way)
{
    const char *path = make_name(true);
    char temporary[256];

    setenv("PLAIT_DISABLE", "tmpfile", 1);
    snprintf(temporary, sizeof temporary, "%s.plait-new", path);
    write_at(temporary, 0, "half", 4);
    CHECK_INT(try_to_open(path), 0);
    CHECK_INT(count_files(), 0);
    remove_folder();
}
