/* What the fault injector lets fail in the starts of processes that begin with options, or that have a
 * guard; by the word spawn or forkserver, and the path of a library, of those that are no forks of this
 * program; and by one word more beside a thread, where the keeper is not one either. SPDX-License-Identifier: MIT
 *
 * Exit status 0: all went as it should. 1: some calls failed, each said on standard error. abort():
 * a call failed without an error's number, or said that it had worked and had not.
 */
#include <plait.h>

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worked.h"

enum {
    WELL = 42,
    FAILED = 2 /* something did, and it was said */
};

/* What its options say must hold when it is entered: whatever failed on the way there. */
static int look_around(void *arg)
{
    char path[64] = "";
    struct rlimit limit = { 0, 0 };

    if (getcwd(path, sizeof path) == NULL || strcmp(path, "/usr") != 0 ||
        getpriority(PRIO_PROCESS, 0) != 15 ||
        (getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max != 0) || getsid(0) != getpid() ||
        getenv("PATH") != NULL || (*(int *)arg != 0 && getgid() == 0))
        return 1;
    return WELL;
}

static int leave_a_daemon(void *arg)
{
    (void)arg;
    if (fork() == 0) {
        setsid();
        if (fork() == 0) {
            for (int fd = 0; fd < 3; fd++)
                close(fd); /* who reads them shall not wait for us */
            for (;;)
                pause();
        }
        _exit(0);
    }
    return WELL;
}

static int stand(void *arg)
{
    (void)arg;
    for (;;)
        pause();
    return 0;
}

/* Joins, or destroys what cannot be joined. */
static void end_well(plait_task *task, int signal)
{
    plait_outcome end;

    if (worked("join", plait_task_join(task, plait_after_ms(15000))) &&
        worked("outcome", plait_task_outcome(task, &end))) {
        bool ran = end.kind == PLAIT_RETURNED;
        must("the options held when the task was entered",
             !ran || end.code == WELL || end.code == FAILED);
        /* a fault in the child ends it before its function; a guard or a keeper that cannot do its
         * work kills it */
        must("a task ended in a way that nobody asked for",
             ran || end.kind == PLAIT_EXITED || end.signal == SIGKILL || end.signal == signal);
        ran = ran && end.code == WELL;
        worked("the task's function", ran || (signal != 0 && end.signal == signal) ? 0 : -ECHILD);
    }
    plait_task_destroy(task);
}

