/* The engine's loop: one wait for signals, the keeper, the input and the output of jobs.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/engine.h"
#include "base/time.h"
#include "cmd/exit.h"
#include "os/clock.h"
#include "os/signal.h"
#include "task/keeper.h"
#include "wait/wait.h"

#include <plait/error.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FAREWELL_S = 1,   /* after a signal a reader that takes nothing for so long is given up */
    TIMES_NEEDED = 3, /* as with GNU parallel */
};

/* ---- signals ---- */

static void pause_all(struct map_engine *engine)
{
    int64_t begin = plait__os_now_ns();

    map_report_wipe(engine->report);
    plait__keeper_pause();
    plait__os_stop_self();
    plait__keeper_resume();
    for (unsigned i = 0; i < engine->n_slots; i++) /* the pause is not part of anybody's time */
        if (engine->slots[i] != NULL)
            engine->slots[i]->started_ns += plait__os_now_ns() - begin;
}

/* Functions that nobody can kill? */
static bool is_ours(const struct map_engine *engine)
{
    return engine->options->so != NULL && engine->options->as != MAP_AS_PROCESS;
}

/* The first one asks, the second one kills, the third one waits for nobody. */
static void take_stop_signal(struct map_engine *engine, int number)
{
    unsigned n;

    if (engine->stop_signals++ > 0) {
        map_engine_stop(engine, 0);
        return;
    }
    engine->signal = number;
    engine->out.give_up_ns = engine->err.give_up_ns =
        plait__os_now_ns() + FAREWELL_S * PLAIT__SECOND_NS;
    map_engine_stop(engine, map_kill_after(engine->options));
    n = engine->counts.running < engine->counts.slots ? engine->counts.running
                                                      : engine->counts.slots; /* --so has more */
    if (n > 0)
        map_report_say(engine->report, "ending %u running job%s (once more: %s)", n,
                       n == 1 ? "" : "s", is_ours(engine) ? "give up" : "kill");
}

/* All signals that came. -EINTR: give up what is being written. */
static int take_signals(void *arg)
{
    struct map_engine *engine = arg;
    int number;

    while ((number = plait__os_signal_read(engine->signals)) > 0) {
        if (number == SIGTSTP)
            pause_all(engine);
        else if (number == SIGCONT)
            plait__keeper_resume(); /* after SIGSTOP the jobs go on anyway, and this is nothing */
        else
            take_stop_signal(engine, number);
    }
    return engine->stop_signals > 1 ? -EINTR : 0;
}

/* ---- what the keeper and the jobs say ---- */

static struct map_job *find_job(struct map_engine *engine, uint64_t id)
{
    for (unsigned i = 0; i < engine->n_slots; i++)
        if (engine->slots[i] != NULL && engine->slots[i]->id == id)
            return engine->slots[i];
    return NULL;
}

/* What was in line has not been started. */
static void give_back_next(struct map_engine *engine)
{
    struct map_job *job = engine->next;

    engine->next = NULL;
    if (job != NULL && engine->phase == MAP_STARTING)
        map_engine_put_back(engine, job, plait__os_now_ns());
    else
        map_job_free(engine, job);
}

/* The keeper died, and with it what it ran. */
static void lose_jobs(struct map_engine *engine)
{
    if (engine->counts.running > 0)
        map_report_say(engine->report, "the keeper died; %u running job%s killed with it",
                       engine->counts.running, engine->counts.running == 1 ? " was" : "s were");
    for (unsigned i = 0; i < engine->n_slots; i++)
        if (engine->slots[i] != NULL)
            map_engine_end_job(engine, engine->slots[i], NULL);
    give_back_next(engine);
    engine->is_keeper_full = false; /* the next one */
}

/* Some command is over, or was refused. */
static void hear_end(struct map_engine *engine, const struct plait__command_end *end)
{
    struct map_job *job = find_job(engine, end->id), *next = find_job(engine, end->next);
    unsigned slot;

    if (job == NULL) {
        if (engine->next != NULL && engine->next->id == end->id)
            give_back_next(engine);
        return;
    }
    slot = job->slot;
    map_engine_end_job(engine, job, end);
    if (end->next == 0)
        return;
    if (next != NULL) { /* we had given it another slot when this end was on its way */
        engine->slots[next->slot - 1] = NULL;
        engine->slots[slot - 1] = next;
        next->slot = slot;
    } else if (engine->next != NULL && engine->next->id == end->next) {
        map_engine_place_next(engine, slot, plait__os_now_ns());
    }
}

