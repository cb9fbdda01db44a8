/* --so: functions that run in a pool.
 * SPDX-License-Identifier: MIT
 *
 * What the keeper is for commands, a pool is for functions. It has more of them than workers, where no
 * option has a say in when the next one starts, so that no worker waits for the engine. Waiting runs
 * no job on the engine's own stack: it would not see a Ctrl-C there.
 */
#include "chan/bell.h"
#include "cmd/map/engine.h"
#include "cmd/map/so_load.h"
#include "cmd/map/so_run.h"
#include "os/clock.h"
#include "pool/bell.h"
#include "wait/wait.h"

#include <errno.h>

enum {
    AHEAD = 16,        /* jobs for each worker … */
    AHEAD_MOST = 4096, /* … and for all */
    SLICE_MS = 20,     /* then descriptors are looked at again, signals among them */
    GRACE_MS = 1000,   /* of a function that is asked to end, without --kill-after */
    HAND_OVER_MS = 20,
    CLOSE_MS = 5000,
    STEPS_MS = 100, /* between two looks how far they are */
    NS_PER_MS = 1000 * 1000,
};

static int64_t to_ms(int64_t ns)
{
    return ns / NS_PER_MS + (ns % NS_PER_MS != 0);
}

int map_so_open(struct map_engine *engine, struct plait__buf *error)
{
    void *function = NULL;
    int rc = map_so_load(&function, engine->options->so, error);

    if (rc == 0)
        map_so_run_set(function, engine->options);
    return rc;
}

int map_so_start(struct map_engine *engine)
{
    const struct map_options *options = engine->options;
    struct map_so *so = &engine->so;
    static const plait_kind kinds[] = { [MAP_AS_PROCESS] = PLAIT_PROCESS,
                                        [MAP_AS_THREAD] = PLAIT_THREAD,
                                        [MAP_AS_COROUTINE] = PLAIT_COROUTINE };
    bool is_process = options->as == MAP_AS_PROCESS;
    plait_pool_opts opts = { .workers = engine->full_limit,
                             .name = "plait-map",
                             .init = is_process ? map_so_run_prepare : NULL,
                             .grace_ms = GRACE_MS };

    if (options->has_kill_after)
        opts.grace_ms = to_ms(options->kill_after_ns);
    plait__list_init(&so->running);
    plait__list_init(&so->ended);
    if (engine->lines_up && engine->full_limit < AHEAD_MOST / AHEAD)
        engine->limit = engine->full_limit *= AHEAD;
    engine->lines_up = false; /* the pool does that */
    opts.max_pending = engine->full_limit;
    return plait_pool_create(&so->pool, kinds[options->as], &opts);
}

/* In the task that asked: the engine's. */
static void note_end(plait_future *future, void *arg)
{
    struct map_job *job = arg;

    (void)future;
    plait__list_remove(&job->in_pool);
    plait__list_push_back(job->ended, &job->in_pool);
}

int map_so_submit(struct map_engine *engine, struct map_job *job)
{
    const struct map_options *options = engine->options;
    struct plait__buf in = { 0 };
    plait_job wanted = { .text_fn = map_so_run, .then = note_end, .then_arg = job };
    int rc = map_so_run_pack(&in, &job->command);

    plait_future_unref(job->future); /* of an earlier attempt */
    job->future = NULL;
    job->ended = &engine->so.ended;
    wanted.in = in.data;
    wanted.in_bytes = in.len;
    wanted.soft_ms = to_ms(options->timeout_ns);
    wanted.hard_ms = wanted.soft_ms;
    if (options->has_kill_after && wanted.soft_ms > 0)
        wanted.hard_ms += to_ms(options->kill_after_ns);
    plait__list_push_back(&engine->so.running, &job->in_pool);
    if (rc == 0)
        rc =
            plait_pool_submit(engine->so.pool, &job->future, &wanted, plait_after_ms(HAND_OVER_MS));
    if (rc < 0)
        plait__list_remove(&job->in_pool);
    plait__buf_fini(&in);
    return rc;
}

/* Has one ended? Asking after one brings in all. */
static bool pump(struct map_so *so)
{
    if (plait__list_is_empty(&so->ended) && !plait__list_is_empty(&so->running))
        plait_future_is_ready(plait__list_entry(so->running.next, struct map_job, in_pool)->future);
    return !plait__list_is_empty(&so->ended);
}

/* For the bar. */
static void count_steps(struct map_engine *engine)
{
    int64_t now = plait__os_now_ns();
    plait_pool_usage usage;

    if (now < engine->so.look_ns || plait_pool_stats(engine->so.pool, &usage) < 0)
        return;
    engine->counts.steps_done = usage.progress_done;
    engine->counts.steps = usage.progress_total;
    engine->so.look_ns = now + (int64_t)STEPS_MS * NS_PER_MS;
}

int map_so_wait(struct map_engine *engine, size_t n, int64_t until_ns)
{
    int64_t slice = plait__os_now_ns() + (int64_t)SLICE_MS * NS_PER_MS;
    uint32_t *bell = plait__ends_bell(), seen;
    int rc;

    count_steps(engine);
    if (plait__list_is_empty(&engine->so.running) && plait__list_is_empty(&engine->so.ended))
        return plait__wait_fds(engine->fds, n, (plait_deadline){ until_ns });
    if (!pump(&engine->so)) {
        seen = plait__bell_announce(bell, 1);
        rc = plait__wait_fds(engine->fds, n, PLAIT_NOWAIT);
        if (rc > 0)
            return rc;
        if (!pump(&engine->so))
            plait__wait_word(bell, seen, (plait_deadline){ until_ns < slice ? until_ns : slice });
    }
    return plait__wait_fds(engine->fds, n, PLAIT_NOWAIT);
}

void map_so_hear(struct map_engine *engine)
{
    struct map_so *so = &engine->so;

    engine->is_keeper_full = false;
    pump(so);
    while (!plait__list_is_empty(&so->ended)) {
        struct map_job *job = plait__list_entry(so->ended.next, struct map_job, in_pool);
        plait__list_remove(&job->in_pool);
        map_engine_end_function(engine, job);
    }
}

void map_so_stop(struct map_engine *engine, bool now)
{
    if (now && engine->so.pool != NULL)
        plait_pool_terminate(engine->so.pool);
    for (unsigned i = 0; i < engine->n_slots && !now; i++)
        if (engine->slots[i] != NULL)
            plait_future_cancel(engine->slots[i]->future, true);
}

bool map_so_close(struct map_engine *engine)
{
    struct map_so *so = &engine->so;

    if (so->pool == NULL)
        return true;
    if (!plait__list_is_empty(&so->running) && engine->options->as != MAP_AS_PROCESS)
        return false;
    plait_pool_terminate(so->pool);
    if (plait_pool_join(so->pool, plait_after_ms(CLOSE_MS)) < 0)
        return false; /* whatever holds it up: its processes end with ours */
    plait_pool_destroy(so->pool);
    so->pool = NULL;
    return true;
}
