/* Starting programs.
 * SPDX-License-Identifier: MIT
 */
#include "os/process.h"

#include "os/fd.h"
#include "os/signal.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *const no_env[] = { NULL };
static int null_fd, out[2];
static const char *step;

/* A spawn whose standard output arrives at out[0]. */
static struct plait__spawn prepare(const char *file, char *const *argv)
{
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(null_fd >= 3);
    CHECK_INT(plait__os_pipe(out), 0);
    setenv("PATH", "/usr/bin:/bin", 1); /* a directory that may not be read changes the error */
    step = "none";
    return (struct plait__spawn){ .file = file,
                                  .argv = argv,
                                  .envp = no_env,
                                  .child.fds = { null_fd, out[1], null_fd },
                                  .stack = plait__os_spawn_stack() };
}

/* What it wrote, and its wait status. */
static int finish(const struct plait__spawn *spawn, pid_t pid, char *ret, size_t cap)
{
    size_t len = 0;
    ssize_t n;
    int status = -1;

    CHECK(pid > 0);
    close(out[1]);
    while ((n = read(out[0], ret + len, cap - 1 - len)) > 0)
        len += (size_t)n;
    ret[len] = '\0';
    CHECK_INT(waitpid(pid, &status, 0), pid);
    plait__os_spawn_stack_free(spawn->stack);
    return status;
}

/* What `sh -c script` wrote; it must end well. */
static const char *shell(struct plait__spawn *spawn, const char *script)
{
    static char text[4096];
    char *const argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, strdup(script), NULL };

    spawn->file = "sh";
    spawn->argv = argv;
    CHECK_INT(finish(spawn, plait__os_spawn(spawn, &step), text, sizeof text), 0);
    free(argv[2]);
    return text;
}

TEST(argv_environment_and_descriptors_arrive)
{
    char *const argv[] = { (char[]){ "sh" }, (char[]){ "-c" },  (char[]){ "echo \"$0,$1,$#,$A\"" },
                           (char[]){ "" },   (char[]){ "x y" }, NULL };
    char *const envp[] = { (char[]){ "A=b c" }, NULL };
    struct plait__spawn spawn = prepare("sh", argv);
    char text[64];

    spawn.envp = envp;
    CHECK_INT(finish(&spawn, plait__os_spawn(&spawn, &step), text, sizeof text), 0);
    CHECK_STR(text, ",x y,1,b c\n");
    CHECK_STR(step, "none");
}

TEST(nothing_but_0_1_and_2_is_inherited)
{
    for (int fd = 3; fd < 1000; fd++)
        close(fd); /* what the caller of the test left open */
    struct plait__spawn spawn = prepare(NULL, NULL);

    CHECK_STR(shell(&spawn, "cd /proc/self/fd && echo *"), "0 1 2 3\n"); /* 3: echo's own look */
}

TEST(directory_niceness_and_group_are_set)
{
    struct plait__spawn spawn = prepare(NULL, NULL);
    spawn.child.directory = "/usr";
    spawn.child.nice = 13;
    spawn.child.has_nice = true;
    spawn.child.new_group = true;
    CHECK_STR(shell(&spawn, "pwd; nice; read -r pid name state parent group rest </proc/$$/stat; "
                            "[ \"$group\" = \"$pid\" ] && echo leads"),
              "/usr\n13\nleads\n");
}

/* Line `name` of /proc/self/status, as a number in hexadecimal. */
static uint64_t status_bits(const char *status, const char *name)
{
    const char *line = strstr(status, name);

    CHECK(line != NULL);
    return strtoull(line + strlen(name), NULL, 16);
}

