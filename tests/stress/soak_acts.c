/* The soak: what its coroutines do in a round.
 * SPDX-License-Identifier: MIT
 */
#include "soak.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ITEMS = 200,
    SLEEPERS = 20,
    NUMBERS = 30,
    MESSAGE = 700, /* bytes */
};

int soak_run(plait_task_fn *fn, void *arg)
{
    plait_task *task = NULL;
    plait_outcome end;

    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, fn, arg, NULL), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    plait_task_destroy(task);
    return end.code;
}

/* ---- queues and pipes ---- */

struct traffic {
    plait_queue *queue;
    plait_pipe *here, *there;
    plait_lock lock;
    plait_condition condition;
    uint32_t n_done; /* lock */
    uint64_t sum;
};

static int put_all(void *arg)
{
    struct traffic *traffic = arg;
    char bytes[MESSAGE];

    memset(bytes, 1, sizeof bytes);
    for (uint32_t i = 0; i < ITEMS; i++) {
        CHECK_INT(plait_queue_put(traffic->queue, &i, sizeof i, PLAIT_FOREVER), 0);
        if (i % 10 == 0)
            CHECK_INT(plait_pipe_send(traffic->here, bytes, sizeof bytes, PLAIT_FOREVER), 0);
    }
    return plait_queue_close(traffic->queue);
}

static int get_all(void *arg)
{
    struct traffic *traffic = arg;
    char bytes[MESSAGE];
    uint32_t number;

    while (plait_queue_get(traffic->queue, &number, sizeof number, PLAIT_FOREVER) > 0) {
        traffic->sum += number;
        if (number % 10 == 0)
            CHECK_INT(plait_pipe_recv(traffic->there, bytes, sizeof bytes, PLAIT_FOREVER), MESSAGE);
    }
    CHECK_INT(plait_lock_acquire(&traffic->lock, PLAIT_FOREVER), 0);
    traffic->n_done++;
    plait_condition_notify_all(&traffic->condition);
    return plait_lock_release(&traffic->lock);
}

static void move_things(void)
{
    struct traffic *traffic = plait_shared_alloc(sizeof *traffic);

    CHECK(traffic != NULL);
    CHECK_INT(plait_queue_create(&traffic->queue, &(plait_queue_opts){ .max_items = 7 }), 0);
    CHECK_INT(plait_pipe_create(&traffic->here, &traffic->there, NULL), 0);
    CHECK_INT(plait_go(put_all, traffic), 0);
    CHECK_INT(plait_go(get_all, traffic), 0);
    CHECK_INT(plait_lock_acquire(&traffic->lock, PLAIT_FOREVER), 0);
    while (traffic->n_done == 0)
        CHECK_INT(plait_condition_wait(&traffic->condition, &traffic->lock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_lock_release(&traffic->lock), 0);
    CHECK_INT(traffic->sum, (uint64_t)ITEMS * (ITEMS - 1) / 2);
    plait_queue_destroy(traffic->queue);
    plait_pipe_destroy(traffic->here);
    plait_pipe_destroy(traffic->there);
    CHECK_INT(plait_shared_free(traffic), 0);
}

/* ---- timers, scopes, cancellation ---- */

static int sleep_so_long(void *arg)
{
    return plait_sleep(plait_after_ns((int64_t)(intptr_t)arg));
}

static void use_timers(void)
{
    plait_group *group = NULL;
    plait_task *later = NULL, *never = NULL;
    plait_scope scope;

    CHECK_INT(plait_group_create(&group, NULL), 0);
    for (intptr_t i = 1; i <= SLEEPERS; i++)
        CHECK_INT(plait_group_go(group, sleep_so_long, (void *)(i * 50 * 1000), PLAIT_FOREVER), 0);
    for (intptr_t i = 1; i <= SLEEPERS; i++) /* for ever, but for the cancellation */
        CHECK_INT(plait_group_go(group, sleep_so_long, (void *)INTPTR_MAX, PLAIT_FOREVER), 0);
    CHECK_INT(plait_go_after(&later, 1, sleep_so_long, NULL), 0);
    CHECK_INT(plait_go_after(&never, 3600 * 1000, sleep_so_long, NULL), 0);
    CHECK_INT(plait_scope_enter(&scope, plait_after_ms(1)), 0);
    CHECK_INT(plait_group_join(group, PLAIT_FOREVER), -ETIMEDOUT);
    CHECK(plait_scope_leave(&scope));
    CHECK_INT(plait_task_join(later, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_terminate(never), 0);
    CHECK_INT(plait_task_join(never, PLAIT_FOREVER), 0);
    plait_task_destroy(later);
    plait_task_destroy(never);
    plait_group_destroy(group); /* asks them to end */
}

/* ---- the rest ---- */

static int yield_numbers(plait_gen *gen, void *arg)
{
    int rc = 0;

    for (intptr_t i = 0; i < NUMBERS && rc == 0; i++) {
        rc = plait_sleep(PLAIT_NOWAIT);
        if (rc == 0)
            rc = plait_gen_yield(gen, (void *)i);
    }
    (void)arg;
    return rc;
}

static void use_generator(bool is_given_up)
{
    plait_gen *gen = NULL;
    void *value;
    intptr_t n = 0;

    CHECK_INT(plait_gen_create(&gen, yield_numbers, NULL, NULL), 0);
    for (; (!is_given_up || n < 5) && plait_gen_next(gen, &value) == 1; n++)
        CHECK_INT((intptr_t)value, n);
    CHECK_INT(n, is_given_up ? 5 : NUMBERS);
    plait_gen_destroy(gen);
}

static int set_event(void *arg)
{
    return plait_event_set(arg);
}

static void use_select(void)
{
    plait_event event = { 0 };
    plait_waitable on[2];
    int fds[2];

    CHECK_INT(pipe(fds), 0);
    CHECK_INT(plait_event_on_set(&on[0], &event), 0);
    CHECK_INT(plait_on_fd(&on[1], fds[0], PLAIT_READABLE), 0);
    CHECK_INT(plait_go(set_event, &event), 0);
    CHECK_INT(plait_select(on, 2, PLAIT_FOREVER), 0);
    CHECK_INT(write(fds[1], "x", 1), 1);
    CHECK_INT(plait_event_clear(&event), 0);
    CHECK_INT(plait_select(on, 2, PLAIT_FOREVER), 1);
    close(fds[0]);
    close(fds[1]);
}

int soak_common(void *arg)
{
    uint64_t round = *(const uint64_t *)arg;

    move_things();
    use_timers();
    use_generator(round % 2 == 0);
    use_select();
    return 0;
}

/* ---- with one thread ---- */

static int send_signal(void *arg)
{
    (void)arg;
    return kill(getpid(), SIGUSR1);
}

static void use_signals(void)
{
    const int signals[] = { SIGUSR1 };

    CHECK_INT(plait_go(send_signal, NULL), 0);
    CHECK_INT(plait_signal_wait(signals, 1, PLAIT_FOREVER), SIGUSR1);
}

/* In a child that a coroutine has forked. */
static void live_in_child(uint64_t round)
{
    CHECK_INT(soak_run(soak_common, &round), 0);
    _exit(7);
}

static void fork_plainly(uint64_t round)
{
    pid_t pid = fork();
    int status;

    CHECK(pid >= 0);
    if (pid == 0)
        live_in_child(round);
    CHECK_INT(plait_pid_wait(pid, PLAIT_FOREVER), 0);
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 7);
}

static int answer(void *arg)
{
    (void)arg;
    return plait_sleep(plait_after_ms(1)) == 0 ? 42 : 1;
}

static void start_process(bool is_killed)
{
    plait_task *task = NULL;
    plait_outcome end;

    CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, answer, NULL, NULL), 0);
    if (is_killed)
        CHECK_INT(plait_task_kill(task), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK(end.kind == (is_killed ? PLAIT_SIGNALLED : PLAIT_RETURNED) || is_killed);
    CHECK(is_killed || end.code == 42);
    plait_task_destroy(task);
}

