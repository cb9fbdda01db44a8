/* Loops inside a foreign loop, and calls from other threads: run once for each back-end.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

enum {
    GUARD_MS = 8000 /* against hanging */
};

static int live; /* of the loop's thread */

static int fd_is_readable(int timeout_ms)
{
    struct pollfd polled = { .fd = plait_loop_fd(), .events = POLLIN };
    int rc;

    CHECK(polled.fd >= 0);
    do
        rc = poll(&polled, 1, timeout_ms);
    while (rc < 0 && errno == EINTR);
    return rc;
}

/* The host's loop: sleeps in its own poll, and nowhere else. */
static void host_until(const int *word, int value)
{
    while (*word != value) {
        int rc = plait_loop_run(PLAIT_NOWAIT);
        CHECK(rc == 0 || rc == -ETIMEDOUT);
        if (*word != value)
            CHECK_INT(fd_is_readable(GUARD_MS), 1);
    }
}

static void go(plait_task_fn *fn, void *arg)
{
    live++;
    CHECK_INT(plait_go(fn, arg), 0);
}

static int sleep_shortly(void *arg)
{
    CHECK_INT(plait_sleep(plait_after_ms(*(int *)arg)), 0);
    live--;
    return 0;
}

TEST(timers_wake_a_host)
{
    int ms[] = { 30, 1, 10, 10, 0 };

    for (size_t i = 0; i < sizeof ms / sizeof *ms; i++)
        go(sleep_shortly, &ms[i]);
    host_until(&live, 0);
}

