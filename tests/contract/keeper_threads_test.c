/* The keeper's contract in a program that has other threads before it needs one: it is the program
 * again, and is the same to everybody.
 * SPDX-License-Identifier: MIT
 *
 * KEEPER_DEATHS says how often the owner is killed.
 */
#include "keeper.h"

#include "child.h"
#include "last_said.h"

#include <dirent.h>
#include <plait/pool.h>
#include <plait/process.h>
#include <pthread.h>
#include <sys/prctl.h>

void test_begin(int *argc, char ***argv)
{
    plait_init(argc, argv);
    if (getenv("PLAIT_SPAWN") != NULL) /* one that came back from there would run all cases again */
        _exit(98);
}

static const plait_start_method methods[] = { PLAIT_START_FORKSERVER, PLAIT_START_SPAWN };

static void *stand_aside(void *arg)
{
    while (pause() < 0)
        ;
    return arg;
}

static void have_a_thread(void)
{
    pthread_t thread;

    CHECK_INT(pthread_create(&thread, NULL, stand_aside, NULL), 0);
}

static int return_code(void *arg)
{
    return *(int *)arg;
}

static int say_pid_and_stand(void *arg)
{
    dprintf(STDOUT_FILENO, "%d\n", getpid());
    stand_aside(arg);
    return 0;
}

static int start_with(plait_task **ret, plait_task_fn *fn, int arg, plait_task_opts opts)
{
    opts.arg_bytes = sizeof arg;
    return plait_task_start(ret, PLAIT_PROCESS, fn, &arg, &opts);
}

static plait_task *start(plait_start_method method, plait_task_fn *fn, int arg)
{
    plait_task *task = NULL;

    CHECK_INT(start_with(&task, fn, arg, (plait_task_opts){ .method = method }), 0);
    return task;
}

static void kill_keeper(void)
{
    int pidfd = watch(plait__keeper_pid());

    CHECK_INT(kill(plait__keeper_pid(), SIGKILL), 0);
    await_gone(pidfd);
}

/* By each way that there is beside threads. */
static void use_both(int code)
{
    for (int i = 0; i < 2; i++)
        CHECK_INT(outcome_of(start(methods[i], return_code, code + i)).code, code + i);
}

/* ---- it is made ---- */

TEST(whichever_method_comes_first_makes_it_and_the_other_uses_it)
{
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork_checked(), keeper;
        if (pid == 0) {
            have_a_thread();
            CHECK_INT(outcome_of(start(methods[i], return_code, 70000)).code, 70000);
            keeper = plait__keeper_pid();
            CHECK(keeper > 0);
            use_both(300);
            CHECK_INT(plait__keeper_pid(), keeper);
            _exit(0);
        }
        join_child(pid);
    }
}

TEST(a_plain_fork_stays_refused_and_one_with_the_word_is_guarded)
{
    plait_task *task = NULL;

    have_a_thread();
    CHECK_INT(start_with(&task, return_code, 1, (plait_task_opts){ 0 }), PLAIT_ETHREADS);
    CHECK_INT(plait__keeper_pid(), 0);
    CHECK_INT(start_with(&task, return_code, 9, (plait_task_opts){ .with_threads = true }), 0);
    CHECK_INT(outcome_of(task).code, 9);
    CHECK(plait__keeper_pid() > 0);
}

TEST(a_thread_of_plaits_alone_makes_none_beside_other_threads)
{
    plait_task *task = NULL;
    int code = 3;

    have_a_thread();
    CHECK_INT(plait_task_start(&task, PLAIT_THREAD, return_code, &code, NULL), 0);
    CHECK_INT(outcome_of(task).code, 3);
    CHECK_INT(plait__keeper_pid(), 0);
    CHECK_INT(plait_keeper_start(), 0);
    CHECK(plait__keeper_pid() > 0);
}

TEST(a_pool_of_processes_promises_the_programs_memory_and_is_refused)
{
    plait_pool *pool = NULL;
    plait_pool_opts opts = { .workers = 1 };

    have_a_thread();
    for (int i = 0; i < 2; i++) {
        CHECK_INT(plait_pool_create(&pool, PLAIT_PROCESS, &opts), PLAIT_ETHREADS);
        use_both(1);
    }
}

static void *use_all(void *arg)
{
    use_both(20);
    return arg;
}

TEST_LIMIT(threads_that_need_the_first_one_at_the_same_time_make_one, 60)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, use_all, NULL), 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    CHECK_INT(plait__keeper_generation(), 1);
}

TEST(it_runs_commands_too)
{
    prepare();
    have_a_thread();
    CHECK_INT(setenv("KEEPER_TEST", "there", 1), 0);
    run("echo $KEEPER_TEST $PLAIT_SPAWN.; exit 3", (struct plait__command){ .id = 1 });
    CHECK_STR(next_line(), "there .");
    CHECK_INT(next_end().death.status, 3);
}

TEST(a_step_that_fails_in_its_child_has_its_name)
{
    plait_process_opts nowhere = { .directory = "/nowhere" };
    plait_task *task = NULL;

    have_a_thread();
    plait_log_set(keep_last, NULL, PLAIT_LOG_WARNING);
    for (int i = 0; i < 2; i++) {
        plait_task_opts opts = { .method = methods[i], .process = &nowhere };
        CHECK_INT(start_with(&task, return_code, 1, opts), -ENOENT);
        CHECK(strstr(last_said, "chdir") != NULL);
    }
}

/* ---- what it disturbs ---- */

static volatile sig_atomic_t n_handled;