/* False: everything below the keeper has ended. */
static bool hear_keeper(struct map_engine *engine)
{
    struct plait__command_end end;

    for (;;) {
        int rc = plait__keeper_next(&end, PLAIT_NOWAIT);
        if (rc == 0) {
            engine->all_ended = true;
            return false;
        }
        if (rc == PLAIT_EKEEPER) {
            lose_jobs(engine);
            return engine->phase != MAP_STOPPING;
        }
        if (rc != 1)
            return true;
        hear_end(engine, &end);
    }
}

static void hear_stream(struct map_engine *engine, struct map_job *job, bool is_err)
{
    struct map_stream *stream = is_err ? &job->err : &job->out;
    int rc = map_stream_read(&engine->spool, stream);
    bool is_its_turn = !engine->options->keep_order || job->order == engine->next_print;

    if (rc == 0) {
        close(stream->fd);
        stream->fd = -1;
    } else if (rc < 0 && rc != -EAGAIN) {
        close(stream->fd);
        stream->fd = -1;
        job->is_cut = true;
        map_engine_fail(engine, CMD_EXIT_ERROR, "cannot keep the output of job %" PRIu64 ": %s",
                        job->seq, plait_strerror(rc));
    } else if (rc == 1 && engine->options->output == MAP_OUTPUT_LINES && is_its_turn &&
               job->attempt >= engine->options->retries) {
        rc = map_engine_print_lines(engine, job, is_err);
        if (rc < 0)
            map_engine_output_failed(engine, rc);
    }
}