TEST(a_loop_with_nothing_to_do_does_not_wake_its_host)
{
    int ms = GUARD_MS * 10;
    plait_task *task = NULL;

    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, sleep_shortly, &ms, NULL), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(plait_loop_run(PLAIT_NOWAIT), -ETIMEDOUT);
        CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
    }
    while (fd_is_readable(0) == 1) /* a kick that came too late */
        CHECK_INT(plait_loop_run(PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(fd_is_readable(20), 0);
    _exit(0);
}

static int read_one(void *arg)
{
    plait_waitable on;
    char byte;

    CHECK_INT(plait_on_fd(&on, *(int *)arg, PLAIT_READABLE), 0);
    CHECK_INT(plait_select(&on, 1, PLAIT_FOREVER), 0);
    CHECK_INT(read(*(int *)arg, &byte, 1), 1);
    live--;
    return 0;
}

static int read_count(void *arg)
{
    plait_waitable on;
    eventfd_t n;

    CHECK_INT(plait_on_fd(&on, *(int *)arg, PLAIT_READABLE), 0);
    CHECK_INT(plait_select(&on, 1, PLAIT_FOREVER), 0);
    CHECK_INT(eventfd_read(*(int *)arg, &n), 0);
    live--;
    return 0;
}

static void *raise_late(void *arg)
{
    usleep(3000);
    CHECK_INT(eventfd_write(*(int *)arg, 1), 0);
    return NULL;
}

static void *write_late(void *arg)
{
    usleep(3000);
    CHECK_INT(write(*(int *)arg, "x", 1), 1);
    return NULL;
}

TEST(descriptors_wake_a_host)
{
    int fds[2];
    pthread_t thread;

    CHECK_INT(pipe2(fds, O_NONBLOCK), 0);
    for (int i = 0; i < 20; i++) {
        go(read_one, &fds[0]);
        CHECK_INT(pthread_create(&thread, NULL, write_late, &fds[1]), 0);
        host_until(&live, 0);
        pthread_join(thread, NULL);
    }
}

/* Its writer wakes the loop from within the kernel's code of eventfds, as a kick does. */
TEST(a_counter_that_is_raised_wakes_a_host)
{
    int fd = eventfd(0, EFD_NONBLOCK);
    pthread_t thread;

    CHECK(fd >= 0);
    for (int i = 0; i < 20; i++) {
        go(read_count, &fd);
        CHECK_INT(pthread_create(&thread, NULL, raise_late, &fd), 0);
        host_until(&live, 0);
        pthread_join(thread, NULL);
    }
}

static int await_event(void *arg)
{
    CHECK_INT(plait_event_wait(arg, PLAIT_FOREVER), 0);
    live--;
    return 0;
}

static void *set_late(void *arg)
{
    usleep(3000);
    CHECK_INT(plait_event_set(arg), 0);
    return NULL;
}

TEST(another_thread_wakes_a_host)
{
    static plait_event event;
    pthread_t thread;

    for (int i = 0; i < 20; i++) {
        go(await_event, &event);
        CHECK_INT(pthread_create(&thread, NULL, set_late, &event), 0);
        host_until(&live, 0);
        pthread_join(thread, NULL);
        CHECK_INT(plait_event_clear(&event), 0);
    }
}

static int set_shared(void *arg)
{
    return plait_sleep(plait_after_ms(5)) == 0 ? plait_event_set(arg) : -1;
}

TEST(another_process_wakes_a_host)
{
    plait_event *event = plait_shared_alloc(sizeof *event);
    plait_task *process = NULL;

    CHECK(event != NULL);
    CHECK_INT(plait_task_start(&process, PLAIT_PROCESS, set_shared, event, NULL), 0);
    go(await_event, event);
    host_until(&live, 0);
    plait_task_destroy(process);
}

TEST(what_the_host_starts_and_wakes_itself_makes_the_descriptor_readable)
{
    static plait_event event;
    int zero = 0;

    go(await_event, &event);
    CHECK(plait_loop_fd() >= 0);
    CHECK_INT(plait_loop_run(PLAIT_NOWAIT), -ETIMEDOUT);
    while (fd_is_readable(0) == 1)
        CHECK_INT(plait_loop_run(PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_event_set(&event), 0);
    CHECK_INT(fd_is_readable(GUARD_MS), 1);
    host_until(&live, 0);
    go(sleep_shortly, &zero);
    CHECK_INT(fd_is_readable(GUARD_MS), 1);
    host_until(&live, 0);
}

static int stop;

static int spin(void *arg)
{
    (void)arg;
    while (!stop)
        plait_yield();
    live--;
    return 0;
}

TEST(coroutines_that_are_always_ready_do_not_keep_the_host)
{
    go(spin, NULL);
    go(spin, NULL);
    for (int i = 0; i < 10; i++) {
        CHECK_INT(plait_loop_run(PLAIT_NOWAIT), -ETIMEDOUT);
        CHECK_INT(fd_is_readable(GUARD_MS), 1);
    }
    stop = 1;
    CHECK_INT(plait_loop_run(PLAIT_FOREVER), 0);
    CHECK_INT(live, 0);
}

static int refuse_run(void *arg)
{
    (void)arg;
    CHECK_INT(plait_loop_run(PLAIT_FOREVER), -EDEADLK);
    live--;
    return 0;
}

TEST(a_run_ends_when_none_is_left_or_at_the_deadline)
{
    int ms[] = { 5, 40 };
    int64_t before = plait__os_now_ns();

    CHECK_INT(plait_loop_run(PLAIT_FOREVER), 0);
    go(sleep_shortly, &ms[0]);
    CHECK_INT(plait_loop_run(PLAIT_FOREVER), 0);
    CHECK_INT(live, 0);
    CHECK(plait__os_now_ns() - before >= 5000000);
    go(sleep_shortly, &ms[1]);
    CHECK_INT(plait_loop_run(plait_after_ms(2)), -ETIMEDOUT);
    CHECK_INT(live, 1);
    CHECK_INT(plait_loop_run(PLAIT_FOREVER), 0);
    CHECK_INT(live, 0);
    go(refuse_run, NULL);
    CHECK_INT(plait_loop_run(PLAIT_FOREVER), 0);
    CHECK_INT(live, 0);
}

static int wait_till_cancelled(void *arg)
{
    (void)arg;
    return plait_sleep(PLAIT_FOREVER);
}

static int run_cancelled(void *arg)
{
    (void)arg;
    CHECK_INT(plait_go(wait_till_cancelled, NULL), 0);
    return plait_loop_run(PLAIT_FOREVER);
}

TEST(a_run_is_cancelled)
{
    plait_task *task = NULL;
    plait_outcome end;

    CHECK_INT(plait_task_start(&task, PLAIT_THREAD, run_cancelled, NULL, NULL), 0);
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.kind, PLAIT_CANCELLED);
    plait_task_destroy(task);
}

/* ---- calls ---- */

static pthread_t where;
static plait_event done;

static int note_where(void *arg)
{
    where = pthread_self();
    CHECK(plait_task_kind(plait_task_current()) == PLAIT_COROUTINE);
    CHECK_INT(plait_sleep(plait_after_ms(1)), 0); /* a coroutine: it may wait */
    CHECK_INT(plait_event_set(arg), 0);
    return 0;
}

static plait_loop loop_of_main;

static void *call_main(void *arg)
{
    CHECK_INT(plait_loop_call(loop_of_main, note_where, arg), 0);
    return NULL;
}

TEST(a_call_runs_in_the_other_thread)
{
    pthread_t thread;

    CHECK_INT(plait_loop_current(&loop_of_main), 0);
    for (int i = 0; i < 50; i++) {
        memset(&where, 0, sizeof where);
        CHECK_INT(pthread_create(&thread, NULL, call_main, &done), 0);
        CHECK_INT(plait_event_wait(&done, PLAIT_FOREVER), 0);
        CHECK(pthread_equal(where, pthread_self()));
        pthread_join(thread, NULL);
        CHECK_INT(plait_event_clear(&done), 0);
    }
}

TEST(a_call_wakes_a_host)
{
    pthread_t thread;

    CHECK_INT(plait_loop_current(&loop_of_main), 0);
    CHECK(plait_loop_fd() >= 0);
    CHECK_INT(pthread_create(&thread, NULL, call_main, &done), 0);
    while (!plait_event_is_set(&done)) {
        plait_loop_run(PLAIT_NOWAIT);
        if (!plait_event_is_set(&done))
            CHECK_INT(fd_is_readable(GUARD_MS), 1);
    }
    pthread_join(thread, NULL);
}

enum {
    CALLERS = 4,
    CALLS = 2000
};

static uint32_t counted; /* atomic */

static int count(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&counted, 1, __ATOMIC_RELAXED);
    return 0;
}

