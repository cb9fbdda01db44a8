/* Tests of locks on bytes of a file.
 * SPDX-License-Identifier: MIT
 */
#include "os/fd.h"
#include "os/record_lock.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int make_file(void)
{
    int fd = plait__os_tmpfile("/tmp");

    CHECK(fd >= 0);
    return fd;
}

/* The same file, opened for itself. */
static int open_again(int fd)
{
    char path[64];
    int again;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    again = open(path, O_RDWR | O_CLOEXEC);
    CHECK(again >= 0);
    return again;
}

/* A child that does it and stays. */
static pid_t start(int (*fn)(int fd, int64_t at), int fd, int64_t at, int want)
{
    int ends[2];
    char byte;
    pid_t pid;

    CHECK_INT(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        CHECK_INT(fn(fd, at), want);
        CHECK_INT(write(ends[1], "x", 1), 1);
        for (;;)
            pause();
    }
    CHECK_INT(read(ends[0], &byte, 1), 1);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
}

TEST(a_byte_belongs_to_one_process_until_it_dies)
{
    int fd = make_file();
    int64_t far = (1 << 30) + ((1 << 30) - 1);
    pid_t other;

    CHECK(plait__os_byte_is_free(fd, far));
    other = start(plait__os_byte_lock, fd, far, 0);
    CHECK(!plait__os_byte_is_free(fd, far));
    CHECK(plait__os_byte_is_free(fd, far - 1));
    CHECK_INT(plait__os_byte_lock(fd, far), -EAGAIN);
    CHECK_INT(plait__os_byte_lock(fd, far - 1), 0);
    kill(other, SIGSTOP);
    CHECK(!plait__os_byte_is_free(fd, far));
    end(other);
    CHECK(plait__os_byte_is_free(fd, far));
    CHECK_INT(plait__os_byte_lock(fd, far), 0);
    CHECK(plait__os_byte_is_free(fd, far)); /* of others */
    other = start(plait__os_byte_lock, fd, far, -EAGAIN);
    plait__os_byte_unlock(fd, far);
    end(other);
    other = start(plait__os_byte_lock, fd, far, 0);
    end(other);
}

TEST(a_forked_child_does_not_have_it_and_takes_nothing_with_it)
{
    int fd = make_file();

    CHECK_INT(plait__os_byte_lock(fd, 5), 0);
    end(start(plait__os_byte_lock, fd, 5, -EAGAIN));
    end(start(plait__os_byte_lock, open_again(fd), 5, -EAGAIN));
}

static int take_and_leave(int fd, int64_t at)
{
    int rc = plait__os_byte_lock(fd, at);

    close(open_again(fd));
    return rc;
}

TEST(to_close_any_descriptor_of_the_file_gives_it_up)
{
    int fd = make_file();
    pid_t other = start(take_and_leave, fd, 5, 0);

    CHECK(plait__os_byte_is_free(fd, 5));
    end(other);
}

static int look_and_leave(int fd, int64_t at)
{
    char path[64];
    int rc = plait__os_byte_lock(fd, at);

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    close(open(path, O_PATH | O_CLOEXEC));
    return rc;
}

TEST(to_look_at_the_file_does_not)
{
    int fd = make_file();
    pid_t other = start(look_and_leave, fd, 5, 0);

    CHECK(!plait__os_byte_is_free(fd, 5));
    end(other);
}

TEST(a_shared_byte_is_had_by_forked_children_until_the_last_has_ended)
{
    int fd = make_file(), mine = open_again(fd);
    pid_t child;

    CHECK_INT(plait__os_byte_share(mine, 7), 0);
    CHECK(!plait__os_byte_is_free(fd, 7));
    CHECK_INT(plait__os_byte_share(fd, 7), 0); /* as many as like */
    close(fd);
    fd = open_again(mine);
    child = start(plait__os_byte_share, mine, 7, 0);
    close(mine);
    CHECK(!plait__os_byte_is_free(fd, 7));
    end(child);
    CHECK(plait__os_byte_is_free(fd, 7));
}