/* Reads and forgets; false at the end. */
static bool hear_leftover(int fd)
{
    char bytes[1024];
    ssize_t n = read(fd, bytes, sizeof bytes);

    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* ---- --timeout N% ---- */

static int compare_times(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

/* Ends what runs for more than the percentage of the median; when to look again. */
static int64_t end_slow_jobs(struct map_engine *engine, int64_t now_ns)
{
    int64_t sorted[128], limit, next = INT64_MAX;
    size_t n = engine->n_times < 128 ? engine->n_times : 128;

    if (engine->options->timeout_percent == 0 || engine->n_times < TIMES_NEEDED)
        return INT64_MAX;
    for (size_t i = 0; i < n; i++)
        sorted[i] = engine->times[(engine->n_times - 1 - i) % 1024];
    qsort(sorted, n, sizeof *sorted, compare_times);
    limit = (int64_t)((double)sorted[n / 2] * (double)engine->options->timeout_percent / 100);
    for (unsigned i = 0; i < engine->n_slots; i++) {
        struct map_job *job = engine->slots[i];
        if (job == NULL || job->too_slow)
            continue;
        if (now_ns - job->started_ns >= limit) {
            job->too_slow =
                plait__keeper_time_out(job->id, map_kill_after(engine->options)) != -ETIMEDOUT;
            engine->is_keeper_full = !job->too_slow;
        } else if (job->started_ns + limit < next) {
            next = job->started_ns + limit;
        }
    }
    return next;
}

/* ---- the wait ---- */

enum {
    FD_SIGNALS,
    FD_KEEPER,
    FD_INPUT,
    FD_STREAMS
};

static void watch(struct map_engine *engine, size_t *n, int fd, struct map_watch whose)
{
    if (fd < 0)
        return;
    engine->fds[*n] = (struct plait__fd){ .fd = fd, .wanted = PLAIT__FD_READ };
    engine->watched[(*n)++] = whose;
}

/* Room for all that may be watched. */
static int grow_fds(struct map_engine *engine, size_t n)
{
    struct plait__fd *fds;
    struct map_watch *watched;

    if (n <= engine->cap_fds)
        return 0;
    fds = reallocarray(engine->fds, n * 2, sizeof *fds);
    if (fds == NULL)
        return -ENOMEM;
    engine->fds = fds;
    watched = reallocarray(engine->watched, n * 2, sizeof *watched);
    if (watched == NULL)
        return -ENOMEM;
    engine->watched = watched;
    engine->cap_fds = n * 2;
    return 0;
}

/* signals, keeper, input, the streams of jobs, leftovers. How many; only what is open: the kernel
 * takes no more entries than there may be descriptors. */
static int set_fds(struct map_engine *engine)
{
    size_t n = FD_STREAMS;
    struct plait__fd *fds;

    if (grow_fds(engine, FD_STREAMS + (size_t)engine->n_slots * 2 + engine->n_leftovers) < 0)
        return -ENOMEM;
    fds = engine->fds;
    fds[FD_SIGNALS] = (struct plait__fd){ .fd = engine->signals, .wanted = PLAIT__FD_READ };
    fds[FD_KEEPER] = (struct plait__fd){ .fd = plait__keeper_fd(), .wanted = PLAIT__FD_READ };
    if (engine->so.pool != NULL) /* it hears the keeper */
        fds[FD_KEEPER].fd = -1;
    if (engine->is_keeper_full || engine->must_tell_stop)
        fds[FD_KEEPER].wanted |= PLAIT__FD_WRITE;
    fds[FD_INPUT] = (struct plait__fd){ .fd = -1, .wanted = PLAIT__FD_READ };
    if (engine->input_waits && engine->phase == MAP_STARTING &&
        engine->counts.running < engine->limit)
        fds[FD_INPUT].fd = map_input_fd(engine->input);
    for (unsigned i = 0; i < engine->n_slots; i++) {
        struct map_job *job = engine->slots[i];
        if (job == NULL)
            continue;
        watch(engine, &n, job->out.fd, (struct map_watch){ .job = job });
        watch(engine, &n, job->err.fd, (struct map_watch){ .job = job, .is_err = true });
    }
    for (size_t i = 0; i < engine->n_leftovers; i++)
        watch(engine, &n, engine->leftovers[i], (struct map_watch){ .job = NULL });
    return (int)n;
}

/* Closes the leftovers that have ended; `fds` are theirs, in their order. */
static void hear_leftovers(struct map_engine *engine, const struct plait__fd *fds)
{
    size_t kept = 0;

    for (size_t i = 0; i < engine->n_leftovers; i++) {
        if (fds[i].ready != 0 && !hear_leftover(engine->leftovers[i]))
            close(engine->leftovers[i]);
        else
            engine->leftovers[kept++] = engine->leftovers[i];
    }
    engine->n_leftovers = kept;
}

/* Streams before the keeper: what a job wrote is read before its end is heard. No job is freed
 * before that. */
static bool take_ready(struct map_engine *engine, size_t n)
{
    const struct plait__fd *fds = engine->fds;
    size_t n_streams = n - engine->n_leftovers;

    if (fds[FD_SIGNALS].ready != 0)
        take_signals(engine);
    for (size_t i = FD_STREAMS; i < n_streams; i++)
        if (fds[i].ready != 0)
            hear_stream(engine, engine->watched[i].job, engine->watched[i].is_err);
    hear_leftovers(engine, fds + n_streams);
    if (fds[FD_KEEPER].ready & PLAIT__FD_WRITE) {
        engine->is_keeper_full = false;
        if (engine->must_tell_stop)
            map_engine_stop(engine, engine->kill_after_ns);
    }
    return !(fds[FD_KEEPER].ready & (PLAIT__FD_READ | PLAIT__FD_HUP)) || hear_keeper(engine);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How many jobs there are: a little of the input is read ahead for it while all slots are busy. */
static void look_ahead(struct map_engine *engine, int64_t now_ns)
{
    if (engine->input == NULL)
        return;
    if (engine->counts.total < 0 && now_ns >= engine->look_ahead_ns && !engine->input_ended) {
        map_input_read_ahead(engine->input);
        engine->look_ahead_ns = now_ns + PLAIT__SECOND_NS / 10;
    }
    engine->counts.total = map_input_total(engine->input);
}

/* One turn. False: the end. */
static bool turn(struct map_engine *engine)
{
    int64_t now = plait__os_now_ns();
    int64_t until = map_engine_start_jobs(engine, now);
    int n, rc;

    if (engine->stop_signals > (is_ours(engine) ? 1 : 2))
        return false;
    look_ahead(engine, now);
    if (engine->phase != MAP_STARTING && engine->is_halted)
        map_engine_finish_retries(engine);
    if (engine->counts.running == 0 &&
        (engine->phase != MAP_STARTING || !map_engine_has_more(engine)) &&
        (engine->phase != MAP_STOPPING || engine->options->so != NULL || !plait__keeper_is_there()))
        return false;
    until = earlier(until, end_slow_jobs(engine, now));
    until = earlier(until, map_report_tick(engine->report, &engine->counts, now));
    n = set_fds(engine);
    if (n > 0 && engine->so.pool != NULL)
        rc = map_so_wait(engine, (size_t)n, until);
    else
        rc = n < 0 ? n : plait__wait_fds(engine->fds, (size_t)n, (plait_deadline){ until });
    if (engine->so.pool != NULL)
        map_so_hear(engine);
    if (rc > 0)
        return take_ready(engine, (size_t)n);
    if (rc == -ETIMEDOUT || rc == -EINTR)
        return true;
    map_engine_fail(engine, CMD_EXIT_ERROR, "cannot wait for jobs: %s", plait_strerror(rc));
    plait__keeper_stop_all(0);
    return false;
}

static void set_up(struct map_engine *engine)
{
    uint64_t wanted = plait__signal_bit(SIGINT) | plait__signal_bit(SIGTERM) |
                      plait__signal_bit(SIGHUP) | plait__signal_bit(SIGTSTP) |
                      plait__signal_bit(SIGCONT);

    /* what was ignored when we were started (nohup) stays ignored */
    engine->signals = plait__os_signal_fd(wanted & ~plait__os_signals_ignored());
    plait__os_ignore(SIGPIPE);
    plait__os_ignore(SIGXFSZ); /* the limit on file size (ulimit -f) is an error of write, too */
    map_spool_init(&engine->spool);
    map_writer_init(&engine->out, STDOUT_FILENO);
    map_writer_init(&engine->err, STDERR_FILENO);
    engine->out.interrupt = engine->err.interrupt = engine->signals;
    engine->out.ask = engine->err.ask = take_signals;
    engine->out.ask_arg = engine->err.ask_arg = engine;
    map_report_write_by(engine->report, &engine->err);
    engine->next_seq = 1;
    engine->next_id = 1; /* 0 is no command */
    engine->counts.slots = engine->full_limit;
    engine->counts.total = -1;
    engine->limit = engine->full_limit;
    map_throttle_init(&engine->throttle, engine->options);
    engine->lines_up = map_engine_can_line_up(engine);
}

static void tear_down(struct map_engine *engine)
{
    struct plait__heap_node *node;

    map_engine_print_waiting(engine, true);
    map_spool_fini(&engine->spool); /* what is freed below need not be given back piece by piece */
    while ((node = plait__heap_first(&engine->retries)) != NULL) {
        plait__heap_remove(&engine->retries, node);
        map_job_free(engine, plait__list_entry(node, struct map_job, node));
    }
    for (unsigned i = 0; i < engine->n_slots; i++)
        map_job_free(engine, engine->slots[i]);
    map_job_free(engine, engine->next);
    for (size_t i = 0; i < engine->n_leftovers; i++)
        close(engine->leftovers[i]);
    plait__heap_fini(&engine->retries);
    plait__heap_fini(&engine->unprinted);
    free(engine->slots);
    free(engine->leftovers);
    free(engine->times);
    free(engine->fds);
    free(engine->watched);
}

/* --exit=count: GNU parallel's codes. */
static int gnu_exit_code(const struct map_engine *engine)
{
    const struct map_options *options = engine->options;
    bool is_fail = engine->is_halted && options->halt_what == MAP_HALT_FAIL;

    if (engine->fatal != 0)
        return 255;
    if (is_fail && !options->halt_is_percent && options->halt_number == 1)
        return engine->failing_status;
    if (engine->is_halted && options->halt_what == MAP_HALT_SUCCESS)
        return 0;
    return engine->counts.failed > 100 ? 101 : (int)engine->counts.failed;
}

static int exit_code(const struct map_engine *engine)
{
    const struct map_options *options = engine->options;
    bool failed = engine->counts.failed > 0;

    if (engine->signal != 0)
        return CMD_EXIT_SIGNAL + engine->signal;
    if (options->exit_count && !engine->reader_gone)
        return gnu_exit_code(engine);
    if (engine->fatal != 0)
        return engine->fatal;
    if (engine->reader_gone)
        return CMD_EXIT_SIGNAL + SIGPIPE;
    if (engine->is_halted && options->halt_what == MAP_HALT_FAIL)
        return CMD_EXIT_HALTED;
    if (engine->is_halted && options->halt_what == MAP_HALT_SUCCESS)
        return CMD_EXIT_OK;
    return failed ? CMD_EXIT_FAILED : CMD_EXIT_OK;
}

int map_engine_run(struct map_engine *engine)
{
    int rc;

    set_up(engine);
    if (engine->signals < 0)
        map_engine_fail(engine, CMD_EXIT_ERROR, "cannot watch signals: %s",
                        plait_strerror(engine->signals));
    rc = engine->options->so != NULL && !engine->options->dry_run ? map_so_start(engine) : 0;
    if (rc < 0)
        map_engine_fail(engine, CMD_EXIT_ERROR, "cannot make a pool: %s", plait_strerror(rc));
    while (turn(engine))
        ;
    engine->is_stuck = !map_so_close(engine);
    if (engine->is_stuck)
        map_engine_print_waiting(engine, true);
    else
        tear_down(engine);
    if (engine->ended_jobs > 0 && !engine->reader_gone) /* who stops reading wants no account */
        map_report_say(engine->report, "%llu running job%s ended%s",
                       (unsigned long long)engine->ended_jobs,
                       engine->ended_jobs == 1 ? " was" : "s were",
                       engine->joblog != NULL ? " and left out of the job log" : "");
    map_report_finish(engine->report, &engine->counts, plait__os_now_ns());
    if (engine->signals >= 0) /* last: a message, too, asks for signals while it waits */
        close(engine->signals);
    return exit_code(engine);
}
