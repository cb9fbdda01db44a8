/* Processes that are forked beside other threads.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include "os/sanitize.h"
#include "test.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int arguments;
static char **words;

/* plait_init is called where a case needs it, and in a process that such a one has made. */
void test_begin(int *argc, char ***argv)
{
    arguments = *argc;
    words = *argv;
    if (getenv("PLAIT_SPAWN") != NULL) {
        plait_init(argc, argv);
        _exit(98); /* one that came back from there would run all cases again */
    }
}

enum {
    THREADS = 8,
    STARTS = 40
};

static bool is_over; /* atomic */
static plait_lock lock;
static plait_queue *queue;
static int *shared;
static char said[256];

static void keep_message(plait_log_level level, const char *message, void *arg)
{
    (void)level;
    (void)arg;
    snprintf(said, sizeof said, "%s", message);
}

static int use_plait(void)
{
    char byte = 'x';
    void *block = plait_shared_alloc(100), *bytes = malloc(1000);

    plait_shared_free(block);
    free(bytes);
    if (block == NULL || bytes == NULL ||
        plait_queue_put(queue, &byte, 1, plait_after_ms(5000)) < 0 ||
        plait_queue_get(queue, &byte, 1, plait_after_ms(5000)) != 1)
        return 1;
    return 0;
}

static int return_code(void *arg)
{
    return *(int *)arg;
}

/* Everything that has a lock of its own somewhere. */
static int live(void *arg)
{
    static plait_lock fresh;
    plait_task *task = NULL;
    int code = 4, rc;

    (void)arg;
    if (use_plait() != 0)
        return 1;
    rc = plait_lock_acquire(&lock, PLAIT_NOWAIT); /* a thread of the parent's may have held it */
    if (rc == 0)
        plait_lock_release(&lock);
    else if (rc != -EDEADLK)
        return 2;
    if (plait_lock_acquire(&fresh, PLAIT_NOWAIT) < 0 || plait_lock_release(&fresh) < 0)
        return 3;
    if (plait_task_start(&task, PLAIT_PROCESS, return_code, &code, NULL) < 0 ||
        plait_task_join(task, PLAIT_FOREVER) < 0)
        return 4;
    plait_task_destroy(task);
    if (PLAIT__SANITIZER_THREADS > 0) /* the thread sanitizer ends a child that starts threads */
        return 300;
    if (plait_task_start(&task, PLAIT_THREAD, return_code, &code, NULL) < 0 ||
        plait_task_join(task, PLAIT_FOREVER) < 0)
        return 5;
    plait_task_destroy(task);
    return 300;
}

static void *hammer(void *arg)
{
    static int code; /* of tasks that may outlive us */

    (void)arg;
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        plait_task *task = NULL;
        CHECK_INT(use_plait(), 0);
        CHECK_INT(plait_lock_acquire(&lock, PLAIT_FOREVER), 0);
        ++*shared;
        CHECK_INT(plait_lock_release(&lock), 0);
        CHECK_INT(plait_task_start(&task, PLAIT_THREAD, return_code, &code, NULL), 0);
        plait_task_destroy(task);
    }
    return NULL;
}

TEST(without_the_word_a_fork_beside_threads_is_refused_and_says_what_to_do)
{
    plait_task *task = NULL;
    pthread_t thread;

    plait_log_set(keep_message, NULL, PLAIT_LOG_WARNING);
    shared = plait_shared_alloc(sizeof *shared);
    CHECK_INT(plait_queue_create(&queue, NULL), 0);
    CHECK_INT(pthread_create(&thread, NULL, hammer, NULL), 0);
    CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, live, NULL, NULL), PLAIT_ETHREADS);
    CHECK(strstr(said, "with_threads") != NULL);
    CHECK(strstr(plait_strerror(PLAIT_ETHREADS), "start processes before") != NULL);
    __atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

TEST(without_plait_init_no_keeper_is_made_beside_threads)
{
    plait_task_opts opts = { .method = PLAIT_START_FORKSERVER };
    plait_task *task = NULL;
    pthread_t thread;

    shared = plait_shared_alloc(sizeof *shared);
    CHECK_INT(plait_queue_create(&queue, NULL), 0);
    CHECK_INT(pthread_create(&thread, NULL, hammer, NULL), 0);
    CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, live, NULL, &opts), PLAIT_ETHREADS);
    CHECK_INT(plait_keeper_start(), PLAIT_ETHREADS);
    CHECK(strstr(plait_strerror(PLAIT_ETHREADS), "call plait_init first") != NULL);
    __atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

static void start_many(int n, bool tree)
{
    plait_task_opts opts = { .with_threads = true, .tree = tree };

    for (int i = 0; i < n; i++) {
        plait_task *task = NULL;
        plait_outcome end;
        CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, live, NULL, &opts), 0);
        CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_outcome(task, &end), 0);
        CHECK_INT(end.kind, PLAIT_RETURNED);
        CHECK_INT(end.code, 300);
        plait_task_destroy(task);
    }
}

