/* Tests of which process is meant, and of the proof that it is dead.
 * SPDX-License-Identifier: MIT
 */
#include "os/identity.h"

#include "os/fd.h"
#include "test.h"
#include "threads.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct plait__identity self;

/* What a child says of itself; then it waits for its end. */
static struct plait__identity start_child(void)
{
    struct plait__identity child;
    int said[2];

    plait__os_identity_of_self(&self);
    CHECK_INT(pipe2(said, O_CLOEXEC), 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        plait__os_identity_of_self(&child);
        CHECK_INT(write(said[1], &child, sizeof child), sizeof child);
        for (;;)
            pause();
    }
    CHECK_INT(read(said[0], &child, sizeof child), sizeof child);
    CHECK_INT(child.pid, pid);
    close(said[0]);
    close(said[1]);
    return child;
}

static void await_end(pid_t pid)
{
    siginfo_t info;

    CHECK_INT(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void reap(pid_t pid)
{
    CHECK_INT(waitpid(pid, NULL, 0), pid);
}

static bool is_dead(const struct plait__identity *who)
{
    return plait__os_identity_is_dead(who, &self);
}

TEST(a_process_lives_until_it_is_killed_whether_reaped_or_not)
{
    struct plait__identity child = start_child();

    CHECK(!is_dead(&child));
    CHECK(!is_dead(&self));
    kill(child.pid, SIGSTOP);
    CHECK(!is_dead(&child));
    kill(child.pid, SIGKILL);
    await_end(child.pid);
    CHECK(is_dead(&child));
    reap(child.pid);
    CHECK(is_dead(&child));
}

static void *outlive_the_first_thread(void *arg)
{
    char byte;

    CHECK_INT(read(*(int *)arg, &byte, 1), 0);
    _exit(0);
}

TEST(a_process_whose_first_thread_alone_has_ended_lives)
{
    struct plait__identity child = { 0 };
    int gate[2];
    pthread_t thread;
    char path[64], state = 0;

    plait__os_identity_of_self(&self);
    CHECK_INT(pipe2(gate, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(gate[1]);
        CHECK_INT(pthread_create(&thread, NULL, outlive_the_first_thread, gate), 0);
        pthread_exit(NULL);
    }
    close(gate[0]);
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    while (state != 'Z') { /* which is what the state of its first thread says */
        FILE *file = fopen(path, "re");
        CHECK(file != NULL);
        CHECK_INT(fscanf(file, "%*d %*s %c", &state), 1);
        fclose(file);
        sched_yield();
    }
    child = (struct plait__identity){ .pid = pid, .namespace = self.namespace };
    CHECK(!is_dead(&child));
    close(gate[1]);
    await_end(pid);
    CHECK(is_dead(&child));
    reap(pid);
}

TEST(who_had_the_pid_of_a_living_process_before_is_dead)
{
    struct plait__identity child = start_child(), before = child;

    before.start--;
    CHECK(is_dead(&before));
    before.start = 0; /* not known: it may be the same */
    CHECK(!is_dead(&before));
    kill(child.pid, SIGKILL);
    reap(child.pid);
}

static int second_id[2];

static void say_thread_id(void *arg)
{
    pid_t id = plait__os_thread_id();

    (void)arg;
    CHECK_INT(write(second_id[1], &id, sizeof id), sizeof id);
    for (;;)
        pause();
}

TEST(who_had_the_pid_that_is_now_a_second_threads_is_dead)
{
    struct plait__identity before = { 0 };

    plait__os_identity_of_self(&self);
    CHECK_INT(pipe(second_id), 0);
    CHECK_INT(start_detached(say_thread_id, NULL, 0), 0);
    CHECK_INT(read(second_id[0], &before.pid, sizeof before.pid), sizeof before.pid);
    before.namespace = self.namespace;
    CHECK(before.pid != getpid());
    CHECK(is_dead(&before));
}

TEST(of_another_namespace_nothing_is_certain)
{
    struct plait__identity child = start_child();

    kill(child.pid, SIGKILL);
    reap(child.pid);
    CHECK(is_dead(&child));
    child.namespace ++;
    CHECK(!is_dead(&child));
    child.namespace = 0;
    CHECK(!is_dead(&child));
}

TEST(a_start_time_of_another_clock_proves_nothing)
{
    struct plait__identity child = start_child();

    child.start += 1000;
    CHECK(is_dead(&child));
    child.clock++;
    CHECK(!is_dead(&child));
    kill(child.pid, SIGKILL);
    await_end(child.pid);
    CHECK(is_dead(&child));
    reap(child.pid);
}

TEST(without_descriptors_the_end_of_a_child_is_certain_all_the_same)
{
    struct plait__identity child = start_child();
    struct rlimit limit;

    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 0;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK(!is_dead(&child));
    kill(child.pid, SIGKILL);
    await_end(child.pid);
    CHECK(is_dead(&child));
    reap(child.pid);
    CHECK(is_dead(&child));
    limit.rlim_cur = before; /* a sanitizer needs some at the end */
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* As _exit, but no leak checker has a last look: it fails where no thread can be made. */
static void leave(int status)
{
    syscall(SYS_exit_group, status);
}

/* In a namespace of its own, where /proc is still the old one's: there its pid is somebody else. */
static void check_inside(void)
{
    struct plait__identity child;

    uint64_t start_outside = self.start;

    CHECK_INT(getpid(), 1);
    child = start_child();
    CHECK(self.start >= start_outside); /* whoever has these numbers there is older */
    CHECK(child.start >= start_outside);
    CHECK(child.pid < 10);
    CHECK(!is_dead(&child));
    kill(child.pid, SIGKILL);
    await_end(child.pid);
    CHECK(is_dead(&child));
    reap(child.pid);
    CHECK(is_dead(&child));
    leave(0);
}

static void enter_namespace(void)
{
    int status;

    if (unshare(CLONE_NEWPID) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
        leave(77);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        check_inside();
    CHECK_INT(waitpid(pid, &status, 0), pid);
    leave(status != 0);
}

TEST(in_a_namespace_with_the_proc_of_another_one_the_living_live)
{
    int status;

    plait__os_identity_of_self(&self);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        enter_namespace();
    CHECK_INT(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        test_skip("no pid namespaces can be made here");
    CHECK_INT(status, 0);
}
