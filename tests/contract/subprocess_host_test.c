/* Subprocesses in a program with habits of its own: signal handlers, a wait for all children, threads
 * that fork; and what is left when the program ends.
 * SPDX-License-Identifier: MIT
 */
#define KIND PLAIT_THREAD
#include "subprocess_support.h"

#include "os/probe.h"
#include "task/crew.h"
#include "task/keeper.h"
#include <pthread.h>
#include <stdatomic.h>

/* ---- who else reaps ---- */

/* What a newer kernel tells whoever else has reaped it. */
static void check_told(plait_outcome end, int code)
{
    if (!plait__probe_has(PLAIT__PROBE_PIDFD_INFO)) {
        CHECK_INT(end.kind, PLAIT_UNKNOWN);
        return;
    }
    CHECK_INT(end.kind, PLAIT_EXITED);
    CHECK_INT(end.code, code);
}

TEST(a_host_that_ignores_sigchld_is_told_all_the_same)
{
    signal(SIGCHLD, SIG_IGN);
    plait_subprocess *p = start_line("exit 3", (plait_subprocess_opts){ 0 });
    check_told(finish(p), 3);
    /* the program itself does not find it ignored, and can wait for its own */
    p = start_line("(exit 4) & wait $!; exit $?", (plait_subprocess_opts){ 0 });
    check_told(finish(p), 4);
}

static atomic_int n_reaped;

static void reap(int number)
{
    int error = errno;

    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        n_reaped++;
    errno = error;
}

TEST(a_host_whose_handler_reaps_all_is_told_too)
{
    struct sigaction action = { .sa_handler = reap, .sa_flags = SA_RESTART };

    sigaction(SIGCHLD, &action, NULL);
    for (int i = 0; i < 5; i++) {
        plait_subprocess *p = start_piped("read l; exit 6", (plait_subprocess_opts){ 0 });
        CHECK_INT(plait_subprocess_communicate(p, NULL, 0, PLAIT_FOREVER), 0);
        plait_outcome end = finish(p);
        if (!end.has_usage) /* else we were faster than the handler */
            check_told(end, 6);
    }
    sigaction(SIGCHLD, NULL, &action);
    CHECK(action.sa_handler == reap);
}

/* ---- handlers ---- */

static pid_t host;
static atomic_int n_handled, n_elsewhere;

static void note(int number)
{
    (void)number;
    n_handled++;
    n_elsewhere += getpid() != host;
}

static void *send_to_all(void *arg)
{
    atomic_bool *stop = arg;

    while (!*stop) {
        kill(0, SIGUSR1); /* the whole group: us, and the child before it is another program */
        usleep(50);
    }
    return NULL;
}

TEST(no_handler_of_ours_runs_in_the_child)
{
    struct sigaction action = { .sa_handler = note, .sa_flags = SA_RESTART };
    const char *argv[] = { "true", NULL };
    atomic_bool stop = false;
    pthread_t thread;

    CHECK_INT(setpgid(0, 0), 0);
    host = getpid();
    CHECK_INT(plait_keeper_start(), 0);
    sigaction(SIGUSR1, &action, NULL);
    CHECK_INT(pthread_create(&thread, NULL, send_to_all, &stop), 0);
    for (int i = 0; i < 100 || n_handled < 10; i++)
        CHECK(plait_run(argv, NULL, NULL, PLAIT_FOREVER) >= 0); /* killed, often */
    stop = true;
    pthread_join(thread, NULL);
    CHECK_INT(n_elsewhere, 0);
}

TEST(it_begins_with_no_signal_blocked_or_handled)
{
    static const struct {
        const char *name;
        unsigned long long signals;
    } wanted[] = { { "SigBlk:", 0 }, { "SigIgn:", 1ULL << (SIGHUP - 1) }, { "SigCgt:", 0 } };

    const char *argv[] = { "cat", "/proc/self/status", NULL };
    plait_run_opts opts = { .capture = true };
    plait_run_result result;
    sigset_t all;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); /* a shell may have started us with some ignored */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    signal(SIGUSR2, note);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    CHECK(plait_run(argv, &opts, &result, PLAIT_FOREVER) >= 0);
    for (int i = 0; i < 3; i++) {
        const char *line = strstr(result.out, wanted[i].name);
        CHECK(line != NULL);
        /* without 32 and 33: of the C library, which lets nobody change them back */
        unsigned long long signals = strtoull(line + strlen(wanted[i].name), NULL, 16);
        CHECK_INT(signals & ~(3ULL << 31), wanted[i].signals);
    }
    plait_run_result_fini(&result);
}

