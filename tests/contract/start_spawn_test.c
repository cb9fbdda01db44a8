/* Process tasks that are the program again.
 * SPDX-License-Identifier: MIT
 */
#include <plait/process.h>

#define METHOD PLAIT_START_SPAWN
#include "start_contract.h"

#include "start_deaths.h"
#include "start_options.h"

#include <dlfcn.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/stat.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define HAS_SANITIZER true /* it executes the program once more by itself */
#else
#    define HAS_SANITIZER false
#endif

enum {
    NOBODY = 65534 /* a user, and a group */
};

TEST(a_pointer_into_private_memory_is_refused)
{
    plait_task *task = NULL;
    int number = 1;

    CHECK_INT(start_rc(&task, return_code, &number, 0), -EINVAL);
    CHECK(task == NULL);
}

TEST(it_outlives_the_keeper)
{
    struct board *board = make_board();
    plait_task *task = start_standing(board);

    kill_keeper();
    CHECK(plait_task_is_alive(task));
    CHECK_INT(run(return_7, NULL).code, 7);
    plait_event_set(&board->gate);
    CHECK_INT(join(task).code, 0);
    plait_task_destroy(task);
}

static int count_arguments(void *arg)
{
    char text[4096];
    int fd = open("/proc/self/cmdline", O_RDONLY);
    ssize_t n = read(fd, text, sizeof text);

    (void)arg;
    return n > 0 && strstr(text, "start_spawn") != NULL ? 0 : 1;
}

TEST(its_arguments_are_the_programs)
{
    CHECK_INT(run(count_arguments, NULL).code, 0);
}

/* Of this program, exec'd with that variable: a stranger's, or of a process that was spawned to be
 * something, and whose own pid stands behind the dot. */
static int exit_status_of(const char *program, const char *value, bool is_meant)
{
    char text[64];
    int status;
    pid_t pid = fork_checked();

    if (pid == 0) {
        snprintf(text, sizeof text, "%s%d", value, is_meant ? getpid() : getppid());
        setenv("PLAIT_SPAWN", text, 1);
        if (freopen("/dev/null", "w", stdout) == NULL)
            _exit(99);
        execl(program, "start_spawn", "-l", (char *)NULL);
        _exit(99);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int exit_status_with(const char *value, bool is_meant)
{
    return exit_status_of("/proc/self/exe", value, is_meant);
}

TEST(a_strangers_variable_does_no_harm_and_who_was_meant_never_runs_the_program)
{
    char number[16];
    int fds[2];

    CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    CHECK_INT(write(fds[0], "hello", 5), 5);
    snprintf(number, sizeof number, "%d.", fds[1]);
    CHECK_INT(exit_status_with("", false), 0);
    CHECK_INT(exit_status_with("rubbish", false), 0);
    CHECK_INT(exit_status_with("0.", true), 0);
    CHECK_INT(exit_status_with(number, false), 0);
    CHECK_INT(exit_status_with(number, true), 1);
    CHECK_INT(exit_status_with("987.", true), 1);
}

/* This program, as one that has its user by its file. */
static void copy_with_user(const char *path)
{
    char block[65536];
    int from = open("/proc/self/exe", O_RDONLY), to = open(path, O_WRONLY | O_CREAT, 0700);
    ssize_t n;

    CHECK(from >= 0 && to >= 0);
    while ((n = read(from, block, sizeof block)) > 0)
        CHECK_INT(write(to, block, (size_t)n), n);
    CHECK_INT(fchown(to, NOBODY, NOBODY), 0);
    CHECK_INT(fchmod(to, 04755), 0);
    close(from);
    close(to);
}

TEST(a_program_with_a_user_of_its_file_never_runs_again_in_place_of_its_task)
{
    char folder[] = "/tmp/plait-test-XXXXXX", path[64];
    int status, meant;

    if (getuid() != 0 || HAS_SANITIZER)
        test_skip("needs root, and no sanitizer");
    CHECK(mkdtemp(folder) != NULL);
    CHECK_INT(chmod(folder, 0755), 0);
    snprintf(path, sizeof path, "%s/program", folder);
    copy_with_user(path);
    status = exit_status_of(path, "", false);
    meant = exit_status_of(path, "987.", true);
    CHECK_INT(unlink(path), 0);
    CHECK_INT(rmdir(folder), 0);
    if (status != 0)
        test_skip("such a file does not run here");
    CHECK_INT(meant, 1);
}

/* In a process that was spawned for it, before main: leaves a child which has all open, and ends. */
__attribute__((constructor)) static void leave_a_child(void)
{
    const char *hold = getenv("START_HOLD");
    char byte;

    if (hold == NULL || getenv("PLAIT_SPAWN") == NULL)
        return;
    if (fork() == 0 && read(atoi(hold), &byte, 1) < 0)
        _exit(1);
    _exit(0);
}

TEST(a_process_that_ends_too_early_is_noticed_though_its_child_lives)
{
    plait_task *task = NULL;
    char number[16];
    int fds[2];

    CHECK_INT(pipe(fds), 0); /* the child reads its end when we have closed ours, or died */
    CHECK_INT(fcntl(fds[1], F_SETFD, FD_CLOEXEC), 0);
    snprintf(number, sizeof number, "%d", fds[0]);
    setenv("START_HOLD", number, 1);
    CHECK_INT(start_rc(&task, return_7, NULL, 0), -ENOEXEC);
    CHECK(task == NULL);
    unsetenv("START_HOLD");
    close(fds[1]);
    CHECK_INT(run(return_7, NULL).code, 7);
}

/* In a process that was spawned for it, before main: waits until somebody lets it go on. */
__attribute__((constructor)) static void wait_at_gate(void)
{
    const char *gate = getenv("START_GATE");
    char byte;

    if (gate != NULL && getenv("PLAIT_SPAWN") != NULL && read(atoi(gate), &byte, 1) != 1)
        _exit(1);
}

static int spawn_at_gate(void *arg)
{
    return start_rc(arg, return_7, NULL, 0);
}

static int open_gate(void *arg)
{
    return write(*(int *)arg, "g", 1) == 1 ? 0 : 1;
}

TEST(a_coroutine_that_starts_one_lets_the_others_of_its_thread_run_meanwhile)
{
    plait_task *task = NULL, *starter = NULL, *opener = NULL;
    char number[16];
    int fds[2];

    CHECK_INT(pipe(fds), 0);
    snprintf(number, sizeof number, "%d", fds[0]);
    setenv("START_GATE", number, 1);
    CHECK_INT(plait_task_start(&starter, PLAIT_COROUTINE, spawn_at_gate, &task, NULL), 0);
    CHECK_INT(plait_task_start(&opener, PLAIT_COROUTINE, open_gate, &fds[1], NULL), 0);
    CHECK_INT(plait_task_terminate(starter), 0); /* which does not cut the start short */
    CHECK_INT(plait_task_join(opener, PLAIT_FOREVER), 0);
    unsetenv("START_GATE");
    CHECK_INT(join(starter).code, 0);
    CHECK_INT(join(task).code, 7);
    plait_task_destroy(task);
    plait_task_destroy(starter);
    plait_task_destroy(opener);
}

TEST(a_limit_that_leaves_no_descriptor_is_said)
{
    plait_task *task = NULL;
    struct rlimit old;

    CHECK_INT(plait_keeper_start(), 0);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
    for (rlim_t n = 0; n < 5; n++) {
        CHECK_INT(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ n, old.rlim_max }), 0);
        CHECK_INT(start_rc(&task, return_7, NULL, 0), -EMFILE);
    }
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
    CHECK_INT(run(return_7, NULL).code, 7);
}