static void start(plait_task_fn *fn, void *arg, const plait_task_opts *opts,
                  int (*stop)(plait_task *task), int signal)
{
    plait_task *task = NULL;

    if (!worked("start", plait_task_start(&task, PLAIT_PROCESS, fn, arg, opts))) {
        must("nothing was started", task == NULL && plait_task_children(NULL, 0) == 0);
        must("nothing is left to be reaped", waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
        return;
    }
    if (stop != NULL && !worked("stop", stop(task)))
        plait_task_destroy(task);
    else
        end_well(task, signal);
}

/* ---- those that are no forks of this program ---- */

/* In the heap. */
struct board {
    plait_start_method method;
    plait_lock lock;
    plait_queue *queue;
};

static int use_heap(void *arg)
{
    struct board *board = arg;

    if (!worked("acquire", plait_lock_acquire(&board->lock, plait_after_ms(15000))))
        return FAILED;
    plait_lock_release(&board->lock);
    return worked("put", plait_queue_put(board->queue, "word", 5, plait_after_ms(15000))) ? WELL
                                                                                          : FAILED;
}

static int start_another(void *arg)
{
    struct board *board = arg;
    plait_task_opts opts = { .method = board->method };

    start(use_heap, board, &opts, NULL, 0);
    return n_errors == 0 ? WELL : FAILED;
}

static int start_kinds(void *arg)
{
    plait_task *task = NULL;
    plait_task_opts fork = { .method = PLAIT_START_FORK };

    start(use_heap, arg, &fork, NULL, 0);
    if (worked("thread", plait_task_start(&task, PLAIT_THREAD, use_heap, arg, NULL)))
        worked("join", plait_task_join(task, plait_after_ms(15000)));
    plait_task_destroy(task);
    return n_errors == 0 ? WELL : FAILED;
}

/* In a library that the process does not have yet. */
static void start_in_library(const char *path, const plait_task_opts *opts)
{
    void *library = dlopen(path, RTLD_NOW);
    plait_task_fn *fn = NULL;

    if (library != NULL)
        *(void **)&fn = dlsym(library, "return_42");
    if (worked("dlopen", fn != NULL ? 0 : -ENOMEM))
        start(fn, NULL, opts, NULL, 0);
}

static void run_board(struct board *board, const plait_task_opts *opts)
{
    char word[5];
    ssize_t n;

    start(use_heap, board, opts, NULL, 0);
    start(start_another, board, opts, NULL, 0);
    start(start_kinds, board, opts, NULL, 0);
    while ((n = plait_queue_get(board->queue, word, sizeof word, PLAIT_NOWAIT)) > 0)
        must("what comes is whole", n == sizeof word && strcmp(word, "word") == 0);
}

static bool beside_thread; /* what it says of trees is said without one */

static void run_others(plait_start_method method, const char *library,
                       const plait_process_opts *process)
{
    int is_root = getuid() == 0;
    plait_task_opts opts = { .method = method },
                    all = { .method = method, .process = process, .arg_bytes = sizeof is_root },
                    tree = opts, both = all;
    struct board *board = plait_shared_alloc(sizeof *board);

    start_in_library(library, &opts);
    tree.tree = both.tree = true;
    start(look_around, &is_root, &all, NULL, 0);
    start(look_around, &is_root, &both, NULL, 0);
    if (!beside_thread)
        start(leave_a_daemon, NULL, &tree, NULL, 0);
    start(stand, NULL, &opts, plait_task_terminate, SIGTERM);
    start(stand, NULL, &opts, plait_task_kill, SIGKILL);
    if (!worked("heap", board != NULL ? 0 : -ENOMEM))
        return;
    board->method = method;
    if (worked("queue", plait_queue_create(&board->queue, NULL)))
        run_board(board, &opts);
    plait_queue_destroy(board->queue);
    plait_shared_free(board);
}

static void *stand_aside(void *arg)
{
    stand(arg);
    return NULL;
}

static void begin_others(int argc, char **argv)
{
    pthread_t thread;

    worked("init", plait_init(&argc, &argv));
    beside_thread = argc > 3;
    if (beside_thread)
        worked("pthread_create", -pthread_create(&thread, NULL, stand_aside, NULL));
}

/* ---- both ---- */

int main(int argc, char **argv)
{
    bool is_other = argc > 2;
    char *const environment[] = { NULL };
    const plait_limit limit = { RLIMIT_CORE, 0, 0 };
    int cpu = 0, is_root = getuid() == 0, keep[] = { 0, 1, 2 };
    plait_process_opts process = { .in = PLAIT_FD_NULL,
                                   .err = PLAIT_FD_OUT,
                                   .close_fds = true,
                                   .keep_fds = keep,
                                   .n_keep_fds = 3,
                                   .directory = "/usr",
                                   .environment = environment,
                                   .new_session = true,
                                   .has_nice = true,
                                   .nice = 15,
                                   .limits = &limit,
                                   .n_limits = 1,
                                   .cpus = &cpu,
                                   .n_cpus = 1,
                                   .group = is_root ? "65534" : NULL };
    plait_task_opts plain = { .process = &process }, both = { .process = &process, .tree = true };
    plait_task_opts tree = { .tree = true }, threads = { .tree = true, .with_threads = true };

    if (is_other) {
        begin_others(argc, argv);
        run_others(strcmp(argv[1], "spawn") == 0 ? PLAIT_START_SPAWN : PLAIT_START_FORKSERVER,
                   argv[2], &process);
        return n_errors > 0;
    }
    start(look_around, &is_root, &plain, NULL, 0);
    start(look_around, &is_root, &both, NULL, 0);
    start(leave_a_daemon, NULL, &tree, NULL, 0);
    start(stand, NULL, &threads, plait_task_terminate, SIGTERM);
    start(stand, NULL, &tree, plait_task_kill, SIGKILL);
    return n_errors > 0;
}
