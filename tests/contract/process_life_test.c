/* What processes are called, how they end with the program, and what runs in them.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include "test.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static plait_task *start(plait_kind kind, plait_task_fn *fn, void *arg, plait_task_opts opts)
{
    static plait_task
        *kept[16]; /* some are never destroyed: they are not lost, for who looks for leaks */
    static unsigned n;
    plait_task *task = NULL;

    CHECK_INT(plait_task_start(&task, kind, fn, arg, &opts), 0);
    kept[n++ % 16] = task;
    (void)kept;
    return task;
}

static plait_outcome finish(plait_task *task)
{
    plait_outcome end = { 0 };

    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    plait_task_destroy(task);
    return end;
}

static int run(plait_task_fn *fn, void *arg)
{
    plait_outcome end = finish(start(PLAIT_PROCESS, fn, arg, (plait_task_opts){ 0 }));

    CHECK_INT(end.kind, PLAIT_RETURNED);
    return end.code;
}

/* ---- names ---- */

static int is_called(void *arg)
{
    return strcmp(plait_task_name(plait_task_current()), arg) == 0;
}

static int start_beside_threads(void *arg)
{
    return finish(start(PLAIT_PROCESS, is_called, arg, (plait_task_opts){ .with_threads = true }))
        .code;
}

static int name_children(void *arg)
{
    char first[] = "Process-2:1", fourth[] = "Process-2:4";

    if (!is_called(arg) || !run(is_called, first)) /* which makes the keeper */
        return 1;
    /* one with a name of its own has a number all the same, and so have those below it */
    plait_task *task =
        start(PLAIT_PROCESS, is_called, (char[]){ "me" }, (plait_task_opts){ .name = "me" });
    if (finish(task).code != 1)
        return 2;
    char below[] = "Process-2:3:1";
    if (!finish(start(PLAIT_PROCESS, start_beside_threads, below, (plait_task_opts){ .name = "x" }))
             .code)
        return 3;
    /* a thread is no step on the way */
    return finish(start(PLAIT_THREAD, start_beside_threads, fourth, (plait_task_opts){ 0 })).code ==
                   1
               ? 0
               : 4;
}

TEST(a_process_has_the_number_of_each_of_its_ancestors_in_its_name)
{
    char first[] = "Process-1", second[] = "Process-2";

    CHECK_INT(run(is_called, first), 1);
    CHECK_INT(run(name_children, second), 0);
}

static int name_below(void *arg)
{
    char deep[] = "Process-1:1:1";

    (void)arg;
    plait_task *task = start(PLAIT_PROCESS, is_called, deep, (plait_task_opts){ 0 });
    return finish(task).code;
}

static int start_by_the_keeper(void *arg)
{
    plait_task_opts opts = { .method = PLAIT_START_FORKSERVER };

    (void)arg;
    return finish(start(PLAIT_PROCESS, name_below, NULL, opts)).code;
}

TEST(one_that_is_no_fork_knows_its_ancestors_numbers_too)
{
    CHECK_INT(run(start_by_the_keeper, NULL), 1);
}

static int name_deep(void *arg)
{
    int depth = *(int *)arg - 1;

    if (depth > 0)
        return run(name_deep, &depth);
    return is_called((char[]){ "Process-1:1:1:1:1:1:1:1:1:1:1:1" });
}

TEST(a_long_name_is_whole)
{
    int depth = 12;

    CHECK_INT(run(name_deep, &depth), 1);
}

/* ---- tables ---- */

struct account {
    char steps[8];
    int init_code;
};

static void note(struct account *account, char step)
{
    account->steps[strlen(account->steps)] = step;
}

static int open_account(void *arg)
{
    note(arg, 'i');
    return ((struct account *)arg)->init_code;
}

static int use_account(void *arg)
{
    note(arg, 'r');
    return 42;
}

static void close_account(void *arg)
{
    note(arg, 'f');
}

static const plait_task_table table = { .init = open_account,
                                        .run = use_account,
                                        .fini = close_account };

static void check_table(plait_kind kind)
{
    struct account *account = plait_shared_alloc(sizeof *account);
    plait_task_table run_only = { .run = use_account };

    CHECK(account != NULL);
    CHECK_INT(finish(start(kind, NULL, account, (plait_task_opts){ .table = &table })).code, 42);
    CHECK_STR(account->steps, "irf");
    *account = (struct account){ .init_code = -7 };
    CHECK_INT(finish(start(kind, NULL, account, (plait_task_opts){ .table = &table })).code, -7);
    CHECK_STR(account->steps, "i");
    *account = (struct account){ 0 };
    CHECK_INT(finish(start(kind, NULL, account, (plait_task_opts){ .table = &run_only })).code, 42);
    CHECK_STR(account->steps, "r");
}