/* ---- what others see ---- */

TEST(a_host_sees_no_child_that_was_not_executed)
{
    plait_subprocess *p = NULL;

    CHECK_INT(plait_subprocess_start(&p, (const char *[]){ "no-such-program", NULL }, NULL),
              -ENOENT);
    CHECK_INT(waitpid(-1, NULL, 0), -1);
    CHECK_INT(errno, ECHILD);
}

static void *start_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 40; i++) {
        plait_subprocess *p = start_piped("cat", (plait_subprocess_opts){ 0 });
        CHECK_INT(plait_subprocess_communicate(p, "x", 1, PLAIT_FOREVER), 0);
        plait_subprocess_destroy(p);
    }
    return NULL;
}

/* What a program had too much of would be a pipe of another one, which never ended then. */
TEST(no_descriptor_gets_into_the_program_of_another_thread)
{
    pthread_t threads[2];

    for (int fd = 3; fd < 256; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC); /* what we were started with */
    CHECK_INT(plait_keeper_start(), 0);
    for (int i = 0; i < 2; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, start_many, NULL), 0);
    for (int i = 0; i < 40; i++) {
        char *text;
        CHECK_INT(plait_getoutput(&text, "echo /proc/self/fd/*", PLAIT_FOREVER), 0);
        /* 3 and more of them would be ours; what the shell itself has open it has by then */
        CHECK(strstr(text, "/3") == NULL || strstr(text, "/4") == NULL);
        free(text);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

TEST(a_host_may_have_no_environment_at_all)
{
    char *text;

    CHECK_INT(clearenv(), 0);
    CHECK_INT(plait_getoutput(&text, "echo hello", PLAIT_FOREVER), 0); /* of a tree */
    CHECK_STR(text, "hello");
    free(text);
    CHECK_INT(finish(start_line("exit 3", (plait_subprocess_opts){ 0 })).code, 3);
}

/* ---- the end of this process ---- */

enum how {
    BY_SIGKILL,
    BY_EXIT,
    BY_RETURN_OF_THREAD,
    BY_RETURN_OF_TASK
};

static int said[2]; /* where programs say their pids */
static int gate[2]; /* closed by us when they have */

static void start_one(bool detach)
{
    plait_process_opts process = { .out = said[1] };

    start_line("echo $$; exec sleep 60",
               (plait_subprocess_opts){ .process = &process, .detach = detach });
}

static void *start_in_thread(void *arg)
{
    (void)arg;
    start_one(false);
    return NULL;
}

static int start_in_task(void *arg)
{
    char byte;

    (void)arg;
    start_one(false);
    CHECK_INT(test_read(gate[0], &byte, 1), 0);
    return 0;
}

/* Starts one, waits until we have seen it, and then ends. */
static void be_owner(enum how how, bool detach)
{
    pthread_t thread;
    char byte;

    close(gate[1]);
    CHECK_INT(plait_keeper_start(), 0);
    if (how == BY_RETURN_OF_TASK) {
        plait_task *task;
        CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, start_in_task, NULL, NULL), 0);
        CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
        exit(0);
    }
    if (how == BY_RETURN_OF_THREAD) {
        pthread_create(&thread, NULL, start_in_thread, NULL);
        pthread_join(thread, NULL);
    } else {
        start_one(detach);
    }
    CHECK_INT(test_read(gate[0], &byte, 1), 0);
    if (how == BY_EXIT)
        exit(0);
    raise(SIGKILL);
}

static int run_owner(enum how how, bool detach)
{
    int pidfd;
    pid_t owner;

    CHECK_INT(pipe2(said, O_CLOEXEC), 0);
    CHECK_INT(pipe2(gate, O_CLOEXEC), 0);
    owner = fork();
    if (owner == 0)
        be_owner(how, detach);
    pidfd = read_pid(said[0]);
    if (how == BY_RETURN_OF_THREAD) {
        usleep(1000);
        CHECK(lives(pidfd)); /* the end of the thread that started it is not its own */
    }
    close(gate[1]);
    CHECK_INT(test_waitpid(owner, NULL, 0), owner);
    return pidfd;
}

TEST(it_ends_with_its_owner_however_that_ends)
{
    check_ends(run_owner(BY_SIGKILL, false));
    check_ends(run_owner(BY_EXIT, false));
    check_ends(run_owner(BY_RETURN_OF_THREAD, false));
    check_ends(run_owner(BY_RETURN_OF_TASK, false));
}

