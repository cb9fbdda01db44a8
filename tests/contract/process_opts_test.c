/* What a process task begins with: each option is seen by the task, and what is wrong is said.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    NOBODY = 65534 /* a user, and a group */
};

static char said[256]; /* the last message of plait's log */

static void keep_message(plait_log_level level, const char *message, void *arg)
{
    (void)level;
    (void)arg;
    snprintf(said, sizeof said, "%s", message);
}

static int try_start(plait_task **ret, plait_task_fn *fn, void *arg,
                     const plait_process_opts *process)
{
    plait_task_opts opts = { .process = process };

    return plait_task_start(ret, PLAIT_PROCESS, fn, arg, &opts);
}

static int run(plait_task_fn *fn, void *arg, const plait_process_opts *process)
{
    plait_task *task = NULL;
    plait_outcome end;

    CHECK_INT(try_start(&task, fn, arg, process), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.kind, PLAIT_RETURNED);
    plait_task_destroy(task);
    return end.code;
}

/* Nothing is started, and the log says at which step that was. */
static void refuse(const plait_process_opts *process, int error, const char *step)
{
    plait_task *task = NULL;

    plait_log_set(keep_message, NULL, PLAIT_LOG_WARNING);
    said[0] = '\0';
    CHECK_INT(try_start(&task, (plait_task_fn *)puts, NULL, process), error);
    CHECK(task == NULL);
    CHECK_INT(plait_task_children(NULL, 0), 0);
    if (strstr(said, step) == NULL)
        test_fail(__FILE__, __LINE__, "the log says: %s", said);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static int answer(void *arg)
{
    return *(int *)arg;
}

TEST(no_option_is_as_none_at_all)
{
    CHECK_INT(run(answer, &(int){ 5 }, &(plait_process_opts){ 0 }), 5);
}

/* ---- directory, environment ---- */

static int is_at(void *arg)
{
    char path[256];

    return getcwd(path, sizeof path) != NULL && strcmp(path, arg) == 0;
}

TEST(the_directory_is_that_of_the_task_alone)
{
    char usr[] = "/usr", tmp[] = "/tmp";

    CHECK_INT(chdir("/tmp"), 0);
    CHECK_INT(run(is_at, usr, &(plait_process_opts){ .directory = "/usr" }), 1);
    CHECK_INT(is_at(tmp), 1);
}

TEST(a_directory_that_is_not_there_is_said)
{
    refuse(&(plait_process_opts){ .directory = "/nonexistent" }, -ENOENT, "chdir");
    refuse(&(plait_process_opts){ .directory = "/dev/null" }, -ENOTDIR, "chdir");
    CHECK_INT(run(answer, &(int){ 3 }, NULL), 3);
}

static int has_only(void *arg)
{
    const char *a = getenv("A");
    int status;

    (void)arg;
    if (a == NULL || strcmp(a, "b c") != 0 || getenv("PATH") != NULL)
        return 1;
    setenv("D", "e", 1);                         /* and may change it */
    status = system("test \"$A,$D\" = 'b c,e'"); /* NOLINT(cert-env33-c): a test */
    return WEXITSTATUS(status);
}

TEST(the_environment_is_the_whole_of_it)
{
    char *const environment[] = { (char[]){ "A=b c" }, NULL };

    CHECK_INT(run(has_only, NULL, &(plait_process_opts){ .environment = environment }), 0);
    CHECK(getenv("A") == NULL);
}

/* ---- groups and sessions ---- */

static int describe_group(void *arg)
{
    (void)arg;
    return (getpgrp() == getpid()) + 2 * (getsid(0) == getpid());
}

TEST(a_group_and_a_session_of_its_own)
{
    CHECK_INT(run(describe_group, NULL, &(plait_process_opts){ 0 }), 0);
    CHECK_INT(run(describe_group, NULL, &(plait_process_opts){ .new_group = true }), 1);
    CHECK_INT(run(describe_group, NULL, &(plait_process_opts){ .new_session = true }), 3);
    CHECK_INT(
        run(describe_group, NULL, &(plait_process_opts){ .new_session = true, .new_group = true }),
        3);
}

/* ---- descriptors ---- */

static int copy_through(void *arg)
{
    char byte = 0;

    (void)arg;
    if (test_read(0, &byte, 1) != 1)
        return 1;
    fprintf(stdout, "out %c", byte);
    fflush(stdout);
    return write(2, "err", 3) != 3;
}

static const char *read_all(int fd)
{
    static char text[128];
    ssize_t n = test_read(fd, text, sizeof text - 1);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

TEST(in_out_and_err_are_what_was_said)
{
    int in[2], out[2], err[2];

    CHECK(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
    CHECK_INT(write(in[1], "x", 1), 1);
    CHECK_INT(
        run(copy_through, NULL, &(plait_process_opts){ .in = in[0], .out = out[1], .err = err[1] }),
        0);
    CHECK_STR(read_all(out[0]), "out x");
    CHECK_STR(read_all(err[0]), "err");
    CHECK_INT(write(in[1], "y", 1), 1);
    CHECK_INT(run(copy_through, NULL,
                  &(plait_process_opts){ .in = in[0], .out = out[1], .err = PLAIT_FD_OUT }),
              0);
    CHECK_STR(read_all(out[0]), "out yerr");
}

/* Into each other: standard error becomes output, output becomes error. */
TEST(standard_descriptors_may_change_places)
{
    int out[2], err[2];

    CHECK(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
    CHECK(dup2(out[1], 1) == 1 && dup2(err[1], 2) == 2 && dup2(out[0], 0) == 0);
    CHECK_INT(write(1, "z", 1), 1);
    CHECK_INT(run(copy_through, NULL, &(plait_process_opts){ .out = 2, .err = 1 }), 0);
    CHECK_STR(read_all(err[0]), "out z");
    CHECK_STR(read_all(out[0]), "err");
}

static int reads_nothing(void *arg)
{
    char byte;

    (void)arg;
    return test_read(0, &byte, 1) == 0 && write(1, "x", 1) == 1 ? 0 : 1;
}

TEST(dev_null_ends_at_once_and_takes_all)
{
    CHECK_INT(run(reads_nothing, NULL,
                  &(plait_process_opts){ .in = PLAIT_FD_NULL, .out = PLAIT_FD_NULL }),
              0);
}

static int count_open(void *arg)
{
    int n = 0;

    (void)arg;
    for (int fd = 0; fd < 200; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static int is_open_at(void *arg)
{
    return fcntl(*(int *)arg, F_GETFD) >= 0;
}

static void check_closing(void)
{
    int high = fcntl(0, F_DUPFD, 150), low = fcntl(0, F_DUPFD, 20);
    int keep[] = { high, low, 1, high };
    plait_process_opts process = { .close_fds = true };
    int least = run(count_open, NULL, &process);

    CHECK(high >= 150 && low >= 20);
    CHECK(least == 3 || least == 4); /* the memory of plait's heap is a descriptor */
    process.keep_fds = keep;
    process.n_keep_fds = 4;
    CHECK_INT(run(count_open, NULL, &process), least + 2);
    CHECK_INT(run(is_open_at, &high, &process), 1);
    CHECK_INT(run(is_open_at, &low, &process), 1);
    CHECK(is_open_at(&high));
}

TEST(all_others_are_closed_but_those_that_are_kept)
{
    check_closing();
}

TEST(all_others_are_closed_without_close_range_too)
{
    setenv("PLAIT_DISABLE", "close_range", 1);
    check_closing();
}

static int use_heap(void *arg)
{
    int *shared = arg, *more = plait_shared_alloc(sizeof *more);
    plait_task *task = NULL;

    if (more == NULL || plait_task_start(&task, PLAIT_PROCESS, answer, shared, NULL) < 0)
        return 1;
    plait_task_join(task, PLAIT_FOREVER);
    plait_task_destroy(task);
    ++*shared;
    return 0;
}

TEST(the_heap_stays_and_tasks_can_be_started_where_all_is_closed)
{
    int *shared = plait_shared_alloc(sizeof *shared);

    CHECK(shared != NULL);
    CHECK_INT(run(use_heap, shared, &(plait_process_opts){ .close_fds = true }), 0);
    CHECK_INT(*shared, 1);
}

static int sleep_long(void *arg)
{
    (void)arg;
    return plait_sleep(PLAIT_FOREVER);
}

/* With descriptors of its own at all numbers that its parent had. */
static int destroy_inherited(void *arg)
{
    plait_task **tasks = arg;
    int before;

    for (int i = 0; i < 40; i++)
        if (dup(0) < 0)
            return -1;
    before = count_open(NULL);
    plait_task_destroy(tasks[0]);
    plait_task_destroy(tasks[1]);
    return before - count_open(NULL);
}

TEST(a_handle_of_the_parents_closes_nothing_where_all_is_closed)
{
    const plait_task_opts tree = { .tree = true };
    plait_task *tasks[2];

    CHECK_INT(plait_task_start(&tasks[0], PLAIT_PROCESS, sleep_long, NULL, NULL), 0);
    CHECK_INT(plait_task_start(&tasks[1], PLAIT_PROCESS, sleep_long, NULL, &tree), 0);
    CHECK_INT(run(destroy_inherited, tasks, &(plait_process_opts){ .close_fds = true }), 0);
    CHECK(plait_task_is_alive(tasks[0]) && plait_task_is_alive(tasks[1]));
    plait_task_destroy(tasks[0]);
    plait_task_destroy(tasks[1]);
}

/* ---- limits, niceness, CPUs ---- */

static int open_many(void *arg)
{
    int n = 0;

    (void)arg;
    while (n < 100 && dup(0) >= 0)
        n++;
    return n;
}

static int write_much(void *arg)
{
    static char bytes[8192];
    int fd = memfd_create("test", MFD_CLOEXEC);

    (void)arg;
    signal(SIGXFSZ, SIG_IGN);
    return fd >= 0 && write(fd, bytes, sizeof bytes) == 4096 && write(fd, bytes, 1) < 0 &&
                   errno == EFBIG
               ? 0
               : 1;
}

static int raise_limit(void *arg)
{
    struct rlimit limit = { 100, 100 };

    (void)arg;
    return setrlimit(RLIMIT_NOFILE, &limit) < 0 && errno == EPERM ? 0 : 1;
}

static void run_as_nobody(void (*fn)(void))
{
    int status;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        if (getuid() == 0 && (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
            _exit(2);
        fn();
        exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

static void bite(void)
{
    plait_limit limits[] = { { RLIMIT_NOFILE, 40, 40 }, { RLIMIT_FSIZE, 4096, UINT64_MAX } };
    plait_process_opts process = { .close_fds = true, .limits = limits, .n_limits = 2 };

    CHECK(run(open_many, NULL, &process) <= 37);
    CHECK_INT(run(write_much, NULL, &process), 0);
    CHECK_INT(run(raise_limit, NULL, &process), 0);
    CHECK_INT(run(open_many, NULL, NULL), 100); /* ours has not changed */
}

TEST(limits_bite_who_has_no_privilege)
{
    run_as_nobody(bite);
}

static int write_once(void *arg)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    (void)arg;
    return fd >= 0 && pwrite(fd, "x", 1, 5000) == 1;
}

static int open_none(void *arg)
{
    return open("/dev/null", O_RDONLY) < 0 && errno == EMFILE && arg == NULL ? 3 : 1;
}

TEST(a_task_that_may_have_no_descriptor_at_all_runs)
{
    plait_limit limit = { RLIMIT_NOFILE, 0, 0 };

    CHECK_INT(run(open_none, NULL, &(plait_process_opts){ .limits = &limit, .n_limits = 1 }), 3);
}

TEST(a_limit_may_end_the_task)
{
    plait_limit limits[] = { { RLIMIT_FSIZE, 4096, 4096 }, { RLIMIT_CORE, 0, 0 } };
    plait_task *task = NULL;
    plait_outcome end;

    CHECK_INT(try_start(&task, write_once, NULL,
                        &(plait_process_opts){ .limits = limits, .n_limits = 2 }),
              0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.kind, PLAIT_SIGNALLED);
    CHECK_INT(end.signal, SIGXFSZ);
    CHECK(!end.core && !end.out_of_memory);
    plait_task_destroy(task);
}

static void refuse_privileges(void)
{
    plait_limit limit = { RLIMIT_NOFILE, 10, UINT64_MAX };

    refuse(&(plait_process_opts){ .limits = &limit, .n_limits = 1 }, -EPERM, "setrlimit");
    refuse(&(plait_process_opts){ .has_nice = true, .nice = -5 }, -EACCES, "nice");
    refuse(&(plait_process_opts){ .user = "0" }, -EPERM, "setgroups");
    refuse(&(plait_process_opts){ .group = "0" }, -EPERM, "setgid");
}

TEST(what_needs_a_privilege_is_refused_without_it)
{
    run_as_nobody(refuse_privileges);
}

static int tell_niceness(void *arg)
{
    (void)arg;
    return getpriority(PRIO_PROCESS, 0);
}

TEST(the_niceness_is_the_one_that_was_said)
{
    int before = tell_niceness(NULL);

    CHECK_INT(run(tell_niceness, NULL, &(plait_process_opts){ .has_nice = true, .nice = 17 }), 17);
    CHECK_INT(tell_niceness(NULL), before);
}

static int count_cpus(void *arg)
{
    cpu_set_t set;

    (void)arg;
    return sched_getaffinity(0, sizeof set, &set) < 0 ? -1 : CPU_COUNT(&set);
}

static int is_on(void *arg)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) == 1 &&
           CPU_ISSET(*(int *)arg, &set);
}

TEST(the_cpus_are_those_that_were_said)
{
    int before = count_cpus(NULL), last = -1;
    cpu_set_t set;

    CHECK_INT(sched_getaffinity(0, sizeof set, &set), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set))
            last = cpu;
    CHECK_INT(run(is_on, &last, &(plait_process_opts){ .cpus = &last, .n_cpus = 1 }), 1);
    CHECK_INT(count_cpus(NULL), before);
    refuse(&(plait_process_opts){ .cpus = (int[]){ 60000 }, .n_cpus = 1 }, -EINVAL, "affinity");
}

/* ---- user and group ---- */

static int tell_user(void *arg)
{
    gid_t groups[64];
    int n = getgroups(64, groups);

    (void)arg;
    for (int i = 0; i < n; i++)
        if (groups[i] == 0) /* root's own group must be gone */
            return 1;
    return getuid() == NOBODY && geteuid() == NOBODY && getgid() == NOBODY ? 0 : 2;
}

static int tell_group(void *arg)
{
    return getuid() == 0 && getgid() == *(gid_t *)arg ? 0 : 1;
}

/* Some group that is not the caller's. */
static struct group *find_group(void)
{
    struct group *group;

    setgrent();
    while ((group = getgrent()) != NULL && group->gr_gid == getgid())
        ;
    CHECK(group != NULL);
    return group;
}

TEST(user_and_group_are_changed_with_all_groups)
{
    const struct group *named = find_group();
    gid_t seven = 7, its_id = named->gr_gid;

    if (getuid() != 0)
        test_skip("needs root");
    CHECK_INT(run(tell_user, NULL, &(plait_process_opts){ .user = "nobody" }), 0);
    CHECK_INT(run(tell_user, NULL, &(plait_process_opts){ .user = "65534" }), 0);
    CHECK_INT(run(tell_user, NULL, &(plait_process_opts){ .user = "65534", .group = "65534" }), 0);
    CHECK_INT(run(tell_group, &seven, &(plait_process_opts){ .group = "7" }), 0);
    CHECK_INT(run(tell_group, &its_id, &(plait_process_opts){ .group = named->gr_name }), 0);
}

/* The guard of its parent's death is not lost with the privilege. */
static int stand(void *arg)
{
    char byte;

    (void)arg;
    (void)!test_read(*(int *)arg, &byte, 1);
    return 0;
}

TEST(a_task_of_another_user_can_be_ended)
{
    plait_task *task = NULL;
    int gate[2];

    if (getuid() != 0)
        test_skip("needs root");
    CHECK_INT(pipe(gate), 0);
    CHECK_INT(try_start(&task, stand, &gate[0], &(plait_process_opts){ .user = "nobody" }), 0);
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    plait_task_destroy(task);
}

/* ---- bad input ---- */

TEST(what_makes_no_sense_is_refused)
{
    plait_limit unknown = { 1000, 1, 1 }, upside_down = { RLIMIT_NOFILE, 20, 10 };
    int closed = fcntl(0, F_DUPFD, 30);

    close(closed);
    refuse(&(plait_process_opts){ .limits = &unknown, .n_limits = 1 }, -EINVAL, "setrlimit");
    refuse(&(plait_process_opts){ .limits = &upside_down, .n_limits = 1 }, -EINVAL, "setrlimit");
    refuse(&(plait_process_opts){ .n_limits = 1 }, -EINVAL, "options");
    refuse(&(plait_process_opts){ .n_keep_fds = 1 }, -EINVAL, "options");
    refuse(&(plait_process_opts){ .n_cpus = 1 }, -EINVAL, "options");
    refuse(&(plait_process_opts){ .has_nice = true, .nice = 20 }, -EINVAL, "nice");
    refuse(&(plait_process_opts){ .cpus = (int[]){ -1 }, .n_cpus = 1 }, -EINVAL, "affinity");
    refuse(&(plait_process_opts){ .in = PLAIT_FD_PIPE }, -EINVAL, "dup2");
    refuse(&(plait_process_opts){ .out = PLAIT_FD_OUT }, -EINVAL, "dup2");
    refuse(&(plait_process_opts){ .out = closed }, -EBADF, "dup2");
    refuse(&(plait_process_opts){ .keep_fds = &closed, .n_keep_fds = 1 }, -EBADF, "close");
    refuse(&(plait_process_opts){ .keep_fds = (int[]){ -1 }, .n_keep_fds = 1 }, -EINVAL, "close");
    refuse(&(plait_process_opts){ .user = "plait-no-such-user" }, -ENOENT, "user");
    refuse(&(plait_process_opts){ .user = "" }, -ENOENT, "user");
    refuse(&(plait_process_opts){ .user = "3999999" }, -ENOENT, "user");
    refuse(&(plait_process_opts){ .group = "plait-no-such-group" }, -ENOENT, "user");
}

TEST(options_of_processes_are_refused_for_other_kinds)
{
    plait_process_opts process = { 0 };
    plait_task *task = NULL;
    int zero = 0;

    for (plait_kind kind = PLAIT_THREAD; kind <= PLAIT_COROUTINE; kind++) {
        plait_task_opts all[] = { { .process = &process },
                                  { .tree = true },
                                  { .method = PLAIT_START_FORK } };
        for (size_t i = 0; i < 3; i++)
            CHECK_INT(plait_task_start(&task, kind, answer, &zero, &all[i]), -ENOTSUP);
        CHECK_INT(plait_task_start(&task, kind, answer, &zero,
                                   &(plait_task_opts){ .method = (plait_start_method)9 }),
                  -EINVAL);
    }
}

TEST(a_failed_start_leaks_no_descriptor)
{
    int before;

    refuse(&(plait_process_opts){ .directory = "/nonexistent", .in = PLAIT_FD_NULL }, -ENOENT,
           "chdir");
    before = count_open(NULL);
    for (int i = 0; i < 5; i++)
        refuse(&(plait_process_opts){ .directory = "/nonexistent", .in = PLAIT_FD_NULL }, -ENOENT,
               "chdir");
    CHECK_INT(
        run(answer, &(int){ 1 }, &(plait_process_opts){ .in = PLAIT_FD_NULL, .err = PLAIT_FD_OUT }),
        1);
    CHECK_INT(count_open(NULL), before);
}
