/* The contract of being watched: overflows of stacks, how deep they are, and tasks that keep their
 * thread.
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

/* ---- overflows ---- */

static __attribute__((noinline)) int recurse(int depth)
{
    volatile char frame[512];

    frame[0] = (char)depth;
    return depth == 0 ? 0 : recurse(depth - 1) + frame[0];
}

static int overflow(void *arg)
{
    return recurse(*(int *)arg);
}

static int touch_nothing(void *arg)
{
    *(volatile int *)arg = 1;
    return 0;
}

/* Runs that in a child; what it wrote, and how it ended. */
static int in_child(plait_task_fn *fn, void *arg, char *text, size_t cap)
{
    int fds[2], status;
    size_t n = 0;
    ssize_t got;
    pid_t pid;

    CHECK_INT(pipe(fds), 0);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        plait_task *task = NULL;
        dup2(fds[1], STDERR_FILENO);
        plait_name_overflows();
        plait_task_start(&task, PLAIT_COROUTINE, fn, arg, &(plait_task_opts){ .name = "deep" });
        plait_task_join(task, PLAIT_FOREVER);
        _exit(0);
    }
    close(fds[1]);
    while (n < cap - 1 && (got = test_read(fds[0], text + n, cap - 1 - n)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    close(fds[0]);
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    return status;
}

TEST(a_coroutine_that_uses_up_its_stack_is_named_before_the_program_ends)
{
    char text[4096];
    int depth = 100 * 1000, status = in_child(overflow, &depth, text, sizeof text);

    CHECK(status != 0);
    CHECK(strstr(text, "plait: task \"deep\" has used up its stack of ") != NULL);
    CHECK(strstr(text, "started at contract-inspect_watch-test+0x") != NULL);
}

TEST(what_is_no_overflow_is_not_called_one)
{
    char text[4096];
    int status = in_child(touch_nothing, (void *)64, text, sizeof text);

    CHECK(status != 0);
    CHECK(strstr(text, "used up") == NULL);
}

static void leave(int number)
{
    (void)number;
    _exit(42);
}

static int handle_and_overflow(void *arg)
{
    (void)arg;
    return recurse(100 * 1000);
}

TEST(the_handler_that_was_there_comes_next)
{
    struct sigaction action = { .sa_handler = leave, .sa_flags = SA_ONSTACK };
    char text[4096];
    int status;

    CHECK_INT(sigaction(SIGSEGV, &action, NULL), 0);
    status = in_child(handle_and_overflow, NULL, text, sizeof text);
    CHECK(strstr(text, "\"deep\" has used up") != NULL);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 42);
}

/* ---- the watchdog ---- */

enum {
    LINES = 100,
    LINE_BYTES = 512
};

static struct {
    uint32_t n; /* atomic: of whole lines, by the watchdog alone */
    char text[LINES][LINE_BYTES];
} said;

static void note_log(plait_log_level level, const char *message, void *arg)
{
    (void)arg;
    if (level != PLAIT_LOG_WARNING || said.n >= LINES)
        return;
    snprintf(said.text[said.n], LINE_BYTES, "%s", message);
    __atomic_store_n(&said.n, said.n + 1, __ATOMIC_RELEASE);
}

static int count(const char *one, const char *two)
{
    uint32_t n = __atomic_load_n(&said.n, __ATOMIC_ACQUIRE);
    int found = 0;

    for (uint32_t i = 0; i < n; i++)
        found += strstr(said.text[i], one) != NULL && strstr(said.text[i], two) != NULL;
    return found;
}

static int be_busy(void *arg)
{
    plait_deadline after = plait_after_ms(100);

    (void)arg;
    while (count("task \"busy\" keeps thread", "") == 0 || plait_left_ns(after) > 0)
        ;
    return 0;
}

