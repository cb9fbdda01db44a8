/* Tests of memory with a name.
 * SPDX-License-Identifier: MIT
 */
#include "os/named_memory.h"
#include "os/private_file.h"

#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static char name[PLAIT__NAME_BYTES + 1];

static void make_name(void)
{
    /* as long as can be */
    snprintf(name, sizeof name, "%064d", (int)getpid());
}

static pid_t start(void (*fn)(void))
{
    int ends[2];
    char byte;
    pid_t pid;

    CHECK_INT(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        fn();
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

static void lock(void)
{
    CHECK_INT(plait__os_name_lock(name), 0);
}

static void nothing(void)
{
}

TEST(one_process_has_the_name_until_it_ends)
{
    make_name();
    pid_t other = start(lock);
    CHECK_INT(plait__os_name_lock(name), -EAGAIN);
    name[0] = 'x'; /* another one */
    CHECK_INT(plait__os_name_lock(name), 0);
    plait__os_name_unlock();
    name[0] = '0';
    end(other);
    CHECK_INT(plait__os_name_lock(name), 0);
    plait__os_name_unlock();
    CHECK_INT(plait__os_name_lock(name), 0);
}

TEST(a_child_that_was_forked_meanwhile_does_not_keep_it)
{
    make_name();
    lock();
    pid_t child = start(nothing);
    plait__os_name_unlock();
    CHECK_INT(plait__os_name_lock(name), 0);
    plait__os_name_unlock();
    end(child);
}

static void *lock_again_and_again(void *arg)
{
    int rc;

    while (!__atomic_load_n((int *)arg, __ATOMIC_RELAXED)) {
        rc = plait__os_name_lock(name);
        CHECK(rc == 0 || rc == -EAGAIN); /* a fork is no error */
        if (rc == 0)
            plait__os_name_unlock();
    }
    return NULL;
}

TEST_LIMIT(nor_does_one_that_was_forked_at_any_other_moment, 60)
{
    pid_t children[16];

    make_name();
    lock(); /* from now on forks are seen */
    plait__os_name_unlock();
    for (int round = 0; round < 10; round++) {
        int is_over = 0, rc;
        pthread_t thread;
        CHECK_INT(pthread_create(&thread, NULL, lock_again_and_again, &is_over), 0);
        for (int i = 0; i < 16; i++) {
            usleep(200);
            children[i] = fork();
            while (children[i] == 0)
                pause();
        }
        __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
        CHECK_INT(pthread_join(thread, NULL), 0);
        while ((rc = plait__os_name_lock(name)) == -EAGAIN)
            usleep(1000); /* the last child has not got so far yet */
        CHECK_INT(rc, 0);
        plait__os_name_unlock();
        for (int i = 0; i < 16; i++)
            end(children[i]);
    }
}

static int count(int look, void *arg)
{
    struct plait__file_id id;

    CHECK_INT(plait__os_file_check(look, &id), 0);
    *(int *)arg += 1;
    return 0;
}

static int stop(int look, void *arg)
{
    count(look, arg);
    return 33;
}

static void make(void)
{
    CHECK(plait__os_memory_make(name) >= 3);
}

TEST(it_is_found_in_all_who_have_it_and_gone_with_the_last)
{
    int n = 0, fd;

    make_name();
    CHECK_INT(plait__os_memory_find(name, count, &n), 0);
    CHECK_INT(n, 0);
    pid_t other = start(make);
    CHECK_INT(plait__os_memory_find(name, count, &n), 0);
    CHECK_INT(n, 1);
    fd = plait__os_memory_make(name);
    n = 0;
    CHECK_INT(plait__os_memory_find(name, count, &n), 0);
    CHECK_INT(n, 2);
    n = 0;
    CHECK_INT(plait__os_memory_find(name, stop, &n), 33);
    CHECK_INT(n, 1);
    end(other);
    close(fd);
    n = 0;
    CHECK_INT(plait__os_memory_find(name, count, &n), 0);
    CHECK_INT(n, 0);
}

TEST(a_name_that_is_a_part_of_another_is_not_that_one)
{
    int n = 0, fd;

    make_name();
    fd = plait__os_memory_make(name);
    name[PLAIT__NAME_BYTES - 1] = '\0';
    CHECK_INT(plait__os_memory_find(name, count, &n), 0);
    CHECK_INT(plait__os_memory_find("", count, &n), 0);
    CHECK_INT(n, 0);
    close(fd);
}

TEST(sealed_it_keeps_its_length)
{
    int fd;

    make_name();
    fd = plait__os_memory_make(name);
    CHECK_INT(plait__os_file_reserve(fd, 8192), 0);
    CHECK(!plait__os_memory_is_sealed(fd));
    CHECK_INT(plait__os_memory_seal(fd), 0);
    CHECK(plait__os_memory_is_sealed(fd));
    CHECK(ftruncate(fd, 4096) < 0);
    CHECK(ftruncate(fd, 16384) < 0);
}
