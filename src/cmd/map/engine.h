/* The engine of `plait map`: takes inputs, keeps -j jobs running, sees to their ends.
 * SPDX-License-Identifier: MIT
 *
 * A job's way: input -> (skipped, --resume) -> start -> running -> over -> (retry: waits in
 * `retries`, starts again) ->
 * (-k: waits in `unprinted` for its turn) -> printed and logged. A job is logged after its output
 * was printed, so that a killed run repeats a job rather than lose what it said.
 *
 * One thread; one wait, in engine.c, which calls start.c, the way in, and finish.c, the way out;
 * below them print.c, what is written, stop.c, how all is given up, and so.c, which has functions run
 * where commands are the keeper's.
 */
#ifndef PLAIT__CMD_MAP_ENGINE_H
#define PLAIT__CMD_MAP_ENGINE_H

#include "base/heap.h"
#include "base/list.h"
#include "cmd/map/input.h"
#include "cmd/map/joblog.h"
#include "cmd/map/options.h"
#include "cmd/map/report.h"
#include "cmd/map/result.h"
#include "cmd/map/spool.h"
#include "cmd/map/template.h"
#include "cmd/map/throttle.h"
#include "cmd/map/writer.h"
#include "os/fd.h"

#include <plait/pool.h>

struct map_job {
    struct plait__heap_node node; /* in `retries` (by time) or `unprinted` (by order) */
    struct plait__list in_pool;   /* --so: in one of the lists of struct map_so */
    struct plait__list *ended;    /* --so: the one that it goes to when it has ended */
    plait_future *future;         /* --so: of the last attempt; NULL: none yet */
    char note[48];                /* --so: for result.message */
    uint64_t id;                  /* the keeper's, new for each attempt */
    uint64_t seq;
    uint64_t order; /* its turn with -k: skipped jobs have none */
    unsigned slot;
    unsigned attempt;
    struct map_values values;
    struct map_command command;
    struct map_stream out, err;
    struct map_result result;
    int64_t started_ns;
    bool is_cut;   /* some of its output could not be kept */
    bool too_slow; /* --timeout N% has ended it */
};

/* A descriptor in the wait: a job's, or a leftover's. */
struct map_watch {
    struct map_job *job; /* NULL: a leftover */
    bool is_err;
};

/* --so: the pool, and the jobs that were handed to it. */
struct map_so {
    plait_pool *pool; /* NULL: not made yet */
    struct plait__list running;
    struct plait__list ended; /* those that it has no more */
    int64_t look_ns;          /* how far its jobs are is asked again then */
};

enum map_phase {
    MAP_STARTING, /* jobs are started */
    MAP_DRAINING, /* no more starts; what runs goes on */
    MAP_STOPPING, /* what runs is being ended */
};

struct map_engine {
    const struct map_options *options;
    struct map_input *input;       /* NULL with --retry-failed */
    struct map_template *template; /* NULL with --retry-failed */
    struct map_joblog *joblog;     /* NULL: none */
    int log_json;                  /* -1: none */
    const char *shell;
    struct map_report *report;
    struct map_counts counts;
    struct map_throttle throttle;
    struct map_so so; /* with --so, instead of the keeper's commands */
    struct map_spool spool;
    struct map_writer out, err;

    struct map_job **slots; /* the running jobs, by slot - 1 */
    unsigned n_slots;       /* allocated */
    struct map_job *next;   /* lined up: the keeper starts it when one of those is over */
    bool is_keeper_full;    /* it takes no requests now */
    bool lines_up;          /* no option has a say in when the next one starts */
    unsigned limit;         /* at most so many at once; shrinks when the system refuses more */
    unsigned full_limit;
    bool keeps_far_ends;          /* four descriptors a job and not two: see map_stream_close_far */
    struct plait__heap retries;   /* jobs that wait for their next attempt */
    struct plait__heap unprinted; /* -k: ended jobs that wait for their turn */
    uint64_t next_id, next_seq, next_order, next_print;
    int *leftovers; /* pipes still held by what jobs left in the background */
    size_t n_leftovers, max_leftovers;
    int64_t *times; /* run times of successful jobs, for --timeout N%: the last ones */
    size_t n_times;