TEST(dispositions_are_as_asked_and_nothing_is_blocked)
{
    struct plait__spawn spawn = prepare(NULL, NULL);
    sigset_t set;

    signal(SIGHUP, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    spawn.ignored = plait__signal_bit(SIGUSR2);
    spawn.defaulted = plait__signal_bit(SIGHUP);
    const char *status = shell(&spawn, "cat /proc/self/status");
    uint64_t ignored = status_bits(status, "SigIgn:");
    CHECK(ignored & plait__signal_bit(SIGUSR2));
    CHECK(ignored & plait__signal_bit(SIGQUIT)); /* the others stay */
    CHECK(!(ignored & plait__signal_bit(SIGHUP)));
    CHECK_INT(status_bits(status, "SigBlk:"), 0);
    sigprocmask(SIG_BLOCK, NULL, &set);
    CHECK_INT(sigismember(&set, SIGUSR1), 1); /* and the caller's own are untouched */
    CHECK_INT(sigismember(&set, SIGTERM), 0);
}

static void check_fails(struct plait__spawn *spawn, int error, const char *at)
{
    char *const argv[] = { (char[]){ "x" }, NULL };

    if (spawn->argv == NULL)
        spawn->argv = argv;
    CHECK_INT(plait__os_spawn(spawn, &step), -error);
    CHECK_STR(step, at);
    CHECK_INT(waitpid(-1, NULL, 0), -1); /* nothing is left */
    CHECK_INT(errno, ECHILD);
}

TEST(a_program_that_is_not_there_fails_at_exec)
{
    struct plait__spawn spawn = prepare("plait-no-such-program", NULL);

    check_fails(&spawn, ENOENT, "exec");
    spawn.file = "/nonexistent/program";
    check_fails(&spawn, ENOENT, "exec");
    spawn.file = "";
    check_fails(&spawn, ENOENT, "exec");
}

TEST(a_program_that_may_not_be_run_fails_at_exec)
{
    struct plait__spawn spawn = prepare("/etc/passwd", NULL);

    check_fails(&spawn, EACCES, "exec");
    spawn.file = "/usr";
    check_fails(&spawn, EACCES, "exec");
}

TEST(a_directory_that_is_not_there_fails_at_chdir)
{
    struct plait__spawn spawn = prepare("true", NULL);

    spawn.child.directory = "/nonexistent";
    check_fails(&spawn, ENOENT, "chdir");
}

TEST(a_descriptor_that_is_none_fails_at_dup2)
{
    struct plait__spawn spawn = prepare("true", NULL);

    spawn.child.fds[1] = 999;
    check_fails(&spawn, EBADF, "dup2");
}

TEST(arguments_that_are_too_long_fail_at_exec)
{
    static char huge[1024 * 1024];
    char *const argv[] = { (char[]){ "true" }, huge, NULL };
    struct plait__spawn spawn = prepare("true", argv);

    memset(huge, 'x', sizeof huge - 1);
    check_fails(&spawn, E2BIG, "exec");
}

/* An executable file with that text. */
static const char *write_script(const char *text)
{
    static char path[] = "/tmp/plait-spawn-XXXXXX";
    int fd = mkstemp(path);

    CHECK(fd >= 0);
    CHECK_INT(write(fd, text, strlen(text)), strlen(text));
    CHECK_INT(fchmod(fd, 0700), 0);
    close(fd);
    return path;
}

TEST(a_script_without_an_interpreter_line_is_run_by_sh)
{
    const char *path = write_script("echo \"$# $1\"\n");
    char *const argv[] = { (char[]){ "script" }, (char[]){ "one" }, (char[]){ "two" }, NULL };
    struct plait__spawn spawn = prepare(path, argv);
    char text[64];
    int status = finish(&spawn, plait__os_spawn(&spawn, &step), text, sizeof text);

    unlink(path);
    CHECK_INT(status, 0);
    CHECK_STR(text, "2 one\n");
}

TEST(a_script_without_an_interpreter_line_takes_very_many_arguments)
{
    enum {
        MANY = 30000
    };

    const char *path = write_script("echo $#\n");
    char **argv = calloc(MANY + 1, sizeof *argv), x[] = "x", text[64];
    struct plait__spawn spawn = prepare(path, argv);

    for (int i = 0; i < MANY; i++)
        argv[i] = x;
    int status = finish(&spawn, plait__os_spawn(&spawn, &step), text, sizeof text);
    unlink(path);
    free(argv);
    CHECK_INT(status, 0);
    CHECK_STR(text, "29999\n");
}

static void *spawn_as_nobody(void *arg)
{
    static char name[] = "true";
    char *const argv[] = { name, NULL };
    struct plait__spawn spawn = { .file = "/bin/true",
                                  .argv = argv,
                                  .envp = no_env,
                                  .child = { .has_uid = true, .uid = 65534 },
                                  .stack = plait__os_spawn_stack() };
    const char *where = "none";

    for (int i = 0; i < 10; i++) {
        spawn.child.has_gid = i % 2 == 0;
        spawn.child.gid = 65534;
        pid_t pid = plait__os_spawn(&spawn, &where);
        CHECK(pid > 0);
        plait__os_reap(pid);
    }
    plait__os_spawn_stack_free(spawn.stack);
    return arg;
}

TEST(a_program_of_another_user_leaves_its_starter_open_to_its_own)
{
    pthread_t threads[3];

    if (getuid() != 0)
        test_skip("needs root");
    CHECK_INT(prctl(PR_GET_DUMPABLE), 1);
    spawn_as_nobody(NULL);
    CHECK_INT(prctl(PR_GET_DUMPABLE), 1);
    for (int i = 0; i < 3; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, spawn_as_nobody, NULL), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(prctl(PR_GET_DUMPABLE), 1);
    CHECK_INT(prctl(PR_SET_DUMPABLE, 0), 0);
    spawn_as_nobody(NULL);
    CHECK_INT(prctl(PR_GET_DUMPABLE), 0); /* as its own choice was */
}

TEST(below_the_stack_of_the_child_nothing_can_be_written)
{
    int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    char *stack = plait__os_spawn_stack();

    CHECK(zero >= 0);
    CHECK(stack != NULL);
    CHECK_INT(read(zero, stack, 1), -1); /* a system call, for it faults without a signal */
    CHECK_INT(errno, EFAULT);
    plait__os_spawn_stack_free(stack);
}

TEST(the_program_dies_with_its_parent)
{
    char *const argv[] = { (char[]){ "sleep" }, (char[]){ "100" }, NULL };
    struct plait__spawn spawn = prepare("sleep", argv);
    char byte;
    pid_t pid = plait__os_fork();

    spawn.dies_with_parent = true;
    if (pid == 0)
        _exit(plait__os_spawn(&spawn, &step) < 0);
    close(out[1]);
    CHECK_INT(read(out[0], &byte, 1), 0); /* its copy of the pipe is gone */
    plait__os_reap(pid);
    plait__os_spawn_stack_free(spawn.stack);
}

TEST(an_orphan_runs_and_is_no_child_of_ours)
{
    char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "echo here" }, NULL };
    struct plait__spawn spawn = prepare("sh", argv);
    char text[16] = "";
    int pidfd = -1;

    spawn.ret_pidfd = &pidfd;
    spawn.is_orphan = true;
    pid_t pid = plait__os_spawn(&spawn, &step);
    CHECK(pid > 0);
    close(out[1]);
    errno = 0;
    CHECK(waitpid(-1, NULL, __WALL) == -1 && errno == ECHILD);
    CHECK(read(out[0], text, sizeof text - 1) > 0);
    CHECK_STR(text, "here\n");
    CHECK_INT(poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, -1), 1);
    CHECK((fcntl(pidfd, F_GETFD) & FD_CLOEXEC) != 0);
    plait__os_spawn_stack_free(spawn.stack);
}

