/* Tests of shared memory and of the page that no child inherits.
 * SPDX-License-Identifier: MIT
 */
#include "os/memory.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static struct plait__shared shared;

static void reserve(size_t least, size_t most)
{
    CHECK_INT(plait__os_shared_reserve(least, most, &shared), 0);
    CHECK(shared.bytes >= least && shared.bytes <= most);
}

static void join(pid_t pid)
{
    int status;

    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

static void set_limit(int resource, rlim_t limit)
{
    struct rlimit both;

    CHECK_INT(getrlimit(resource, &both), 0);
    both.rlim_cur = limit;
    CHECK_INT(setrlimit(resource, &both), 0);
}

/* Bytes of memory behind the file. */
static size_t taken(void)
{
    struct stat status;

    CHECK_INT(fstat(shared.fd, &status), 0);
    return (size_t)status.st_blocks * 512;
}

static void check_shared(void)
{
    CHECK_INT(plait__os_shared_commit(&shared, 0, MIB), 0);
    CHECK(shared.base[0] == 0 && shared.base[MIB - 1] == 0);
    pid_t pid = fork();
    if (pid == 0) {
        shared.base[5] = 'c';
        CHECK_INT(plait__os_shared_commit(&shared, MIB, MIB), 0);
        shared.base[MIB] = 'd';
        syscall(SYS_exit_group, 0); /* a leak checker would need descriptors */
    }
    join(pid);
    CHECK_INT(shared.base[5], 'c');
    CHECK_INT(shared.base[MIB], 'd');
}

TEST(children_share_it_at_the_same_address)
{
    reserve(MIB, (size_t)16 << 30);
    CHECK_INT(shared.bytes, (size_t)16 << 30);
    CHECK(shared.fd >= 3);
    CHECK_INT(fcntl(shared.fd, F_GETFD), FD_CLOEXEC);
    check_shared();
    plait__os_shared_release(&shared);
    CHECK_INT(fcntl(shared.fd, F_GETFD), -1);
}

TEST(it_keeps_clear_of_the_standard_descriptors)
{
    close(0);
    reserve(MIB, 2 * MIB);
    CHECK(shared.fd >= 3);
    CHECK_INT(fcntl(0, F_GETFD), -1);
}

TEST(addresses_take_no_memory_before_they_are_committed_and_none_afterwards)
{
    reserve(MIB, 1024 * MIB);
    CHECK_INT(taken(), 0);
    CHECK_INT(plait__os_shared_commit(&shared, 8 * MIB, 4 * MIB), 0);
    CHECK_INT(taken(), 4 * MIB);
    memset(shared.base + 8 * MIB, 'x', 4 * MIB);
    CHECK_INT(taken(), 4 * MIB);
    CHECK_INT(plait__os_shared_decommit(&shared, 9 * MIB, 2 * MIB), 0);
    CHECK_INT(taken(), 2 * MIB);
    CHECK_INT(plait__os_shared_commit(&shared, 8 * MIB, 4 * MIB), 0);
    CHECK_INT(shared.base[9 * MIB - 1], 'x');
    CHECK_INT(shared.base[9 * MIB], 0);
    CHECK_INT(shared.base[11 * MIB - 1], 0);
    CHECK_INT(shared.base[11 * MIB], 'x');
}

/* As the heap does it, one extent after the other. */
static void extend(size_t bytes)
{
    size_t extent = 0;

    CHECK_INT(plait__os_shared_extend(&shared, bytes, &extent), 0);
    CHECK(extent >= bytes && extent <= shared.bytes);
}

TEST(it_grows_as_far_as_it_reaches)
{
    size_t extent = 7;

    reserve(MIB, 1024 * MIB);
    CHECK_INT(plait__os_shared_commit(&shared, 127 * MIB, MIB), 0);
    extend(MIB);
    extend(129 * MIB);
    CHECK_INT(plait__os_shared_commit(&shared, 128 * MIB, MIB), 0);
    shared.base[128 * MIB] = 'x';
    extend(1024 * MIB);
    CHECK_INT(shared.base[128 * MIB], 'x');
    CHECK_INT(plait__os_shared_commit(&shared, 1023 * MIB, MIB), 0);
    shared.base[1024 * MIB - 1] = 'x';
    CHECK_INT(taken(), 3 * MIB);
    reserve(MIB, 1024 * MIB);
    set_limit(RLIMIT_FSIZE, 200 * MIB);
    extend(129 * MIB);
    CHECK_INT(plait__os_shared_extend(&shared, 201 * MIB, &extent), -ENOMEM);
    close(shared.fd);
    CHECK_INT(plait__os_shared_extend(&shared, 140 * MIB, &extent), -ENOMEM);
    CHECK_INT(extent, 7);
}

TEST(who_locks_all_its_memory_does_not_lock_what_is_not_there)
{
    reserve(MIB, (size_t)16 << 30);
    if (mlockall(MCL_CURRENT) < 0)
        test_skip("no memory can be locked here");
    CHECK(taken() <= 128 * MIB);
    extend(256 * MIB);
    CHECK_INT(plait__os_shared_commit(&shared, 200 * MIB, MIB), 0);
    CHECK(taken() <= 256 * MIB);
}

TEST(locked_memory_is_given_back_too)
{
    reserve(MIB, 2 * MIB);
    CHECK_INT(plait__os_shared_commit(&shared, 0, 65536), 0);
    if (mlock(shared.base, 65536) < 0)
        test_skip("no memory can be locked here");
    shared.base[0] = 'x';
    CHECK_INT(plait__os_shared_decommit(&shared, 0, 65536), 0);
    CHECK_INT(shared.base[0], 0);
}

TEST(without_descriptors_it_has_no_file)
{
    struct rlimit limit;

    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    set_limit(RLIMIT_NOFILE, 0);
    reserve(MIB, 64 * MIB);
    CHECK_INT(shared.fd, -1);
    CHECK_INT(shared.bytes, 64 * MIB);
    check_shared();
    CHECK_INT(plait__os_shared_decommit(&shared, 0, MIB), 0);
    CHECK_INT(shared.base[5], 0);
    plait__os_shared_release(&shared);
    set_limit(RLIMIT_NOFILE, limit.rlim_cur); /* a sanitizer needs some at the end */
}

TEST(where_files_must_be_small_it_is_smaller_or_has_none)
{
    set_limit(RLIMIT_FSIZE, 20 * MIB);
    reserve(16 * MIB, 64 * MIB);
    CHECK_INT(shared.bytes, 16 * MIB);
    CHECK(shared.fd >= 3);
    set_limit(RLIMIT_FSIZE, 0); /* concerns it no more */
    check_shared();
    reserve(16 * MIB, 64 * MIB);
    CHECK_INT(shared.bytes, 64 * MIB);
    CHECK_INT(shared.fd, -1);
    check_shared();
}

TEST(it_takes_a_quarter_of_the_address_space_at_most)
{
    if (getenv("PLAIT_SLOW") != NULL && strcmp(getenv("PLAIT_SLOW"), "1") != 0)
        test_skip("sanitizers need terabytes of address space");
    set_limit(RLIMIT_AS, 256 * MIB);
    reserve(MIB, (size_t)64 << 30);
    CHECK_INT(shared.bytes, 64 * MIB);
    shared.bytes = 0;
    CHECK_INT(plait__os_shared_reserve(512 * MIB, 1024 * MIB, &shared), -ENOMEM);
    CHECK_INT(shared.bytes, 0);
}

TEST(it_is_small_and_without_an_end_where_valgrind_looks_at_each_page)
{
    CHECK_INT(setenv("LD_PRELOAD", "/usr/libexec/valgrind/vgpreload_core-amd64-linux.so", 1), 0);
    reserve(MIB, (size_t)64 << 30);
    CHECK_INT(shared.bytes, 128 * MIB);
    CHECK_INT(plait__os_shared_commit(&shared, 127 * MIB, MIB), 0);
}

TEST(a_closed_descriptor_stops_no_commit_and_another_file_is_left_alone)
{
    struct stat before, after;
    int other = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    reserve(MIB, 64 * MIB);
    close(shared.fd);
    check_shared();
    if (other >= 0) { /* a file system that has such files */
        CHECK_INT(fstat(other, &before), 0);
        CHECK_INT(dup2(other, shared.fd), shared.fd);
        CHECK_INT(plait__os_shared_commit(&shared, 2 * MIB, MIB), 0);
        shared.base[2 * MIB] = 'x';
        CHECK_INT(fstat(other, &after), 0);
        CHECK_INT(after.st_blocks, before.st_blocks);
    }
}

TEST(what_cannot_be_written_is_no_memory)
{
    reserve(MIB, 64 * MIB);
    close(shared.fd);
    CHECK_INT(mprotect(shared.base, MIB, PROT_READ), 0);
    CHECK_INT(plait__os_shared_commit(&shared, 0, MIB), -ENOMEM);
}

static void do_nothing(int signal)
{
    (void)signal;
}

TEST(a_storm_of_signals_stops_no_commit)
{
    struct itimerval often = { .it_interval = { .tv_usec = 200 }, .it_value = { .tv_usec = 200 } };
    struct sigaction action = { .sa_handler = do_nothing };

    reserve(MIB, 256 * MIB);
    extend(256 * MIB);
    CHECK_INT(sigaction(SIGALRM, &action, NULL), 0);
    CHECK_INT(setitimer(ITIMER_REAL, &often, NULL), 0);
    CHECK_INT(plait__os_shared_commit(&shared, 0, 256 * MIB), 0);
    CHECK_INT(plait__os_shared_decommit(&shared, 0, 256 * MIB), 0);
    close(shared.fd);
    CHECK_INT(plait__os_shared_commit(&shared, 0, 64 * MIB), 0);
}

TEST(the_page_of_this_process_is_zero_in_each_child)
{
    char *page = plait__os_page_of_this_process();

    CHECK(page != NULL);
    CHECK(page[0] == 0 && page[4095] == 0);
    memset(page, 'x', 4096);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(page[0] == 0 && page[4095] == 0);
        page[0] = 'y';
        pid = fork();
        if (pid == 0) {
            CHECK_INT(page[0], 0);
            _exit(0);
        }
        join(pid);
        CHECK_INT(page[0], 'y');
        _exit(0);
    }
    join(pid);
    CHECK(page[0] == 'x' && page[4095] == 'x');
    plait__os_page_free(page);
}