TEST(a_detached_one_lives_on)
{
    int pidfd = run_owner(BY_SIGKILL, true);

    CHECK(lives(pidfd));
    plait__os_pidfd_signal(pidfd, SIGKILL);
    check_ends(pidfd);
    pidfd = run_owner(BY_EXIT, true);
    CHECK(lives(pidfd));
    plait__os_pidfd_signal(pidfd, SIGKILL);
    check_ends(pidfd);
}

/* What its line has started, in a session of its own. */
TEST(a_tree_ends_with_its_owner_too)
{
    char byte;
    pid_t owner;

    CHECK_INT(pipe2(said, O_CLOEXEC), 0);
    CHECK_INT(pipe2(gate, O_CLOEXEC), 0);
    owner = fork();
    if (owner == 0) {
        plait_process_opts process = { .out = said[1] };
        close(gate[1]);
        start_line("setsid sh -c 'echo $$; exec sleep 60' & wait",
                   (plait_subprocess_opts){ .process = &process, .tree = true });
        CHECK_INT(test_read(gate[0], &byte, 1), 0);
        raise(SIGKILL);
    }
    int pidfd = read_pid(said[0]);
    close(gate[1]);
    CHECK_INT(test_waitpid(owner, NULL, 0), owner);
    check_ends(pidfd);
}

/* The keeper is killed: the next start makes another one, which guards the old ones too. */
TEST(a_new_keeper_guards_what_the_old_one_did)
{
    int pidfds[2];
    char byte;
    pid_t owner;

    CHECK_INT(pipe2(said, O_CLOEXEC), 0);
    CHECK_INT(pipe2(gate, O_CLOEXEC), 0);
    owner = fork();
    if (owner == 0) {
        close(gate[1]);
        start_one(false);
        CHECK_INT(kill(plait__keeper_pid(), SIGKILL), 0);
        while (!plait__keeper_has_died())
            sched_yield();
        start_one(false);
        CHECK_INT(test_read(gate[0], &byte, 1), 0);
        raise(SIGKILL);
    }
    for (int i = 0; i < 2; i++)
        pidfds[i] = read_pid(said[0]);
    close(gate[1]);
    CHECK_INT(test_waitpid(owner, NULL, 0), owner);
    for (int i = 0; i < 2; i++)
        check_ends(pidfds[i]);
}

/* It is killed between the starts of a pipeline, while the owner is held. */
TEST(a_new_keeper_guards_a_pipeline_that_an_old_one_began_to)
{
    enum {
        PROGRAMS = 10 /* the first one stops the owner soon, not at once */
    };

    char byte, line[256];
    const char *first[] = { "sh", "-c", line, NULL }, *others[] = { "sleep", "60", NULL };
    const char *const *argvs[PROGRAMS] = { first };
    pid_t owner;

    CHECK_INT(pipe2(said, O_CLOEXEC), 0);
    CHECK_INT(pipe2(gate, O_CLOEXEC), 0);
    owner = fork();
    if (owner == 0) {
        plait_process_opts process = { .err = said[1] };
        plait_subprocess_opts opts = { .process = &process };
        plait_subprocess *p;
        close(gate[1]);
        CHECK_INT(plait_keeper_start(), 0);
        snprintf(
            line, sizeof line,
            "kill -STOP $PPID; kill -KILL %d; until grep -q zombie /proc/%d/status; do :; done;"
            "kill -CONT $PPID; echo $$ >&2; exec sleep 60",
            (int)plait__keeper_pid(), (int)plait__keeper_pid());
        for (size_t i = 1; i < PROGRAMS; i++)
            argvs[i] = others;
        CHECK_INT(plait_subprocess_start_pipeline(&p, argvs, PROGRAMS, &opts), 0);
        CHECK_INT(test_read(gate[0], &byte, 1), 0);
        raise(SIGKILL);
    }
    int pidfd = read_pid(said[0]);
    close(gate[1]);
    CHECK_INT(test_waitpid(owner, NULL, 0), owner);
    check_ends(pidfd);
}

static int warnings;

static void count_warnings(plait_log_level level, const char *message, void *arg)
{
    (void)arg;
    warnings += level == PLAIT_LOG_WARNING && strstr(message, "outlive") != NULL;
}