TEST(an_orphan_that_cannot_be_executed_leaves_nothing)
{
    char *argv[] = { (char[]){ "nothing" }, NULL };
    struct plait__spawn spawn = prepare("/nowhere/nothing", argv);
    int pidfd = -1;

    spawn.ret_pidfd = &pidfd;
    spawn.is_orphan = true;
    CHECK_INT(plait__os_spawn(&spawn, &step), -ENOENT);
    CHECK_STR(step, "exec");
    CHECK_INT(pidfd, -1);
    errno = 0;
    CHECK(waitpid(-1, NULL, __WALL) == -1 && errno == ECHILD);
    plait__os_spawn_stack_free(spawn.stack);
}

/* In the orphan: ends what makes it, in whose stead the caller has to wait for us. */
static int kill_maker(void *ret)
{
    const struct timespec moment = { .tv_nsec = 20 * 1000 * 1000 };
    pid_t maker = getppid();

    kill(maker, SIGKILL);
    while (getppid() == maker)
        ;
    nanosleep(&moment, NULL);
    *(volatile bool *)ret = true;
    return 0;
}

TEST(who_kills_what_makes_an_orphan_leaves_our_memory_whole)
{
    char *argv[] = { (char[]){ "true" }, NULL };
    struct plait__spawn spawn = prepare("true", argv);
    volatile bool has_let_go = false;
    int pidfd = -1;

    spawn.ret_pidfd = &pidfd;
    spawn.is_orphan = true;
    spawn.first = kill_maker;
    spawn.first_arg = (void *)(uintptr_t)&has_let_go;
    CHECK_INT(plait__os_spawn(&spawn, &step), -ESRCH);
    CHECK(has_let_go);
    CHECK_INT(pidfd, -1);
    plait__os_spawn_stack_free(spawn.stack);
}
