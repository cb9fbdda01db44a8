/* Hundreds of starts later nothing has grown: of processes, by each method, and of other programs.
 * SPDX-License-Identifier: MIT
 *
 * PLAIT_STARTS says how many of each.
 */
#include <plait.h>

#include "task/keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/sanitize.h"
#include "size.h"
#include "test.h"

#if defined(PLAIT__ASAN) || defined(PLAIT__TSAN)
#    define HAS_SANITIZER true /* it keeps what is freed */
#else
#    define HAS_SANITIZER false
#endif

enum {
    STARTS = 240,
    MANY = 5000, /* from here on memory is looked at closely */
    SLACK_KIB = 128,
    SHORT_SLACK_KIB = 1024,
    /* of the keeper: it looks for the ended ones of those that it guards when there are some */
    KEEPER_FDS = 40,
    COROUTINES = 4,
    THREADS = 3,
    INPUT_BYTES = 10000
};

void test_begin(int *argc, char ***argv)
{
    plait_init(argc, argv);
}

static void say_nothing(plait_log_level level, const char *message, void *arg)
{
    (void)level;
    (void)message;
    (void)arg;
}

/* ---- what does not grow ---- */

struct size {
    size_t fds, threads, keeper_fds, keeper_children;
    uint64_t blocks;
    long kib, keeper_kib;
};

static struct size measure(void)
{
    plait_shared_usage usage;
    pid_t keeper = plait__keeper_pid();
    struct size size = { .fds = count_entries(getpid(), "fd"),
                         .threads = count_entries(getpid(), "task"),
                         .keeper_fds = count_entries(keeper, "fd"),
                         .keeper_children = count_children(keeper),
                         .kib = resident_kib(getpid()),
                         .keeper_kib = resident_kib(keeper) };

    CHECK_INT(plait_shared_stats(&usage), 0);
    size.blocks = usage.blocks;
    return size;
}

/* When the keeper has reaped the last ones, and the last threads are gone. */
static struct size measure_settled(void)
{
    struct size now = measure();

    while (now.keeper_children > 0 || now.threads > 1) { /* the test has a limit */
        plait_sleep(plait_after_ms(1));
        now = measure();
    }
    return now;
}

static void check_no_growth(const char *name, void (*start_some)(long from, long to))
{
    const char *text = getenv("PLAIT_STARTS");
    long n = text != NULL ? atol(text) : STARTS, slack = n < MANY ? SHORT_SLACK_KIB : SLACK_KIB;
    struct size fresh, early, late;
    struct timespec begin, end;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    plait_log_set(say_nothing, NULL, PLAIT_LOG_ERROR);
    CHECK_INT(plait_keeper_start(), 0);
    fresh = measure();
    start_some(0, n / 3);
    early = measure_settled();
    start_some(n / 3, n);
    late = measure_settled();
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf(
        "starts: %ld of %s; %zu descriptors, %ld KiB early and %ld late; keeper: %zu descriptors, "
        "%ld KiB early and %ld late; %ld s\n",
        n, name, late.fds, early.kib, late.kib, late.keeper_fds, early.keeper_kib, late.keeper_kib,
        (long)(end.tv_sec - begin.tv_sec));
    CHECK_INT(late.fds, early.fds);
    CHECK(late.keeper_fds <= fresh.keeper_fds + KEEPER_FDS);
    CHECK_INT(late.blocks, early.blocks);
    CHECK(HAS_SANITIZER || late.kib <= early.kib + slack);
    CHECK(late.keeper_kib <= early.keeper_kib + slack);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

/* ---- processes ---- */

static plait_start_method method;

static int return_code(void *arg)
{
    return *(const int *)arg;
}

static int exit_with_3(void *arg)
{
    (void)arg;
    exit(3);
}

static int stand(void *arg)
{
    (void)arg;
    for (;;)
        pause();
    return 0;
}

static plait_task *start(plait_task_fn *fn, plait_task_opts opts)
{
    plait_task *task = NULL;
    int code = 42;

    opts.method = method;
    opts.arg_bytes = sizeof code;
    CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, fn, &code, &opts), 0);
    return task;
}

static plait_outcome join(plait_task *task)
{
    plait_outcome end = { 0 };

    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    plait_task_destroy(task);
    return end;
}

static void be_refused(void)
{
    plait_process_opts nowhere = { .directory = "/nonexistent" };
    plait_task_opts opts = { .method = method, .process = &nowhere };
    plait_task *task = NULL;

    CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, stand, NULL, &opts), -ENOENT);
}

static void start_process(long i)
{
    char *const environment[] = { NULL };
    plait_process_opts process = { .in = PLAIT_FD_NULL,
                                   .close_fds = true,
                                   .directory = "/",
                                   .environment = environment,
                                   .new_session = true };
    plait_task *task;

    switch (i % 8) {
    case 0:
        CHECK_INT(join(start(exit_with_3, (plait_task_opts){ 0 })).code, 3);
        break;
    case 1:
        CHECK_INT(join(start(return_code, (plait_task_opts){ .process = &process })).code, 42);
        break;
    case 2:
        be_refused();
        break;
    case 3:
        task = start(stand, (plait_task_opts){ 0 });
        CHECK_INT(plait_task_kill(task), 0);
        CHECK_INT(join(task).signal, SIGKILL);
        break;
    case 4:
        task = start(stand, (plait_task_opts){ 0 });
        CHECK_INT(plait_task_terminate(task), 0);
        CHECK_INT(join(task).signal, SIGTERM);
        break;
    case 5:
        plait_task_destroy(start(stand, (plait_task_opts){ 0 }));
        break;
    default:
        CHECK_INT(join(start(return_code, (plait_task_opts){ .tree = i % 8 == 6 })).code, 42);
    }
}

