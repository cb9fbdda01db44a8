/* The contract of looking inside.
 * SPDX-License-Identifier: MIT
 */
#include "started.h"
#include "test.h"

#include <plait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what was said ---- */

enum {
    LINES = 200,
    LINE_BYTES = 512
};

static struct {
    int n;
    char text[LINES][LINE_BYTES];
} said;

static void note(const char *line, void *arg)
{
    (void)arg;
    if (said.n < LINES)
        snprintf(said.text[said.n++], LINE_BYTES, "%s", line);
}

static void note_log(plait_log_level level, const char *message, void *arg)
{
    if (level == PLAIT_LOG_ERROR)
        note(message, arg);
}

static void listen(void)
{
    CHECK_INT(plait_log_set(note_log, NULL, PLAIT_LOG_ERROR), 0);
}

/* How many lines have both; "" is in all. */
static int count(const char *one, const char *two)
{
    int n = 0;

    for (int i = 0; i < said.n; i++)
        n += strstr(said.text[i], one) != NULL && strstr(said.text[i], two) != NULL;
    return n;
}

/* ---- tasks ---- */

static plait_event later;
static plait_lock lock;

static int hold_for_ever(void *arg)
{
    CHECK_INT(plait_lock_acquire(&lock, PLAIT_FOREVER), 0);
    CHECK_INT(wait_for_ever(arg), 0);
    return plait_lock_release(&lock);
}

static int want_lock(void *arg)
{
    (void)arg;
    CHECK_INT(plait_lock_acquire(&lock, PLAIT_FOREVER), 0);
    return plait_lock_release(&lock);
}

static int join_it(void *arg)
{
    return plait_task_join(arg, PLAIT_FOREVER);
}

/* ---- all asleep ---- */

TEST(when_all_wait_for_ever_the_thread_is_told_and_the_log_names_each)
{
    plait_task *holder;

    listen();
    holder = start(hold_for_ever, NULL, "holder");
    start(want_lock, NULL, "wanter");
    start(join_it, holder, "joiner");
    CHECK_INT(plait_go(wait_for_ever, NULL), 0);
    CHECK_INT(plait_event_wait(&never, PLAIT_FOREVER), -EDEADLK);
    CHECK_INT(said.n, 6);
    CHECK_INT(count("all tasks of thread", "wait"), 1);
    CHECK_INT(count("\"holder\": waits for event", "started at contract-inspect-test+0x"), 1);
    CHECK_INT(count("\"wanter\": waits for lock", "held by task \"holder\""), 1);
    CHECK_INT(count("\"joiner\": waits for the end of task \"holder\"", "since 0."), 1);
    CHECK_INT(count("\"Coroutine-4\": waits for event", "started at contract-inspect-test+0x"), 1);
    end_all();
}

TEST(it_is_told_again_only_when_somebody_has_run_since)
{
    listen();
    start(wait_for_ever, NULL, NULL);
    CHECK_INT(plait_event_wait(&never, PLAIT_FOREVER), -EDEADLK);
    CHECK_INT(plait_event_wait(&never, plait_after_ms(100)), -ETIMEDOUT);
    CHECK_INT(count("all tasks of thread", ""), 1);
    start(wait_for_ever, NULL, NULL);
    CHECK_INT(plait_event_wait(&never, PLAIT_FOREVER), -EDEADLK);
    CHECK_INT(count("all tasks of thread", ""), 2);
    end_all();
}

TEST(it_is_told_also_when_the_first_coroutine_was_started_in_a_scope)
{
    plait_scope scope;

    listen();
    CHECK_INT(plait_scope_enter(&scope, plait_after_ms(60000)), 0);
    start(wait_for_ever, NULL, NULL);
    plait_scope_leave(&scope);
    CHECK_INT(plait_event_wait(&never, PLAIT_FOREVER), -EDEADLK);
    CHECK_INT(count("all tasks of thread", "wait"), 1);
    end_all();
}