static uint32_t accepted; /* atomic */

/* Until the loop has ended. */
static void *call_often(void *arg)
{
    int rc = 0;

    for (int i = 0; i < CALLS && rc == 0; i++) {
        rc = plait_loop_call(*(plait_loop *)arg, count, NULL);
        if (rc == 0)
            __atomic_fetch_add(&accepted, 1, __ATOMIC_RELAXED);
        else
            CHECK_INT(rc, -ESRCH);
    }
    return NULL;
}

static plait_loop target;
static plait_event is_target;

static int be_target(void *arg)
{
    CHECK_INT(plait_loop_current(&target), 0);
    CHECK_INT(plait_event_set(&is_target), 0);
    return plait_sleep(plait_after_ms(*(int *)arg));
}

/* The end of the loop comes in the middle of the calls. */
TEST_LIMIT(what_was_accepted_runs_and_a_loop_that_has_ended_is_said, 60)
{
    for (int round = 0; round < 20; round++) {
        pthread_t threads[CALLERS];
        plait_task *task = NULL;
        int ms = round % 3;

        counted = accepted = 0;
        plait_event_clear(&is_target);
        CHECK_INT(plait_task_start(&task, PLAIT_THREAD, be_target, &ms, NULL), 0);
        CHECK_INT(plait_event_wait(&is_target, PLAIT_FOREVER), 0);
        for (int i = 0; i < CALLERS; i++)
            CHECK_INT(pthread_create(&threads[i], NULL, call_often, &target), 0);
        CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
        plait_task_destroy(task);
        CHECK_INT(plait_loop_call(target, count, NULL), -ESRCH);
        for (int i = 0; i < CALLERS; i++)
            pthread_join(threads[i], NULL);
        CHECK_INT(counted, accepted);
    }
}

TEST(a_child_cannot_call_the_parents_loops)
{
    plait_loop loop = { 0 };
    int status;
    pid_t pid;

    CHECK_INT(plait_loop_call(loop, count, NULL), -EINVAL);
    CHECK_INT(plait_loop_current(NULL), -EINVAL);
    CHECK_INT(plait_loop_current(&loop), 0);
    CHECK_INT(plait_loop_call(loop, NULL, NULL), -EINVAL);
    pid = fork();
    if (pid == 0) {
        bool is_refused = plait_loop_call(loop, count, NULL) == -ESRCH;
        plait_loop own;
        if (!is_refused || plait_loop_current(&own) != 0 || plait_loop_call(own, count, NULL) != 0)
            _exit(1);
        plait_sleep(plait_after_ms(1));
        _exit(counted == 1 ? 0 : 2);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
    CHECK_INT(plait_loop_call(loop, count, NULL), 0);
    CHECK_INT(plait_loop_run(PLAIT_FOREVER), 0);
    CHECK_INT(counted, 1);
}