TEST(a_table_runs_its_functions_in_order_in_each_kind)
{
    for (plait_kind kind = PLAIT_PROCESS; kind <= PLAIT_COROUTINE; kind++)
        check_table(kind);
}

TEST(a_table_without_a_run_or_with_a_function_is_refused)
{
    plait_task *task = NULL;
    plait_task_table empty = { 0 };

    for (plait_kind kind = PLAIT_PROCESS; kind <= PLAIT_COROUTINE; kind++) {
        plait_task_opts none = { .table = &empty }, both = { .table = &table };
        CHECK_INT(plait_task_start(&task, kind, NULL, NULL, &none), -EINVAL);
        CHECK_INT(plait_task_start(&task, kind, use_account, NULL, &both), -EINVAL);
        CHECK_INT(plait_task_start(&task, kind, NULL, NULL, NULL), -EINVAL);
    }
}

/* ---- arguments ---- */

static int sum(void *arg)
{
    const int *numbers = arg;
    plait_sleep(plait_after_ms(1));
    return numbers[0] + numbers[1];
}

TEST(an_argument_of_so_many_bytes_is_the_tasks_own)
{
    for (plait_kind kind = PLAIT_PROCESS; kind <= PLAIT_COROUTINE; kind++) {
        int numbers[2] = { 3, 4 };
        plait_task_opts opts = { .arg_bytes = sizeof numbers };
        plait_task *task = start(kind, sum, numbers, opts);
        numbers[0] = numbers[1] = 100;
        CHECK_INT(finish(task).code, 7);
        CHECK_INT(plait_task_start(&task, kind, sum, NULL, &opts), -EINVAL);
    }
}

/* ---- the end of the program ---- */

struct board {
    int n;
    char order[16];
};

static struct board *board;

static void write_down(char who)
{
    board->order[__atomic_fetch_add(&board->n, 1, __ATOMIC_SEQ_CST)] = who;
}

/* Ends when the daemon is gone. */
static int outlive(void *arg)
{
    while (kill(*(pid_t *)arg, 0) == 0)
        plait_sleep(plait_after_ms(1));
    write_down('p');
    return 0;
}

/* Needs the daemon until its own end. */
static int need(void *arg)
{
    plait_sleep(plait_after_ms(50));
    write_down(kill(*(pid_t *)arg, 0) == 0 ? 't' : '!');
    return 0;
}

static int serve(void *arg)
{
    (void)arg;
    return plait_sleep(PLAIT_FOREVER);
}

static void prepare(void)
{
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(board != MAP_FAILED);
}

TEST(at_exit_threads_are_waited_for_then_daemons_end_then_the_other_processes)
{
    int status;
    pid_t program;

    prepare();
    program = fork();
    CHECK(program >= 0);
    if (program == 0) {
        static pid_t daemon;
        plait_task *server = start(PLAIT_PROCESS, serve, NULL, (plait_task_opts){ .daemon = true });
        daemon = plait_task_id(server);
        start(PLAIT_PROCESS, outlive, &daemon,
              (plait_task_opts){ 0 }); /* the daemon is its elder */
        start(PLAIT_THREAD, need, &daemon, (plait_task_opts){ 0 });
        exit(3);
    }
    CHECK_INT(test_waitpid(program, &status, 0), program);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    CHECK_STR(board->order, "tp");
}

TEST(a_daemon_that_was_started_last_ends_before_the_others_are_waited_for)
{
    int status;
    pid_t program;

    prepare();
    program = fork();
    CHECK(program >= 0);
    if (program == 0) {
        pid_t *shared = plait_shared_alloc(sizeof *shared);
        *shared = getpid(); /* until the daemon is known */
        plait_task *waiter = start(PLAIT_PROCESS, outlive, shared, (plait_task_opts){ 0 });
        *shared =
            plait_task_id(start(PLAIT_PROCESS, serve, NULL, (plait_task_opts){ .daemon = true }));
        CHECK(plait_task_is_alive(waiter));
        exit(3);
    }
    CHECK_INT(test_waitpid(program, &status, 0), program);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    CHECK_STR(board->order, "p");
}

static int hold(void *arg)
{
    (void)!write(*(int *)arg, "r", 1);
    return serve(NULL);
}

static int daemon_with_child(void *arg)
{
    plait_task *child = start(PLAIT_PROCESS, hold, arg, (plait_task_opts){ 0 });

    CHECK(!plait_task_is_daemon(child)); /* it is not inherited */
    CHECK(plait_task_is_daemon(plait_task_current()));
    return serve(NULL);
}

TEST(a_daemon_may_have_children_which_end_with_it)
{
    int life[2], status;
    char byte;
    pid_t program;

    CHECK_INT(pipe(life), 0);
    program = fork();
    CHECK(program >= 0);
    if (program == 0) {
        start(PLAIT_PROCESS, daemon_with_child, &life[1], (plait_task_opts){ .daemon = true });
        CHECK_INT(test_read(life[0], &byte, 1), 1); /* the child is there */
        close(life[1]);
        exit(3);
    }
    CHECK_INT(test_waitpid(program, &status, 0), program);
    close(life[1]);
    CHECK_INT(test_read(life[0], &byte, 1), 0);
}

