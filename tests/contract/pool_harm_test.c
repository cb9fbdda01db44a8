/* What a job may do to its worker, of which nobody else may take harm: exactly one outcome, and the
 * pool goes on.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#define KIND PLAIT_PROCESS
#include "pool_pids.h"
#include "pool_support.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define HAS_SANITIZER true /* it makes an exit of what a signal would end */
#else
#    define HAS_SANITIZER false
#endif

/* Jobs beside it and behind it are done, each once. */
static void check_pool_works(void)
{
    plait_future *futures[30];

    store(&board->n_left, 0);
    for (long i = 0; i < 30; i++)
        futures[i] = i % 2 ? submit_square(i) : submit(count);
    for (long i = 0; i < 30; i++) {
        if (i % 2)
            check_square(futures[i], i);
        else
            CHECK_INT(end_of(futures[i]).end, PLAIT_JOB_VALUE);
    }
    CHECK_INT(load(&board->n_left), 15);
}

/* A job that stands beside meanwhile has to end as if nothing had happened. */
static plait_result harm(plait_job job)
{
    unsigned n_callbacks = 0;
    plait_result result;

    create_with(2);
    plait_future *beside = submit(stand);
    UNTIL(load(&board->n_entered) == 1);
    result = end_of(submit_job(job));
    check_pool_works();
    open_gate();
    CHECK_INT(end_of(beside).end, PLAIT_JOB_VALUE);
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    CHECK_INT(n_callbacks, 0);
    destroy();
    return result;
}

static plait_result harm_by(plait_pool_fn *fn)
{
    return harm((plait_job){ .fn = fn });
}

static void check_lost(plait_result result, int signal, int code)
{
    CHECK_INT(result.end, PLAIT_JOB_LOST);
    CHECK_INT(result.cause, PLAIT_CAUSE_DEATH);
    CHECK_INT(result.signal, signal);
    CHECK_INT(result.code, code);
    CHECK_INT(result.starts, 1);
    CHECK(result.pid > 0 && result.pid != getpid());
}

/* Of a job that a sanitizer turns into an exit. */
static void check_crashed(plait_result result, int signal)
{
    CHECK_INT(result.end, PLAIT_JOB_LOST);
    CHECK_INT(result.cause, PLAIT_CAUSE_DEATH);
    CHECK(result.signal == signal || (HAS_SANITIZER && result.signal == 0 && result.code != 0));
}

/* ---- ends ---- */

static int call_exit(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    exit(3);
}

TEST(a_job_that_exits_is_lost_with_its_status)
{
    check_lost(harm_by(call_exit), 0, 3);
}

static int call__exit(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    _exit(0);
}

TEST(a_job_that_leaves_without_a_word_is_lost_though_its_status_is_good)
{
    check_lost(harm_by(call__exit), 0, 0);
}

static int call_abort(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    abort();
}

TEST(a_job_that_aborts_is_lost_with_the_signal)
{
    check_crashed(harm_by(call_abort), SIGABRT);
}

static int write_to_nowhere(const void *in, void *out, void *ctx)
{
    static volatile uintptr_t nowhere = 4096;

    (void)in;
    (void)out;
    (void)ctx;
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    *(volatile char *)nowhere = 1; /* NOLINT(performance-no-int-to-ptr) */
    return 0;
}

TEST(a_job_that_crashes_is_lost_with_the_signal)
{
    check_crashed(harm_by(write_to_nowhere), SIGSEGV);
}

static volatile unsigned bottomless = 1;

static unsigned dig(unsigned depth) /* NOLINT(misc-no-recursion): that is what it is for */
{
    volatile unsigned char room[4096];

    room[depth % sizeof room] = (unsigned char)depth;
    return bottomless ? dig(depth + 1) + room[(depth + 7) % sizeof room] : depth;
}

static int overflow_the_stack(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    return dig(0) != 0;
}

TEST(a_job_that_overflows_its_stack_is_lost_with_the_signal)
{
    check_crashed(harm_by(overflow_the_stack), SIGSEGV);
}

static int kill_group(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    return kill(0, SIGKILL);
}

TEST(a_job_that_kills_its_process_group_harms_no_other_worker)
{
    check_lost(harm_by(kill_group), SIGKILL, 0);
}

static int kill_the_keeper(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    kill(getppid(), SIGKILL);
    while (pause() < 0)
        ;
    return 0;
}