TEST(who_goes_on_waiting_is_told_once)
{
    char text[65536];
    size_t len = 0;
    ssize_t n;
    int fds[2];
    pid_t pid;

    CHECK_INT(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        start(wait_for_ever, NULL, NULL);
        CHECK_INT(plait_event_wait(&never, PLAIT_FOREVER), -EDEADLK);
        plait_event_wait(&never, PLAIT_FOREVER);
        _exit(0);
    }
    CHECK_INT(plait_sleep(plait_after_ms(400)), 0);
    kill(pid, SIGKILL);
    close(fds[1]);
    while (len < sizeof text - 1 && (n = test_read(fds[0], text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    CHECK_INT(test_waitpid(pid, NULL, 0), pid);
    if (len > 0) { /* else it was too slow for us */
        char *first = strstr(text, "all tasks of thread");
        CHECK(first != NULL);
        CHECK(strstr(first + 1, "all tasks of thread") == NULL);
    }
}

TEST(the_thread_may_go_on_by_what_it_does_itself)
{
    plait_task *task = start(wait_for_ever, NULL, NULL);

    listen();
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), -EDEADLK);
    CHECK_INT(plait_event_set(&never), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    end_all();
}

static int set_later(void *arg)
{
    (void)arg;
    CHECK_INT(plait_sleep(plait_after_ms(200)), 0);
    return plait_event_set(&later);
}

TEST(nothing_is_told_while_another_thread_is_there)
{
    plait_task *thread = NULL;

    listen();
    CHECK_INT(plait_task_start(&thread, PLAIT_THREAD, set_later, NULL, NULL), 0);
    start(wait_for_ever, NULL, NULL);
    CHECK_INT(plait_event_wait(&later, PLAIT_FOREVER), 0);
    CHECK_INT(said.n, 0);
    end_all();
    plait_task_join(thread, PLAIT_FOREVER);
    plait_task_destroy(thread);
}

TEST(nothing_is_told_while_a_timer_runs)
{
    listen();
    CHECK_INT(plait_go(set_later, NULL), 0);
    start(wait_for_ever, NULL, NULL);
    CHECK_INT(plait_event_wait(&later, PLAIT_FOREVER), 0);
    CHECK_INT(said.n, 0);
    end_all();
}

static int read_pipe(void *arg)
{
    plait_waitable on;
    char byte;

    plait_on_fd(&on, *(int *)arg, PLAIT_READABLE);
    CHECK_INT(plait_select(&on, 1, PLAIT_FOREVER), 0);
    CHECK_INT(read(*(int *)arg, &byte, 1), 1);
    return plait_event_set(&later);
}

TEST(nothing_is_told_while_a_descriptor_is_waited_for)
{
    int fds[2];
    pid_t pid;

    listen();
    CHECK_INT(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        usleep(200 * 1000);
        _exit(write(fds[1], "x", 1) == 1 ? 0 : 1);
    }
    CHECK_INT(plait_go(read_pipe, fds), 0);
    CHECK_INT(plait_event_wait(&later, PLAIT_FOREVER), 0);
    CHECK_INT(said.n, 0);
}

/* ---- dumps ---- */

TEST(a_dump_names_each_task_what_it_waits_for_and_its_stack)
{
    listen();
    start(hold_for_ever, NULL, "holder");
    start(want_lock, NULL, "wanter");
    CHECK_INT(plait_sleep(plait_after_ms(20)), 0);
    CHECK_INT(plait_go(wait_for_ever, NULL), 0);
    CHECK_INT(plait_dump(note, NULL, PLAIT_FOREVER), 0);
    CHECK_INT(count("thread ", ": runs"), 1);
    CHECK_INT(count("\"holder\": waits for event", "started at"), 1);
    CHECK_INT(count("\"wanter\": waits for lock", "held by task \"holder\""), 1);
    CHECK_INT(count("1 coroutines have not begun", ""), 1);
    CHECK(count("    #0 contract-inspect-test+0x", "") >= 2);
    end_all();
}

static int yield_and_end(void *arg)
{
    plait_yield();
    return arg != NULL;
}

TEST(a_dump_tells_the_last_switches_if_they_are_kept)
{
    CHECK_INT(plait_trace(100), 0);
    start(wait_for_ever, NULL, NULL);
    start(yield_and_end, NULL, NULL);
    plait_yield();
    plait_yield();
    plait_yield();
    CHECK_INT(plait_dump(note, NULL, PLAIT_NOWAIT), 0);
    CHECK_INT(count(" s ago: the thread itself yields, coroutine 1 goes on", ""), 1);
    CHECK_INT(count(" s ago: coroutine 1 waits for event, coroutine 2 goes on", ""), 1);
    CHECK_INT(count(" s ago: coroutine 2 yields, the thread itself goes on", ""), 1);
    CHECK_INT(count(" s ago: coroutine 2 ends, the thread itself goes on", ""), 1);
    said.n = 0;
    CHECK_INT(plait_trace(1), 0);
    CHECK_INT(plait_event_set(&never), 0);
    plait_yield();
    CHECK_INT(plait_dump(note, NULL, PLAIT_NOWAIT), 0);
    CHECK_INT(count(" s ago: ", ""), 1);
    CHECK_INT(count(" s ago: coroutine 1 ends, the thread itself goes on", ""), 1);
    said.n = 0;
    CHECK_INT(plait_trace(0), 0);
    CHECK_INT(plait_dump(note, NULL, PLAIT_NOWAIT), 0);
    CHECK_INT(count(" s ago: ", ""), 0);
    end_all();
}

static int be_elsewhere(void *arg)
{
    start(wait_for_ever, arg, "elsewhere");
    CHECK_INT(plait_event_wait(&later, PLAIT_FOREVER), 0);
    end_all();
    return 0;
}

TEST(a_dump_tells_of_other_threads_that_sleep)
{
    plait_task *thread = NULL;

    CHECK_INT(plait_task_start(&thread, PLAIT_THREAD, be_elsewhere, NULL,
                               &(plait_task_opts){ .name = "other" }),
              0);
    while (count("\"elsewhere\": waits for event", "") == 0) {
        said.n = 0;
        CHECK_INT(plait_dump(note, NULL, PLAIT_FOREVER), 0);
    }
    CHECK_INT(count("task \"other\" (thread ", "waits for event"), 1);
    CHECK_INT(plait_event_set(&later), 0);
    CHECK_INT(plait_task_join(thread, PLAIT_FOREVER), 0);
    said.n = 0;
    CHECK_INT(plait_dump(note, NULL, PLAIT_FOREVER), 0);
    CHECK_INT(said.n, 0);
    plait_task_destroy(thread);
}

static bool may_end; /* atomic */

static int be_busy(void *arg)
{
    (void)arg;
    plait_event_set(&later);
    while (!__atomic_load_n(&may_end, __ATOMIC_ACQUIRE))
        ;
    return 0;
}

static int run_busy_one(void *arg)
{
    CHECK_INT(plait_go(be_busy, arg), 0);
    return 0;
}

TEST(a_dump_says_which_thread_is_busy)
{
    plait_task *thread = NULL;

    CHECK_INT(plait_task_start(&thread, PLAIT_THREAD, run_busy_one, NULL, NULL), 0);
    CHECK_INT(plait_event_wait(&later, PLAIT_FOREVER), 0);
    CHECK_INT(plait_dump(note, NULL, plait_after_ms(50)), 1);
    CHECK_INT(count("busy", "thread "), 1);
    __atomic_store_n(&may_end, true, __ATOMIC_RELEASE);
    CHECK_INT(plait_task_join(thread, PLAIT_FOREVER), 0);
    plait_task_destroy(thread);
}

TEST(a_signal_makes_a_sleeping_thread_dump_to_standard_error)
{
    char text[8192] = "";
    int fds[2];
    ssize_t n;

    CHECK_INT(pipe(fds), 0);
    CHECK_INT(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    CHECK_INT(plait_dump_on_signal(0), -EINVAL);
    CHECK_INT(plait_dump_on_signal(SIGKILL), -EINVAL);
    CHECK_INT(plait_dump_on_signal(SIGQUIT), 0);
    start(wait_for_ever, NULL, "sleeper");
    CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
    CHECK_INT(raise(SIGQUIT), 0);
    CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
    n = read(fds[0], text, sizeof text - 1);
    CHECK(n > 0);
    CHECK(strstr(text, "\"sleeper\": waits for event") != NULL);
    end_all();
}

static void handle(int number)
{
    (void)number;
}

TEST(a_handler_of_the_program_is_left_alone)
{
    signal(SIGQUIT, handle);
    CHECK_INT(plait_dump_on_signal(SIGQUIT), -EBUSY);
}