static void start_processes(long from, long to)
{
    for (long i = from; i < to; i++)
        start_process(i);
}

TEST_LIMIT(processes_that_are_forked_leave_nothing, 60)
{
    method = PLAIT_START_FORK;
    check_no_growth("forked processes", start_processes);
}

TEST_LIMIT(processes_that_are_spawned_leave_nothing, 60)
{
    method = PLAIT_START_SPAWN;
    check_no_growth("spawned processes", start_processes);
}

TEST_LIMIT(processes_that_the_keeper_forks_leave_nothing, 60)
{
    method = PLAIT_START_FORKSERVER;
    check_no_growth("processes forked by the keeper", start_processes);
}

/* ---- other programs ---- */

static const char *const sleeper[] = { "sleep", "60", NULL };

static void run_echo(void)
{
    const char *argv[] = { "echo", "word", NULL };
    plait_run_opts opts = { .capture = true };
    plait_run_result result;

    CHECK_INT(plait_run(argv, &opts, &result, PLAIT_FOREVER), 0);
    CHECK_STR(result.out, "word\n");
    plait_run_result_fini(&result);
}

static void run_fed(size_t max_bytes)
{
    static const char input[INPUT_BYTES];
    const char *argv[] = { "cat", NULL };
    plait_run_opts opts = {
        .capture = true, .input = input, .input_bytes = sizeof input, .max_bytes = max_bytes
    };
    plait_run_result result;

    CHECK_INT(plait_run(argv, &opts, &result, PLAIT_FOREVER), max_bytes == 0 ? 0 : -EMSGSIZE);
    CHECK_INT(result.out_bytes, max_bytes == 0 ? sizeof input : max_bytes);
    plait_run_result_fini(&result);
}

static void run_pipeline(void)
{
    const char *first[] = { "cat", NULL }, *last[] = { "wc", "-c", NULL };
    const char *const *argvs[] = { first, first, last };
    plait_process_opts pipes = { .in = PLAIT_FD_PIPE, .out = PLAIT_FD_PIPE };
    plait_subprocess_opts opts = { .process = &pipes };
    plait_subprocess *p = NULL;

    CHECK_INT(plait_subprocess_start_pipeline(&p, argvs, 3, &opts), 0);
    CHECK_INT(plait_subprocess_communicate(p, "12345", 5, PLAIT_FOREVER), 0);
    CHECK_STR(plait_subprocess_output(p, NULL), "5\n");
    plait_subprocess_destroy(p);
}

static void run_refused(void)
{
    const char *none[] = { "/nonexistent", NULL }, *first[] = { "cat", NULL };
    const char *const *argvs[] = { first, none };
    plait_process_opts nowhere = { .directory = "/etc/passwd" };
    plait_run_opts opts = { .capture = true, .process = &nowhere };
    plait_subprocess *p = NULL;

    CHECK_INT(plait_run(none, NULL, NULL, PLAIT_FOREVER), -ENOENT);
    CHECK_INT(plait_run(first, &opts, NULL, PLAIT_FOREVER), -ENOTDIR);
    CHECK_INT(plait_subprocess_start_pipeline(&p, argvs, 2, NULL), -ENOENT);
}

static void end_running(bool tree, bool waits)
{
    plait_subprocess_opts opts = { .tree = tree };
    plait_subprocess *p = NULL;
    plait_outcome end;

    CHECK_INT(plait_subprocess_start(&p, sleeper, &opts), 0);
    if (waits) {
        CHECK_INT(plait_subprocess_kill(p), 0);
        CHECK_INT(plait_subprocess_wait(p, PLAIT_FOREVER), 0);
        CHECK_INT(plait_subprocess_outcome(p, &end), 0);
        CHECK_INT(end.signal, SIGKILL);
    }
    plait_subprocess_destroy(p);
}

static void run_program(long i)
{
    switch (i % 8) {
    case 0:
        CHECK_INT(plait_run(sleeper, NULL, NULL, plait_after_ms(1)), -ETIMEDOUT);
        break;
    case 1:
        run_fed(i % 16 == 1 ? 0 : 100);
        break;
    case 2:
        run_pipeline();
        break;
    case 3:
        run_refused();
        break;
    case 4:
        end_running(i % 64 == 4, true);
        break;
    case 5:
        end_running(false, false);
        break;
    default:
        run_echo();
    }
}

static struct {
    atomic_long next;
    long end;
} programs;

static int run_programs(void *arg)
{
    long i;

    (void)arg;
    while ((i = atomic_fetch_add(&programs.next, 1)) < programs.end)
        run_program(i);
    return 0;
}

static void run_beside_each_other(plait_kind kind, int n, long end)
{
    plait_task *tasks[COROUTINES];

    programs.end = end;
    for (int i = 0; i < n; i++)
        CHECK_INT(plait_task_start(&tasks[i], kind, run_programs, NULL, NULL), 0);
    for (int i = 0; i < n; i++) {
        CHECK_INT(plait_task_join(tasks[i], PLAIT_FOREVER), 0);
        plait_task_destroy(tasks[i]);
    }
}

/* A third of them by the thread itself, by coroutines and by threads. */
static void start_programs(long from, long to)
{
    long third = (to - from) / 3;

    atomic_store(&programs.next, from);
    programs.end = from + third;
    run_programs(NULL);
    atomic_store(&programs.next, programs.end); /* it was counted once more */
    run_beside_each_other(PLAIT_COROUTINE, COROUTINES, from + 2 * third);
    atomic_store(&programs.next, programs.end);
    run_beside_each_other(PLAIT_THREAD, THREADS, to);
}

TEST_LIMIT(programs_leave_nothing, 60)
{
    check_no_growth("programs, a third by the only thread, by coroutines and by threads",
                    start_programs);
}