TEST(a_job_that_kills_the_keeper_is_lost)
{
    create_with(2);
    plait_result result = end_of(submit(kill_the_keeper));
    CHECK_INT(result.end, PLAIT_JOB_LOST);
    CHECK_INT(result.cause, PLAIT_CAUSE_KEEPER);
    check_pool_works();
    destroy();
}

/* ---- what will not end ---- */

static int loop_deaf(const void *in, void *out, void *ctx)
{
    sigset_t all;

    (void)in;
    (void)out;
    (void)ctx;
    for (int number = 1; number < 32; number++)
        if (number != SIGKILL && number != SIGSTOP)
            signal(number, SIG_IGN);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (volatile int i = 0; i >= 0;)
        ;
    return 0;
}

TEST(a_job_that_blocks_all_signals_and_never_ends_is_ended_by_its_hard_limit)
{
    CHECK_INT(harm((plait_job){ .fn = loop_deaf, .hard_ms = 50 }).end, PLAIT_JOB_EXPIRED);
}

static int stop_itself(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    return raise(SIGSTOP);
}

TEST(a_job_that_stops_itself_is_ended_by_its_hard_limit)
{
    CHECK_INT(harm((plait_job){ .fn = stop_itself, .hard_ms = 50 }).end, PLAIT_JOB_EXPIRED);
}

/* ---- what it leaves to the jobs behind it ---- */

static int block_all_signals(const void *in, void *out, void *ctx)
{
    sigset_t all;

    (void)in;
    (void)out;
    (void)ctx;
    sigfillset(&all);
    return sigprocmask(SIG_BLOCK, &all, NULL);
}

TEST(a_job_may_leave_all_signals_blocked)
{
    CHECK_INT(harm_by(block_all_signals).end, PLAIT_JOB_VALUE);
}

static int close_all_fds(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    for (int fd = 0; fd < 1024; fd++)
        close(fd);
    return 0;
}

TEST(a_job_may_close_all_descriptors)
{
    CHECK_INT(harm_by(close_all_fds).end, PLAIT_JOB_VALUE);
}

static int use_up_all_fds(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 64, 64 });
    while (open("/dev/null", O_RDONLY) >= 0)
        ;
    return 0;
}

TEST(a_job_may_use_up_all_descriptors)
{
    CHECK_INT(harm_by(use_up_all_fds).end, PLAIT_JOB_VALUE);
}

static int go_elsewhere(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    return chdir("/proc/self/fd");
}

TEST(a_job_may_change_the_directory)
{
    char before[4096], after[4096];

    CHECK(getcwd(before, sizeof before) != NULL);
    CHECK_INT(harm_by(go_elsewhere).end, PLAIT_JOB_VALUE);
    CHECK(getcwd(after, sizeof after) != NULL);
    CHECK_STR(after, before);
}

static int fork_and_both_return(const void *in, void *out, void *ctx)
{
    pid_t pid = fork();

    (void)in;
    (void)out;
    (void)ctx;
    if (pid < 0)
        return -errno;
    add(&board->numbers[0]);
    if (pid == 0)
        __atomic_store_n(&board->pids[0], getpid(), __ATOMIC_SEQ_CST);
    else
        UNTIL(load(&board->numbers[0]) == 2);
    return pid == 0 ? 1 : 2;
}

static bool has_ended(pid_t pid)
{
    char path[64], line[512] = "";
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    if (file == NULL)
        return true;
    if (fgets(line, sizeof line, file) == NULL)
        line[0] = '\0';
    fclose(file);
    const char *end = strrchr(line, ')');
    return end == NULL || end[2] == 'Z';
}

TEST(a_job_may_fork_and_return_twice_and_has_one_outcome)
{
    create_with(1);
    plait_result result = end_of(submit(fork_and_both_return));
    CHECK_INT(result.end, PLAIT_JOB_VALUE);
    CHECK_INT(result.code, 2); /* its own; the child is nobody's worker */
    UNTIL(__atomic_load_n(&board->pids[0], __ATOMIC_SEQ_CST) != 0);
    check_pool_works();
    UNTIL(has_ended(__atomic_load_n(&board->pids[0], __ATOMIC_SEQ_CST)));
    destroy();
}