/* In a process that was spawned for it, before main. */
__attribute__((constructor)) static void lose_environment(void)
{
    const char *ran = getenv("START_CLEARS");

    if (ran == NULL || getenv("PLAIT_SPAWN") == NULL)
        return;
    clearenv();
    setenv("START_RAN", ran, 1);
}

TEST(one_that_loses_its_environment_before_main_ends_and_never_runs_the_program)
{
    plait_task *task = NULL;
    char number[16], byte;
    int fds[2];

    CHECK_INT(pipe(fds), 0);
    snprintf(number, sizeof number, "%d", fds[1]);
    setenv("START_CLEARS", number, 1);
    CHECK_INT(start_rc(&task, return_7, NULL, 0), -ENOEXEC);
    CHECK(task == NULL);
    unsetenv("START_CLEARS");
    close(fds[1]);
    CHECK_INT(read(fds[0], &byte, 1), 0);
    CHECK_INT(run(return_7, NULL).code, 7);
}

/* In a program that was told to. */
__attribute__((constructor)) static void spawn_in_vain(int argc, char **argv)
{
    plait_task *task = NULL;

    if (getenv("START_IN_VAIN") == NULL)
        return;
    plait_init(&argc, &argv);
    _exit(start_rc(&task, return_7, NULL, 0) == -ENOTSUP ? 0 : 1);
}

TEST(an_argument_of_the_loader_is_not_taken_for_the_program)
{
    char program[512] = "";
    Dl_info loader;
    int status;
    pid_t pid;

    if (HAS_SANITIZER || getauxval(AT_BASE) == 0 ||
        dladdr((void *)getauxval(AT_BASE), &loader) == 0)
        test_skip("there is no loader, or a sanitizer");
    CHECK(readlink("/proc/self/exe", program, sizeof program - 1) > 0);
    setenv("START_IN_VAIN", "1", 1);
    pid = fork_checked();
    if (pid == 0) {
        execl(loader.dli_fname, program, program, "/bin/false", (char *)NULL);
        _exit(99);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}