    struct map_watch *watched; /* whose stream each of `fds` is, from FD_STREAMS on */
    struct plait__fd *fds;     /* of the wait */
    size_t cap_fds;
    int null;              /* /dev/null */
    int signals;           /* a signalfd */
    int64_t look_ahead_ns; /* the input is read ahead again then */
    bool input_ended;
    bool input_waits;  /* the input has nothing now */
    bool said_changed; /* that the input is not the one of the job log */
    bool is_skipping;  /* more to skip: come again at once */
    unsigned refusals; /* starts in a row that the system refused while nothing ran */

    enum map_phase phase;
    bool must_tell_stop;   /* the keeper has not been told yet */
    bool all_ended;        /* the keeper said so */
    int64_t kill_after_ns; /* of the stop */
    unsigned stop_signals; /* how many signals asked to end */
    int signal;            /* the first of them */
    uint64_t ended_jobs;   /* jobs that the stop ended: not logged */
    bool is_halted;        /* --halt was reached */
    int failing_status;    /* how the last failed job ended, as an exit status */
    int fatal;             /* exit code of a failure of plait's own; 0: none */
    bool is_stuck;         /* the pool does not end: leave without it */
    bool reader_gone;      /* standard output was closed by its reader */
};

/* Runs all. The exit code. */
int map_engine_run(struct map_engine *engine);

/* start.c */
/* Starts what can be started now. When to come again (monotonic ns). */
int64_t map_engine_start_jobs(struct map_engine *engine, int64_t now_ns);
/* May the next job be handed to the keeper before there is room for it? */
bool map_engine_can_line_up(const struct map_engine *engine);
/* The lined-up job runs in that slot now. */
void map_engine_place_next(struct map_engine *engine, unsigned slot, int64_t now_ns);
bool map_engine_has_more(const struct map_engine *engine);

/* finish.c */
struct plait__command_end;
void map_engine_end_job(struct map_engine *engine, struct map_job *job,
                        const struct plait__command_end *end);
/* --halt: no other attempt will come; the jobs that waited for one have failed. */
void map_engine_finish_retries(struct map_engine *engine);
/* The job is over for good: print, log, count. */
void map_engine_finish_job(struct map_engine *engine, struct map_job *job);
/* Prints and logs what waits for its turn; with `all`, also behind gaps. */
void map_engine_print_waiting(struct map_engine *engine, bool all);

/* --so: `job` has ended as its future says. */
void map_engine_end_function(struct map_engine *engine, struct map_job *job);

/* so.c */
/* Finds the function. 0 or the exit code with a sentence in `error`. */
int map_so_open(struct map_engine *engine, struct plait__buf *error);
/* Makes the pool. After signals were blocked, which its threads inherit. 0 or -errno. */
int map_so_start(struct map_engine *engine);
/* Hands a job to the pool. 0, or why not. */
int map_so_submit(struct map_engine *engine, struct map_job *job);
/* Waits for the n descriptors as plait__wait_fds does, or for the end of a job. */
int map_so_wait(struct map_engine *engine, size_t n, int64_t until_ns);
/* Ends the jobs that have ended. */
void map_so_hear(struct map_engine *engine);
/* so_result.c: result and output of a job whose future has ended. 0 or -errno. */
int map_so_result(struct map_job *job, bool is_main);
/* Cancels all jobs; those that do not end of themselves are killed later, or with `now` at once. */
void map_so_stop(struct map_engine *engine, bool now);
/* Ends the pool. False: it does not end, so that nothing of what its jobs use may be freed. */
bool map_so_close(struct map_engine *engine);

/* print.c */
/* Prints the output of an ended job as the options say. 0 or -errno. */
int map_engine_print_job(struct map_engine *engine, struct map_job *job);
/* --line-buffer: the whole lines that have come. */
int map_engine_print_lines(struct map_engine *engine, struct map_job *job, bool is_err);
int map_engine_save_results(struct map_engine *engine, struct map_job *job);

/* stop.c */
/* A failure of plait's own: says it, ends the run with that exit code. */
void map_engine_fail(struct map_engine *engine, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What writing to standard output returned, if it failed. */
void map_engine_output_failed(struct map_engine *engine, int error);
/* End what runs: SIGTERM, later SIGKILL. */
void map_engine_stop(struct map_engine *engine, int64_t kill_after_ns);
int64_t map_kill_after(const struct map_options *options);
/* Puts a job among those that wait for another attempt. */
void map_engine_put_back(struct map_engine *engine, struct map_job *job, int64_t ready_ns);
void map_job_free(struct map_engine *engine, struct map_job *job);

#endif