static int fork_one_that_stays(const void *in, void *out, void *ctx)
{
    pid_t pid = fork();

    (void)in;
    (void)out;
    (void)ctx;
    if (pid != 0)
        return pid < 0 ? -errno : 0;
    __atomic_store_n(&board->pids[0], getpid(), __ATOMIC_SEQ_CST);
    while (pause() < 0)
        ;
    return 0;
}

TEST(a_process_that_a_job_left_does_not_hold_up_the_end_of_the_pool)
{
    create_with(1);
    CHECK_INT(end_of(submit(fork_one_that_stays)).end, PLAIT_JOB_VALUE);
    UNTIL(__atomic_load_n(&board->pids[0], __ATOMIC_SEQ_CST) != 0);
    check_pool_works();
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    destroy();
    kill(board->pids[0], SIGKILL);
}

static int print(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    printf("<%u>", add(&board->n_entered));
    return 0;
}

TEST(what_jobs_print_comes_out_once)
{
    static char path[] = "/tmp/plait-pool-XXXXXX";
    char text[1024] = "";
    unsigned seen = 0, number;
    int fd = mkstemp(path);

    CHECK(fd >= 0);
    CHECK_INT(unlink(path), 0);
    CHECK_INT(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
    printf("[owner]"); /* not flushed: it must not come out of every worker */
    create_with(2);
    for (int i = 0; i < 20; i++)
        CHECK_INT(end_of(submit(print)).end, PLAIT_JOB_VALUE);
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    destroy();
    fflush(stdout);
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    CHECK(n > 0);
    for (const char *at = text; *at != '\0'; at = strchr(at, '>') + 1) {
        if (strncmp(at, "[owner]", 7) == 0) {
            CHECK((seen & 1U << 31) == 0);
            seen |= 1U << 31;
            at += 7;
        }
        if (*at == '\0')
            break;
        CHECK_INT(sscanf(at, "<%u>", &number), 1);
        CHECK(number < 20 && (seen & 1U << number) == 0);
        seen |= 1U << number;
    }
    CHECK_INT(seen, (1U << 20) - 1 + (1U << 31));
}

static void note_exit(void)
{
    add(&board->numbers[1]);
}

TEST(the_owners_exit_handlers_are_not_run_by_its_workers)
{
    prepare();
    atexit(note_exit);
    create((plait_pool_opts){ .workers = 2, .max_tasks = 1 });
    for (int i = 0; i < 6; i++)
        CHECK_INT(end_of(submit(count)).end, PLAIT_JOB_VALUE);
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    destroy();
    CHECK_INT(load(&board->numbers[1]), 0);
}

/* ---- memory ---- */

static int eat_memory(const void *in, void *out, void *ctx)
{
    size_t n = 0;

    (void)in;
    (void)out;
    (void)ctx;
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    setrlimit(RLIMIT_AS, &(struct rlimit){ 0, 0 });
    for (char *block; (block = malloc(65536)) != NULL; n++)
        memset(block, 1, 65536);
    return n > 100000 ? -1 : 0; /* the limit bites */
}

TEST(a_job_may_use_up_the_memory_of_its_worker)
{
    if (HAS_SANITIZER)
        test_skip("sanitizers need terabytes of address space");
    CHECK_INT(harm_by(eat_memory).end, PLAIT_JOB_VALUE);
}

static int eat_and_write(plait_task *task, const void *in, size_t n)
{
    int rc;

    setrlimit(RLIMIT_AS, &(struct rlimit){ 0, 0 });
    for (size_t i = 0; i < 10000000; i++)
        if ((rc = plait_task_write(task, in, n)) < 0)
            return 0; /* though its value is not whole */
    return -1;
}

TEST(a_result_that_there_is_no_memory_for_is_no_value)
{
    static char large[65536];

    if (HAS_SANITIZER)
        test_skip("sanitizers need terabytes of address space");
    plait_result result =
        harm((plait_job){ .text_fn = eat_and_write, .in = large, .in_bytes = sizeof large });
    CHECK_INT(result.end, PLAIT_JOB_LOST);
    CHECK_INT(result.cause, PLAIT_CAUSE_MEMORY);
}

static int write_too_much(const void *in, void *out, void *ctx)
{
    int fd = open("/dev/full", O_WRONLY);

    (void)in;
    (void)out;
    (void)ctx;
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 0, 0 });
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    printf("nowhere to go");
    return 0;
}

TEST(a_job_may_leave_an_output_that_is_full)
{
    CHECK_INT(harm_by(write_too_much).end, PLAIT_JOB_VALUE);
}
