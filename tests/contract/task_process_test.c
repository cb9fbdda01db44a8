/* The contract of tasks, kept by processes; and what only processes promise.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#define KIND      PLAIT_PROCESS
#define KIND_WORD "Process"
#include "task_contract.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

TEST(a_process_that_was_asked_to_end_is_ended_by_sigterm)
{
    prepare();
    plait_task *task = start(stand, NULL);
    CHECK_INT(plait_task_terminate(task), 0);
    plait_outcome end = join(task);
    CHECK_INT(end.kind, PLAIT_SIGNALLED);
    CHECK_INT(end.signal, SIGTERM);
    CHECK_INT(end.code, 0);
    plait_task_destroy(task);
}

TEST(a_process_can_be_killed)
{
    prepare();
    plait_task *task = start(stand, NULL);
    CHECK_INT(plait_task_kill(task), 0);
    CHECK_INT(join(task).signal, SIGKILL);
    CHECK_INT(plait_task_kill(task), 0);
    plait_task_destroy(task);
}

static int call_exit(void *arg)
{
    exit(*(int *)arg);
}

TEST(an_exit_is_not_a_return)
{
    int code = 300;
    plait_task *task = start(call_exit, &code);
    plait_outcome end = join(task);

    CHECK_INT(end.kind, PLAIT_EXITED);
    CHECK_INT(end.code, 300 & 255);
    plait_task_destroy(task);
}

static int use_memory(void *arg)
{
    volatile char *bytes = malloc(16 * 1024 * 1024);

    (void)arg;
    for (size_t i = 0; bytes != NULL && i < 16 * 1024 * 1024; i += 512)
        bytes[i] = 1;
    free((void *)(uintptr_t)bytes);
    return 0;
}

TEST(the_usage_is_told)
{
    plait_task *task = start(use_memory, NULL);
    plait_outcome end = join(task);

    CHECK(end.has_usage);
    CHECK(end.peak_kib >= 16 * 1024);
    CHECK(end.user_ns + end.system_ns > 0);
    plait_task_destroy(task);
}

TEST(the_descriptor_is_readable_once_it_has_ended)
{
    struct pollfd end;

    prepare();
    plait_task *task = start(stand, NULL);
    end = (struct pollfd){ .fd = plait_task_fd(task), .events = POLLIN };
    CHECK(end.fd >= 0);
    CHECK_INT(poll(&end, 1, 0), 0);
    open_gate();
    CHECK_INT(poll(&end, 1, -1), 1);
    CHECK_INT(plait_task_join(task, PLAIT_NOWAIT), 0);
    plait_task_destroy(task);
}

/* From now on stdout is a pipe, fully buffered; its other end. */
static int catch_stdout(void)
{
    int fds[2];

    fflush(stdout);
    CHECK_INT(pipe(fds), 0);
    CHECK_INT(dup2(fds[1], STDOUT_FILENO), STDOUT_FILENO);
    close(fds[1]);
    setvbuf(stdout, NULL, _IOFBF, 4096);
    return fds[0];
}

static int print(void *arg)
{
    fputs(arg, stdout);
    return 0;
}

TEST(what_was_printed_before_is_printed_once_and_what_the_task_prints_too)
{
    char text[64] = "", said[] = "child ";
    int fd = catch_stdout();

    fputs("parent ", stdout);
    plait_task *task = start(print, said);
    CHECK_INT(join(task).kind, PLAIT_RETURNED);
    fputs("parent again", stdout);
    fflush(stdout);
    CHECK(read(fd, text, sizeof text - 1) > 0);
    CHECK_STR(text, "parent child parent again");
    plait_task_destroy(task);
}

static int count = 5; /* each process has its own */

static int change_memory(void *arg)
{
    (void)arg;
    return ++count;
}

TEST(a_process_sees_memory_as_it_was_and_changes_its_own)
{
    plait_task *task = start(change_memory, NULL);

    count = 10;
    CHECK_INT(join(task).code, 6);
    CHECK_INT(count, 10);
    plait_task_destroy(task);
}

static int start_two_below(void *arg)
{
    plait_task *task = start(return_code, arg), *again = start(return_code, arg);
    int code = join(task).code + join(again).code;

    plait_task_destroy(task);
    plait_task_destroy(again);
    return code;
}

TEST(a_process_task_starts_tasks_of_its_own)
{
    int four = 4;
    plait_task *task = start(start_two_below, &four);

    CHECK_INT(join(task).code, 8);
    plait_task_destroy(task);
}

TEST(a_cancel_does_not_reach_into_a_process)
{
    prepare();
    plait_task *task = start(stand, NULL);
    CHECK(!plait_task_is_cancelled());
    CHECK_INT(plait_task_kill(task), 0);
    join(task);
    plait_task_destroy(task);
}

static int is_open(void *arg)
{
    return fcntl(*(int *)arg, F_GETFD) >= 0;
}

static int count_open(void *arg)
{
    int n = 0;

    (void)arg;
    for (int fd = 0; fd < 1000; fd++)
        n += is_open(&fd);
    return n;
}

TEST(starting_and_joining_leaks_no_descriptor)
{
    int before = 0, after = 0;

    for (int i = 0; i < 20; i++) {
        plait_task *task = start(count_open, NULL);
        int inside = join(task).code;
        plait_task_destroy(task);
        after = count_open(NULL);
        if (i == 0)
            before = after;
        CHECK_INT(inside, before - 2); /* without the parent's keeper */
    }
    CHECK_INT(after, before);
}