static int work_with_one_thread(void *arg)
{
    uint64_t round = *(const uint64_t *)arg;

    CHECK_INT(soak_common(arg), 0);
    use_signals();
    if (round % 2 == 0)
        fork_plainly(round);
    else
        start_process(round % 8 == 1);
    return 0;
}

void soak_fork_round(uint64_t round)
{
    CHECK_INT(soak_run(work_with_one_thread, &round), 0);
}

/* ---- with threads ---- */

static int square(const void *in, void *out, void *ctx)
{
    (void)ctx;
    *(long *)out = *(const long *)in * *(const long *)in;
    return 0;
}

static int offload_some(void *arg)
{
    for (long i = 0, out = 0; i < 10; i++) {
        plait_job job = { .fn = square, .in = &i, .in_bytes = sizeof i, .out_bytes = sizeof out };
        CHECK_INT(plait_offload(PLAIT_OFFLOAD_ANY, &job, &out, sizeof out, PLAIT_FOREVER),
                  sizeof out);
        CHECK_INT(out, i * i);
    }
    (void)arg;
    return 0;
}

static int grow_tree(void *arg)
{
    intptr_t depth = (intptr_t)arg;

    for (int i = 0; i < 4 && depth > 0; i++)
        CHECK_INT(plait_go(grow_tree, (void *)(depth - 1)), 0);
    return plait_sleep(plait_after_ns(10 * 1000));
}

static void use_pool(plait_kind kind)
{
    long in[50], out[50];
    plait_pool *pool = NULL;

    for (long i = 0; i < 50; i++)
        in[i] = i;
    CHECK_INT(plait_pool_create(&pool, kind, &(plait_pool_opts){ .workers = 3 }), 0);
    CHECK_INT(plait_pool_map(pool, square, PLAIT_IN(in), PLAIT_OUT(out), NULL, PLAIT_FOREVER), 0);
    CHECK_INT(out[49], 49 * 49);
    plait_pool_destroy(pool);
}

static int work_in_thread(void *arg)
{
    return soak_run(soak_common, arg);
}

static void start_thread(uint64_t round)
{
    plait_task *task = NULL;

    CHECK_INT(plait_task_start(&task, PLAIT_THREAD, work_in_thread, &round, NULL), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    plait_task_destroy(task);
}

static int work_with_threads(void *arg)
{
    uint64_t round = *(const uint64_t *)arg;

    CHECK_INT(plait_go(grow_tree, (void *)(intptr_t)4), 0);
    CHECK_INT(plait_go(offload_some, NULL), 0);
    CHECK_INT(soak_common(arg), 0);
    use_pool(round % 2 == 0 ? PLAIT_COROUTINE : PLAIT_THREAD);
    if (round % 4 == 0)
        start_thread(round);
    return 0;
}

void soak_thread_round(uint64_t round)
{
    CHECK_INT(soak_run(work_with_threads, &round), 0);
}