static void count_child(int signal)
{
    (void)signal;
    n_handled++;
}

TEST(the_host_neither_hears_nor_reaps_it)
{
    struct sigaction action = { .sa_handler = count_child };

    have_a_thread();
    CHECK_INT(sigaction(SIGCHLD, &action, NULL), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(outcome_of(start(PLAIT_START_FORKSERVER, return_code, 5)).code, 5);
        errno = 0;
        CHECK(wait(NULL) == -1 && errno == ECHILD);
        kill_keeper();
    }
    CHECK_INT(n_handled, 0);
    CHECK_INT(plait__keeper_generation(), 2);
    use_both(5);
    CHECK_INT(n_handled, 1); /* the spawned one is the program's own child */
}

TEST(where_sigchld_is_ignored_all_ends_are_told)
{
    have_a_thread();
    signal(SIGCHLD, SIG_IGN);
    use_both(6);
    CHECK_INT(waitpid(-1, NULL, WNOHANG | __WALL), -1);
}

/* As pid 1 does: it falls to us, and goes when it has died. */
TEST(a_host_that_adopts_orphans_has_one_too)
{
    CHECK_INT(prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0, 0, 0), 0);
    have_a_thread();
    use_both(8);
    kill_keeper();
    use_both(8);
    CHECK_INT(waitpid(-1, NULL, WNOHANG | __WALL), 0); /* there is one, that lives */
    CHECK_INT(plait__keeper_generation(), 2);
}

static int count_fds(pid_t pid)
{
    char path[64];
    struct dirent *entry;
    DIR *dir;
    int n = 0;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    CHECK(dir != NULL);
    while ((entry = readdir(dir)) != NULL)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

TEST(it_has_the_descriptors_of_a_forked_one)
{
    int fds[2], forked;
    char byte;

    CHECK_INT(plait_keeper_start(), 0);
    forked = count_fds(plait__keeper_pid());
    CHECK_INT(pipe(fds), 0); /* without close-on-exec */
    pid_t pid = fork_checked();
    if (pid == 0) {
        close(fds[0]);
        have_a_thread();
        CHECK_INT(plait_keeper_start(), 0);
        CHECK_INT(count_fds(plait__keeper_pid()), forked);
        CHECK_INT(write(fds[1], "c", 1), 1);
        close(fds[1]);
        stand_aside(NULL);
    }
    close(fds[1]);
    CHECK_INT(read(fds[0], &byte, 1), 1);
    CHECK_INT(read(fds[0], &byte, 1), 0); /* it has not that one either, though it lives */
    CHECK_INT(kill(pid, SIGKILL), 0);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
}

TEST(a_host_without_standard_descriptors_has_one_too)
{
    have_a_thread();
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    use_both(7);
}

/* ---- deaths ---- */

TEST(when_a_forked_one_is_killed_beside_threads_the_next_start_executes_another)
{
    CHECK_INT(plait_keeper_start(), 0);
    have_a_thread();
    for (int i = 0; i < 2; i++) {
        pid_t keeper = plait__keeper_pid();
        kill_keeper();
        use_both(8);
        CHECK(plait__keeper_pid() > 0 && plait__keeper_pid() != keeper);
    }
}

/* With tasks of all methods, of which the forked one had another keeper. */
static void own_three(void)
{
    plait_task *task = NULL;

    CHECK_INT(dup2(said[1], STDOUT_FILENO), STDOUT_FILENO);
    CHECK_INT(start_with(&task, say_pid_and_stand, 0, (plait_task_opts){ 0 }), 0);
    have_a_thread();
    kill_keeper();
    for (int i = 0; i < 2; i++)
        start(methods[i], say_pid_and_stand, 0);
    dprintf(said[1], "%d\n", (int)plait__keeper_pid());
    stand_aside(NULL);
}

TEST(with_its_owner_it_and_all_that_it_guards_end)
{
    int pidfds[4];

    prepare();
    pid_t owner = fork_checked();
    if (owner == 0)
        own_three();
    for (int i = 0; i < 4; i++)
        pidfds[i] = watch_next();
    CHECK_INT(kill(owner, SIGKILL), 0);
    for (int i = 0; i < 4; i++)
        await_gone(pidfds[i]);
    CHECK_INT(waitpid(owner, NULL, 0), owner);
}

/* Until it is killed, with a new keeper each time. */
static void make_keepers(void)
{
    have_a_thread();
    for (;;) {
        start(PLAIT_START_FORKSERVER, say_pid_and_stand, 0);
        kill(plait__keeper_pid(), SIGKILL);
    }
}

/* Nobody guards a keeper that is being made. */
TEST_LIMIT(whenever_its_owner_is_killed_nothing_is_left, 60)
{
    const char *text = getenv("KEEPER_DEATHS");
    int n = text != NULL ? atoi(text) : 12, fds[2];
    char bytes[4096];

    for (int i = 0; i < n; i++) {
        CHECK_INT(pipe(fds), 0);
        pid_t owner = fork_checked();
        if (owner == 0) {
            CHECK_INT(dup2(fds[1], STDOUT_FILENO), STDOUT_FILENO);
            close(fds[0]);
            close(fds[1]);
            make_keepers();
        }
        close(fds[1]);
        usleep((useconds_t)(i * 7919 % 12000));
        CHECK_INT(kill(owner, SIGKILL), 0);
        while (read(fds[0], bytes, sizeof bytes) > 0)
            ; /* until the last one has ended */
        CHECK_INT(waitpid(owner, NULL, 0), owner);
        close(fds[0]);
    }
}