static void *do_nothing(void *arg)
{
    (void)arg;
    while (pause() < 0)
        ;
    return NULL;
}

TEST(without_a_keeper_it_runs_and_the_log_says_so)
{
    pthread_t thread;

    CHECK_INT(plait_log_set(count_warnings, NULL, PLAIT_LOG_WARNING), 0);
    CHECK_INT(pthread_create(&thread, NULL, do_nothing, NULL), 0);
    for (int i = 0; i < 2; i++)
        CHECK_INT(finish(start_line("exit 2", (plait_subprocess_opts){ 0 })).code, 2);
    CHECK_INT(warnings, 1);
}

TEST(a_forked_child_has_none_of_its_parents)
{
    plait_subprocess *p = start_piped("read l; exit 9", (plait_subprocess_opts){ 0 });
    plait_waitable on;
    plait_outcome end;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        CHECK_INT(plait_subprocess_wait(p, PLAIT_FOREVER), -ECHILD);
        CHECK_INT(plait_subprocess_poll(p), -ECHILD);
        CHECK_INT(plait_subprocess_kill(p), -ECHILD);
        CHECK_INT(plait_subprocess_outcome(p, &end), -ECHILD);
        CHECK_INT(plait_subprocess_communicate(p, NULL, 0, PLAIT_FOREVER), -ECHILD);
        CHECK_INT(plait_subprocess_on_end(&on, p), -ECHILD);
        plait_subprocess_destroy(p);
        CHECK_INT(finish(start_line("exit 8", (plait_subprocess_opts){ 0 })).code, 8);
        exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    CHECK_INT(plait_subprocess_poll(p), 0);
    CHECK_INT(plait_subprocess_close_stdin(p), 0);
    CHECK_INT(finish(p).code, 9);
}

/* ---- starts while this process ends ---- */

static atomic_int n_tried;
static atomic_int last_rc;

/* Until it is refused. Each of those that it starts has our end of a pipe. */
static void *start_on(void *arg)
{
    const char *argv[] = { "sleep", "60", NULL };

    (void)arg;
    for (int rc = 0; rc == 0 && n_tried < 500; n_tried++) {
        plait_subprocess *p = NULL;
        rc = plait_subprocess_start(&p, argv, NULL);
        last_rc = rc;
    }
    return NULL;
}

/* Called behind those of plait's: the other thread has tried once more by then. */
static void wait_for_a_try(void)
{
    int seen = n_tried;

    while (last_rc == 0 && n_tried < seen + 2 && n_tried < 500)
        sched_yield();
}

static void exit_beside_starts(bool has_keeper)
{
    int held[2];
    char byte;
    pid_t owner;

    CHECK_INT(pipe(held), 0);
    owner = fork();
    if (owner == 0) {
        pthread_t thread;
        close(held[0]);
        atexit(wait_for_a_try);
        if (has_keeper)
            CHECK_INT(plait_keeper_start(), 0);
        CHECK_INT(pthread_create(&thread, NULL, start_on, NULL), 0);
        pthread_detach(thread);
        while (n_tried < 3)
            sched_yield();
        exit(last_rc == 0 ? 0 : 1);
    }
    close(held[1]);
    CHECK_INT(test_waitpid(owner, NULL, 0), owner);
    CHECK_INT(test_read(held[0], &byte, 1), 0); /* nobody has it any more */
    close(held[0]);
}

TEST(what_a_thread_starts_during_an_exit_of_another_one_does_not_outlive_it)
{
    for (int i = 0; i < 5; i++) {
        exit_beside_starts(true);
        exit_beside_starts(false);
    }
}

static void start_late(void)
{
    plait_subprocess *p = NULL;

    if (plait_subprocess_start(&p, (const char *[]){ "sleep", "60", NULL }, NULL) != 0)
        _exit(1);
}

TEST(an_exit_handler_may_start_one_and_it_ends_with_the_process_too)
{
    int held[2], status;
    char byte;
    pid_t owner;

    CHECK_INT(pipe(held), 0);
    owner = fork();
    if (owner == 0) {
        close(held[0]);
        atexit(start_late);
        CHECK_INT(finish(start_line("exit 2", (plait_subprocess_opts){ 0 })).code, 2);
        exit(0);
    }
    close(held[1]);
    CHECK_INT(test_waitpid(owner, &status, 0), owner);
    CHECK_INT(status, 0);
    CHECK_INT(test_read(held[0], &byte, 1), 0);
    close(held[0]);
}