/* ---- out of memory ---- */

static const char *group; /* a control group of memory, version 1 or 2 */

static bool write_to(const char *file, const char *text)
{
    char path[256];
    FILE *to;
    bool is_written;

    snprintf(path, sizeof path, "%s/%s", group, file);
    to = fopen(path, "we");
    if (to == NULL)
        return false;
    is_written = fputs(text, to) >= 0;
    return fclose(to) == 0 && is_written;
}

static bool enter_small_group(void)
{
    static char path[128];
    const char *above[] = { "/sys/fs/cgroup/memory", "/sys/fs/cgroup" };

    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/plait-test-%d", above[i], (int)getpid());
        group = path;
        if (mkdir(path, 0700) < 0)
            continue;
        if ((write_to("memory.limit_in_bytes", "33554432") || write_to("memory.max", "33554432")) &&
            write_to("cgroup.procs", "0"))
            return true;
        rmdir(path);
    }
    return false;
}

static int use_memory(void *arg)
{
    volatile char *bytes = mmap(NULL, 256 << 20, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (bytes == MAP_FAILED)
        return 1;
    for (size_t i = 0; i < (size_t)256 << 20; i += 4096)
        bytes[i] = *(char *)arg;
    return 0;
}

static void run_out_of_memory(void)
{
    char one[] = "1";

    plait_outcome end = finish(start(PLAIT_PROCESS, use_memory, one, (plait_task_opts){ 0 }));
    CHECK_INT(end.kind, PLAIT_SIGNALLED);
    CHECK_INT(end.signal, SIGKILL);
    CHECK(end.out_of_memory);
    end = finish(start(PLAIT_PROCESS, use_memory, one, (plait_task_opts){ .tree = true }));
    CHECK(end.signal == SIGKILL && end.out_of_memory);
    /* a kill of another's, later, is another matter */
    plait_task *task = start(PLAIT_PROCESS, serve, NULL, (plait_task_opts){ 0 });
    CHECK_INT(kill(plait_task_id(task), SIGKILL), 0);
    end = finish(task);
    CHECK(end.signal == SIGKILL && !end.out_of_memory);
}

TEST(what_the_kernel_kills_for_want_of_memory_says_so)
{
    char path[128];
    int status;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        if (!enter_small_group())
            _exit(77);
        run_out_of_memory();
        exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    snprintf(path, sizeof path, "/sys/fs/cgroup/memory/plait-test-%d", (int)pid);
    for (int i = 0; i < 2;
         i++, snprintf(path, sizeof path, "/sys/fs/cgroup/plait-test-%d", (int)pid))
        while (rmdir(path) < 0 && errno == EBUSY) /* the keeper is on its way out */
            usleep(1000);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        test_skip("no control group of memory can be made here");
    CHECK_INT(status, 0);
}

/* ---- ten thousand starts ---- */

static int count_open(void)
{
    int n = 0;

    for (int fd = 0; fd < 500; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* Bytes that are allocated; 0 where the C library does not say. */
static size_t count_bytes(void)
{
    struct figures {
        size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks,
            keepcost;
    } (*mallinfo2)(void);

    *(void **)&mallinfo2 = dlsym(RTLD_DEFAULT, "mallinfo2");
    return mallinfo2 != NULL ? mallinfo2().uordblks : 0;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void start_some(int n)
{
    char *const environment[] = { NULL };
    int cpu = 0;
    plait_limit limit = { 0, UINT64_MAX, UINT64_MAX };
    plait_process_opts all = { .in = PLAIT_FD_NULL,
                               .err = PLAIT_FD_OUT,
                               .close_fds = true,
                               .keep_fds = &cpu,
                               .n_keep_fds = 1,
                               .directory = "/",
                               .environment = environment,
                               .new_session = true,
                               .limits = &limit,
                               .n_limits = 1 };
    plait_task_opts opts[] = {
        { 0 }, { .process = &all }, { .tree = true }, { .process = &all, .tree = true }
    };

    for (int i = 0; i < n; i++)
        CHECK_INT(finish(start(PLAIT_PROCESS, nothing, NULL, opts[i % 4])).code, 0);
}

/* PLAIT_STARTS=10000 */
TEST_LIMIT(many_starts_leave_nothing_behind, 3600)
{
    const char *starts = getenv("PLAIT_STARTS");
    int n = starts != NULL ? atoi(starts) : 200, fds;
    size_t bytes;

    start_some(50);
    fds = count_open();
    bytes = count_bytes();
    start_some(n);
    CHECK_INT(count_open(), fds);
    CHECK_INT(count_bytes(), bytes);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}
