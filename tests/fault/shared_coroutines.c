/* The fault injector's shared program: coroutines, and what they wait for.
 * SPDX-License-Identifier: MIT
 */
#include "shared_support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TASKS = 12
};

static const int of_wait[] = { ENOMEM, EMFILE, EUSERS, ENOSPC, ETIMEDOUT, EDEADLK, 0 };

/* What the coroutines of one scene share. */
struct scene {
    int pipe[2];
    plait_event all_here;
    plait_semaphore turn;
    uint32_t n_begun, n_ended; /* atomic */
    uint32_t n_asked;
};

/* Each waits on memory, for a moment, and for a descriptor. */
static int pass(void *arg)
{
    struct scene *scene = arg;
    plait_waitable on[2];
    ssize_t rc;

    __atomic_add_fetch(&scene->n_begun, 1, __ATOMIC_SEQ_CST);
    worked("sleep", plait_sleep(plait_after_ms(1)), of_wait);
    worked("on_fd", plait_on_fd(&on[0], scene->pipe[0], PLAIT_READABLE), of_nothing);
    worked("on_set", plait_event_on_set(&on[1], &scene->all_here), of_nothing);
    rc = plait_select(on, 2, soon());
    if (worked("select", rc, of_wait))
        must("the pipe or the event is ready", rc == 0 || rc == 1);
    rc = plait_select(on, 1, soon());
    if (worked("select", rc, of_wait))
        must("the pipe is ready", rc == 0);
    worked("wait", plait_event_wait(&scene->all_here, soon()), of_wait);
    if (worked("acquire", plait_semaphore_acquire(&scene->turn, soon()), of_wait))
        worked("release", plait_semaphore_release(&scene->turn), of_nothing);
    plait_yield();
    __atomic_add_fetch(&scene->n_ended, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int stay(void *arg)
{
    (void)arg;
    return plait_sleep(PLAIT_FOREVER);
}

static void start_some(struct scene *scene, plait_group *group, plait_task **tasks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int rc = i % 3 == 0   ? plait_go(pass, scene)
                 : i % 3 == 1 ? plait_group_go(group, pass, scene, soon())
                              : plait_task_start(&tasks[i], PLAIT_COROUTINE, pass, scene, NULL);
        scene->n_asked += worked("start", rc, of_threads);
    }
}

static void tell_use(const plait_stack_use *use, void *arg)
{
    (void)arg;
    must("a stack is not used beyond its end", use->used_bytes <= use->stack_bytes);
}

static void use_group(struct scene *scene)
{
    plait_task *tasks[TASKS] = { NULL };
    plait_group *group = NULL;

    if (!worked("group", plait_group_create(&group, NULL), of_family)) {
        close(scene->pipe[1]);
        return;
    }
    start_some(scene, group, tasks, TASKS);
    worked("yield by sleep", plait_sleep(plait_after_ms(3)), of_wait);
    worked("census", plait_stack_census(tell_use, NULL, soon()), of_wait);
    must("set", plait_event_set(&scene->all_here) == 0);
    close(scene->pipe[1]); /* the end of file is something to read */
    worked("join", plait_group_join(group, soon()), of_wait);
    for (size_t i = 0; i < TASKS; i++)
        if (tasks[i] != NULL && worked("join", plait_task_join(tasks[i], soon()), of_wait))
            plait_task_destroy(tasks[i]);
    plait_group_destroy(group);
}

static int twice(const void *in, void *out, void *ctx)
{
    (void)ctx;
    plait_yield();
    *(int *)out = 2 * *(const int *)in;
    return 0;
}

static int give(void *item, void *arg)
{
    int *next = arg;

    memcpy(item, next, sizeof *next);
    return ++*next <= 5;
}

/* Each item has its value, or is counted as one that has none. */
static void use_maps(void)
{
    plait_imap_opts opts = { .in_bytes = sizeof(int), .out_bytes = sizeof(int) };
    const int n[4] = { 1, 2, 3, 4 };
    int twos[4] = { 0 }, two, next = 0, rc, n_good = 0;
    plait_group *group = NULL;
    plait_imap *imap = NULL;
    plait_result how;

    if (!worked("group", plait_group_create(&group, &(plait_group_opts){ .max_running = 2 }),
                of_family))
        return;
    rc = plait_group_map(group, twice, PLAIT_IN(n), PLAIT_OUT(twos), NULL, soon());
    for (int i = 0; i < 4; i++)
        n_good += twos[i] == 2 * n[i];
    if (worked("map", rc, of_wait))
        must("the others have their values", n_good >= 4 - rc);
    if (worked("imap", plait_group_imap(group, &imap, twice, give, &next, &opts), of_wait)) {
        int told = 0;
        while ((rc = plait_imap_next(imap, &two, &how, soon())) == 1)
            must("it is the next one", two == 2 * told++ || how.end != PLAIT_JOB_VALUE);
        if (worked("next", rc, of_wait))
            must("all are told", told == 5);
        plait_imap_destroy(imap);
    }
    plait_group_destroy(group);
}

static int add_both(const void *const *row, void *out, void *ctx)
{
    (void)ctx;
    *(int *)out = *(const int *)row[0] + *(const int *)row[1];
    return 0;
}

static void use_graph(void)
{
    static const char *const needs[][2] = { { "a", "b" }, { "c", "a" } };
    plait_graph *graph = NULL;
    int rc = plait_graph_create(&graph, NULL), value = 0;
    bool all = true;

    if (!worked("graph", rc, of_wait))
        return;
    for (int i = 1; i >= 0; i--) {
        plait_graph_node node = { .key = i == 0 ? "c" : "d",
                                  .fn = add_both,
                                  .needs = needs[i],
                                  .n_needs = 2,
                                  .out_bytes = sizeof(int) };
        all &= worked("add", plait_graph_add(graph, &node), of_wait);
    }
    for (int i = 1; i <= 2; i++)
        all &= worked("post", plait_graph_post(graph, i == 1 ? "a" : "b", &i, sizeof i), of_wait);
    rc = plait_graph_wait(graph, soon());
    if (worked("graph", rc, of_wait) && rc == 0 && all)
        must("it has its value",
             plait_graph_get(graph, "d", &value, sizeof value, soon()) == sizeof value &&
                 value == 4);
    plait_graph_destroy(graph);
}

/* All that was begun ends, whatever failed. */
static int use_coroutines(void *arg)
{
    struct scene scene = { .pipe = { -1, -1 } };
    plait_task *task = NULL;

    (void)arg;
    must("init", plait_semaphore_init(&scene.turn, 1) == 0);
    if (!worked("pipe", pipe(scene.pipe) < 0 ? -errno : 0, of_system))
        return 0;
    use_group(&scene);
    for (int i = 0; i < 1000 && scene.n_ended < scene.n_begun; i++)
        plait_sleep(plait_after_ms(2));
    must("all that has begun has ended", scene.n_ended == scene.n_begun);
    must("what was accepted has begun", scene.n_begun == scene.n_asked || n_errors > 0);
    if (worked("start", plait_task_start(&task, PLAIT_COROUTINE, stay, NULL, NULL), of_threads)) {
        plait_yield();
        worked("terminate", plait_task_terminate(task), of_nothing);
        worked("join", plait_task_join(task, soon()), of_wait);
        plait_task_destroy(task);
    }
    close(scene.pipe[0]);
    use_maps();
    use_graph();
    return 0;
}

void run_coroutines(const char *name)
{
    (void)name;
    in_all(use_coroutines, NULL);
}