TEST_LIMIT(a_task_that_keeps_its_thread_is_named_once_with_its_stack, 30)
{
    plait_task *task;

    CHECK_INT(plait_log_set(note_log, NULL, PLAIT_LOG_WARNING), 0);
    CHECK_INT(plait_watchdog_start(0), -EINVAL);
    CHECK_INT(plait_watchdog_stop(), -ESRCH);
    CHECK_INT(plait_watchdog_start(10), 0);
    CHECK_INT(plait_watchdog_start(10), -EALREADY);
    task = start(be_busy, NULL, "busy");
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_watchdog_stop(), 0);
    CHECK_INT(count("task \"busy\" keeps thread", "started at contract-inspect_watch-test+0x"), 1);
    CHECK(count("    #0 ", "") >= 1);
    CHECK(count("    #", "contract-inspect_watch-test+0x") >= 1);
    end_all();
}

static int sleep_a_while(void *arg)
{
    (void)arg;
    return plait_sleep(plait_after_ms(300));
}

TEST(who_sleeps_keeps_nobody_and_nobody_is_kept_from_anything_by_a_thread_without_others)
{
    plait_task *task;
    plait_deadline after;

    CHECK_INT(plait_log_set(note_log, NULL, PLAIT_LOG_WARNING), 0);
    task = start(sleep_a_while, NULL, "sleeper");
    CHECK_INT(plait_watchdog_start(50), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_watchdog_stop(), 0);
    CHECK_INT(plait_watchdog_start(5), 0);
    after = plait_after_ms(50);
    while (plait_left_ns(after) > 0) /* the thread itself, and there is no coroutine any more */
        ;
    CHECK_INT(plait_watchdog_stop(), 0);
    CHECK_INT(said.n, 0);
    end_all();
}

TEST(all_asleep_is_told_though_the_watchdog_is_a_thread)
{
    CHECK_INT(plait_log_set(NULL, NULL, PLAIT_LOG_OFF), 0);
    CHECK_INT(plait_watchdog_start(1000), 0);
    start(wait_for_ever, NULL, NULL);
    CHECK_INT(plait_event_wait(&never, PLAIT_FOREVER), -EDEADLK);
    CHECK_INT(plait_watchdog_stop(), 0);
    end_all();
}

/* ---- stacks ---- */

enum {
    DEEP_BYTES = 64 << 10
};

static __attribute__((noinline)) void use_stack(void)
{
    volatile char frame[DEEP_BYTES];

    for (int i = 0; i < DEEP_BYTES; i += 512)
        frame[i] = 1;
    (void)frame[0];
}

static int be_deep(void *arg)
{
    (void)arg;
    use_stack();
    return 0;
}

static int be_flat(void *arg)
{
    (void)arg;
    return 0;
}

static struct {
    int n;
    plait_stack_use uses[10];
} census;

static void note_use(const plait_stack_use *use, void *arg)
{
    (void)arg;
    CHECK(strstr(use->started_at, "contract-inspect_watch-test+0x") != NULL);
    if (census.n < 10)
        census.uses[census.n++] = *use;
}

TEST(a_census_says_how_deep_the_coroutines_of_each_place_were)
{
    CHECK_INT(plait_stack_census_start(), 0);
    for (int i = 0; i < 3; i++) { /* in turn on the same stack */
        CHECK_INT(plait_go(be_deep, NULL), 0);
        plait_yield();
        plait_yield();
        CHECK_INT(plait_go(be_flat, NULL), 0);
        plait_yield();
        plait_yield();
    }
    start(wait_for_ever, NULL, NULL);
    plait_yield();
    CHECK_INT(plait_stack_census(NULL, NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_stack_census(note_use, NULL, PLAIT_NOWAIT), 0);
    CHECK_INT(census.n, 3);
    CHECK_INT(census.uses[0].count, 3);
    CHECK(census.uses[0].used_bytes >= DEEP_BYTES);
    CHECK_INT(census.uses[1].count, 3);
    CHECK(census.uses[1].used_bytes > 0);
    CHECK(census.uses[1].used_bytes < DEEP_BYTES);
    CHECK_INT(census.uses[2].count, 1);
    CHECK(census.uses[2].stack_bytes >= census.uses[2].used_bytes);
    end_all();
}