TEST_LIMIT(with_it_the_child_finds_all_locks_in_order, 60)
{
    pthread_t threads[THREADS];
    const char *starts = getenv("PLAIT_STARTS");
    int n = starts != NULL ? atoi(starts) : STARTS;

#ifdef PLAIT__ASAN
    test_skip("the address sanitizer's allocator stays locked in a child of a fork");
#endif

    shared = plait_shared_alloc(sizeof *shared);
    CHECK_INT(plait_queue_create(&queue, NULL), 0);
    CHECK_INT(plait_keeper_start(), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, hammer, NULL), 0);
    start_many(n, false);
    start_many(n / 4, true);
    __atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    CHECK(*shared > 0);
}

static void *start_one(void *ret)
{
    plait_task_opts opts = { .with_threads = true };
    int seven = 7;

    CHECK_INT(plait_task_start(ret, PLAIT_PROCESS, return_code, &seven, &opts), 0);
    return NULL;
}

/* The kernel would end it with the thread that forked it. */
TEST(the_end_of_the_thread_that_forked_it_is_not_that_of_the_process)
{
    plait_task *task = NULL;
    plait_outcome end;
    pthread_t thread;

    for (int i = 0; i < 20; i++) {
        CHECK_INT(plait_keeper_start(), 0);
        CHECK_INT(pthread_create(&thread, NULL, start_one, &task), 0);
        CHECK_INT(pthread_join(thread, NULL), 0);
        CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_outcome(task, &end), 0);
        CHECK_INT(end.kind, PLAIT_RETURNED);
        CHECK_INT(end.code, 7);
        plait_task_destroy(task);
    }
}

static void compute(void *arg)
{
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_RELAXED);
}

/* Of the board: what a task does and sees, in a process whose threads are its own. */
struct sum {
    void (*parallel)(void (*fn)(void *arg), void *arg, unsigned threads, unsigned flags);
    int n;
};

static int compute_in_parallel(void *arg)
{
    struct sum *sum = arg;
    void *library = dlopen("libgomp.so.1", RTLD_NOW);

    if (library == NULL)
        return 1;
    *(void **)&sum->parallel = dlsym(library, "GOMP_parallel");
    sum->parallel(compute, &sum->n, 4, 0);
    return __atomic_load_n(&sum->n, __ATOMIC_RELAXED) > 1 ? 300 : 2;
}

/* GCC's OpenMP keeps its threads: a program that has used it once has them for ever. */
TEST(a_program_with_openmp_forks)
{
    void (*parallel)(void (*fn)(void *arg), void *arg, unsigned threads, unsigned flags);
    void *library = dlopen("libgomp.so.1", RTLD_NOW);
    plait_task *task = NULL;
    int n = 0;

    if (library == NULL)
        test_skip("there is no libgomp");
    *(void **)&parallel = dlsym(library, "GOMP_parallel");
    CHECK(parallel != NULL);
    CHECK_INT(plait_keeper_start(), 0);
    CHECK_INT(plait_queue_create(&queue, NULL), 0);
    parallel(compute, &n, 4, 0);
    CHECK(__atomic_load_n(&n, __ATOMIC_RELAXED) > 1); /* a sanitizer does not see their end */
    plait_log_set(keep_message, NULL, PLAIT_LOG_WARNING);
    CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, live, NULL, NULL), PLAIT_ETHREADS);
    start_many(2, false);
    parallel(compute, &n, 4, 0); /* and goes on */
}

/* Where a fork of it could not use OpenMP itself. */
TEST_LIMIT(a_program_with_eight_openmp_threads_has_spawn_and_forkserver_without_a_word, 30)
{
    plait_start_method methods[] = { PLAIT_START_FORKSERVER, PLAIT_START_SPAWN };
    void (*parallel)(void (*fn)(void *arg), void *arg, unsigned threads, unsigned flags);
    void *library = dlopen("libgomp.so.1", RTLD_NOW);
    int n = 0;

    if (library == NULL)
        test_skip("there is no libgomp");
    *(void **)&parallel = dlsym(library, "GOMP_parallel");
    parallel(compute, &n, THREADS, 0);
    CHECK_INT(plait_init(&arguments, &words), 0);
    for (int i = 0; i < 4; i++) {
        struct sum *sum = plait_shared_alloc(sizeof *sum);
        plait_task_opts opts = { .method = methods[i % 2] };
        plait_task *task = NULL;
        plait_outcome end;
        CHECK(sum != NULL);
        CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, compute_in_parallel, sum, &opts), 0);
        parallel(compute, &n, THREADS, 0);
        CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_outcome(task, &end), 0);
        CHECK_INT(end.code, 300);
        plait_task_destroy(task);
        plait_shared_free(sum);
    }
    CHECK(__atomic_load_n(&n, __ATOMIC_RELAXED) > 1);
}
