/* Tests of files that belong to one user.
 * SPDX-License-Identifier: MIT
 */
#include "os/private_file.h"
#include "os/record_lock.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    GUARD = 1000
};

static char folder[64], path[96], temporary[112];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/plait-file-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(temporary, sizeof temporary, "%s.plait-new", path);
}

static void remove_folder(void)
{
    unlink(path);
    CHECK_INT(rmdir(folder), 0); /* nothing else is in it */
}

static void without_unnamed_files(void)
{
    setenv("PLAIT_DISABLE", "tmpfile", 1);
}

static void make_and_publish(void)
{
    struct plait__new_file file, second;
    struct plait__file_id id;
    struct stat status;

    make_folder();
    umask(0777);
    CHECK_INT(plait__os_file_make(&file, path, GUARD), 0);
    CHECK(access(path, F_OK) < 0);
    CHECK(file.fd >= 3);
    CHECK_INT(plait__os_file_reserve(file.fd, 5000), 0);
    CHECK_INT(plait__os_file_write_at_start(file.fd, "whole", 5), 0);
    CHECK_INT(plait__os_file_publish(&file, path, GUARD), 0);
    CHECK_INT(lstat(path, &status), 0);
    CHECK_INT(status.st_mode, S_IFREG | 0600);
    CHECK_INT(status.st_size, 5000);
    CHECK_INT(status.st_nlink, 1);
    CHECK_INT(plait__os_file_check(file.fd, &id), 0);
    CHECK(plait__os_file_is_at(path, &id));
    CHECK(plait__os_file_is(file.fd, &id));
    CHECK_INT(plait__os_file_make(&second, path, GUARD), 0);
    CHECK_INT(plait__os_file_publish(&second, path, GUARD), -EEXIST);
    plait__os_file_abandon(&second);
    CHECK(plait__os_file_is_at(path, &id));
    remove_folder();
}

TEST(a_file_stands_at_its_path_when_it_is_whole)
{
    make_and_publish();
}

TEST(so_it_does_where_files_must_have_names)
{
    without_unnamed_files();
    make_and_publish();
}

TEST(its_maker_keeps_others_away_and_a_dead_one_does_not)
{
    struct plait__new_file file;
    int ends[2];
    char byte;
    pid_t pid;

    without_unnamed_files();
    make_folder();
    CHECK_INT(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        CHECK_INT(plait__os_file_make(&file, path, GUARD), 0);
        CHECK_INT(write(ends[1], "x", 1), 1);
        for (;;)
            pause();
    }
    CHECK_INT(read(ends[0], &byte, 1), 1);
    CHECK_INT(access(temporary, F_OK), 0);
    CHECK_INT(plait__os_file_make(&file, path, GUARD), -EAGAIN);
    CHECK_INT(access(temporary, F_OK), 0);
    kill(pid, SIGKILL);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    CHECK_INT(plait__os_file_make(&file, path, GUARD), -EAGAIN); /* this removes it */
    CHECK_INT(plait__os_file_make(&file, path, GUARD), 0);
    plait__os_file_abandon(&file);
    remove_folder();
}

TEST(what_is_not_ours_alone_is_refused)
{
    struct plait__file_id id = { 0 };
    int fd;

    make_folder();
    CHECK_INT(plait__os_file_look(path, &id), -ENOENT);
    CHECK_INT(symlink(folder, path), 0);
    CHECK_INT(plait__os_file_look(path, &id), -ELOOP);
    CHECK_INT(unlink(path), 0);
    CHECK_INT(mkdir(path, 0700), 0);
    CHECK_INT(plait__os_file_look(path, &id), -EPERM);
    CHECK_INT(rmdir(path), 0);
    fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    CHECK_INT(fchmod(fd, 0640), 0);
    CHECK_INT(plait__os_file_look(path, &id), -EACCES);
    CHECK_INT(id.inode, 0); /* untouched */
    CHECK_INT(fchmod(fd, 0600), 0);
    int look = plait__os_file_look(path, &id);
    CHECK(look >= 0);
    CHECK_INT(unlink(path), 0);
    int again = plait__os_file_open(look); /* what was looked at, wherever it is by now */
    CHECK(again >= 3);
    CHECK(plait__os_file_is(again, &id));
    CHECK_INT(fcntl(again, F_GETFD), FD_CLOEXEC);
    CHECK(!plait__os_file_is_at(path, &id));
    remove_folder();
}

TEST(a_path_becomes_absolute)
{
    char *absolute;

    CHECK_INT(chdir("/tmp"), 0);
    absolute = plait__os_file_absolute("./x");
    CHECK_STR(absolute, "/tmp/./x");
    free(absolute);
    absolute = plait__os_file_absolute("/x");
    CHECK_STR(absolute, "/x");
    free(absolute);
}
