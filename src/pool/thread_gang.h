/* The inside of a thread pool: a gang of workers and what they share.
 * SPDX-License-Identifier: MIT
 *
 *     submit in a job ──► that worker's deque ──┬─► the worker itself, newest first
 *                                               └─► other workers, oldest first
 *     submit elsewhere ─► injection queue, by lane ─► a worker's deque, some at once
 *     ended jobs ───────► the worker's `ended` ──► pump
 *
 * A worker runs a job, looks for the next one, and sleeps if there is none. Nobody is told of a job
 * while enough workers are awake: these look at everything before they fall asleep. The bad
 * interleaving (a job is queued just after a worker has looked and just before it sleeps) is met by
 * order, seq_cst: who queues puts the job in and then looks who is awake; who falls asleep says so
 * and then looks for jobs.
 *
 * Workers of which `wanted` are awake may be more than wanted: while a job sleeps in plait its
 * worker is not awake, and another one may be started in its place (a spare one). A spare one that
 * has had nothing to do for a second ends.
 *
 * Order of locks: starts, then queue or idle; ask; ends. Nothing is called under one but what is in
 * src/wait, and the start of a thread under `starts`.
 */
#ifndef PLAIT__POOL_THREAD_GANG_H
#define PLAIT__POOL_THREAD_GANG_H

#include "loop/loop.h"
#include "pool/deque.h"
#include "pool/executor.h"
#include "pool/running.h"
#include "pool/share.h"
#include "pool/thread_cells.h"
#include "wait/sleeper.h"

enum {
    PLAIT__GANG_MOST = 4096, /* workers, the spare ones included */
    PLAIT__GANG_SPARE = 32,  /* of them, more than are wanted */
    PLAIT__GANG_LANES = 8,
    PLAIT__LINE = 64 /* bytes that one CPU has at a time */
};

/* In job->slot; atomic. */
enum {
    PLAIT__JOB_ASKED = 1, /* to end */
    PLAIT__JOB_HAS_ENDED = 2,
    PLAIT__JOB_FROM_AFAR = 4 /* const: it went through the injection queue */
};

/* A job that runs, on the stack of its worker. */
struct plait__frame {
    struct plait__sleeper sleeper;
    struct plait__running running;
    struct plait__job *job;
    struct plait__frame *outer; /* const: that waits below on the same stack */
    struct plait__worker *worker;
    bool counts_as_asleep; /* owner */
    int64_t now_ns; /* owner: when the next item begins; 0: how long they run does not matter */
};

/* Atomic: written by one, or under a lock; they only grow. */
struct plait__gang_counts {
    uint64_t submitted; /* jobs */
    uint64_t begun;     /* jobs claimed, also by who cancels them */
    uint64_t ended;     /* jobs; stored with release, after all that the job did */
};

struct plait__worker {
    struct plait__deque deque __attribute__((aligned(PLAIT__LINE)));
    struct plait__cells cells;
    struct plait__gang *gang;   /* const */
    struct plait__share *share; /* const: what is counted here; its thread's */
    unsigned number;            /* const */
    bool is_searching;          /* owner, and whoever wakes it */
    bool is_there;              /* starts lock: has a thread */
    plait_task *task;           /* starts lock: that thread */
    plait_task *previous;       /* starts lock: the one before, to be joined */
    struct plait__list idle;    /* idle lock */
    uint32_t woken;             /* atomic, a futex word: 1: somebody has woken it */
    uint32_t random;            /* owner: where it steals first */
    struct plait__frame *frame; /* atomic: the innermost; written by the owner */
    const char *name;           /* owner: of its thread */
    const char *stack;          /* owner: where its stack begins */
    size_t stack_bytes;         /* owner: of it, for jobs that wait for jobs */
    int64_t ended_ns;           /* owner: when a job ended just now; 0: it is not now any more */
    int64_t born_ns;            /* owner: when its thread began … */
    uint64_t n_items;           /* owner: … and so many items it has run, but for those by help */
    uint64_t progress_done;     /* atomic */
    uint64_t progress_total;    /* atomic */
    struct plait__job *ended;   /* atomic: newest first */
    struct plait__gang_counts counts;
};

struct plait__gang {
    plait_pool *pool;         /* const */
    struct plait__loop *loop; /* const: of coroutines: which runs them all; NULL: threads */
    uint64_t loop_number;     /* const: which use of it */
    uint32_t *bell;           /* const: of ends */
    plait_pool_init_fn *init; /* const, these too */
    void *init_arg;
    unsigned max_tasks;
    int64_t max_age_ns;
    size_t max_pending;
    size_t max_pending_bytes;
    size_t stack_bytes;
    unsigned n_lanes;
    bool has_copied_arg;

    /* the injection queue */
    struct plait__mutex queue_lock __attribute__((aligned(PLAIT__LINE)));
    struct plait__list lanes[PLAIT__GANG_LANES]; /* queue lock */
    struct plait__cells cells;                   /* queue lock */
    unsigned turn;                               /* queue lock */
    uint32_t n_queued; /* atomic, written under queue lock: cells in the lanes */
    bool is_broken;    /* atomic, written under queue lock: no worker gets ready */
    bool is_gone;      /* queue lock and starts lock: it has ended, nothing comes in any more */

    /* who is awake */
    uint32_t n_wanted __attribute__((aligned(PLAIT__LINE))); /* atomic */
    uint32_t n_awake;     /* atomic: workers that run, look for a job, or begin */
    uint32_t n_searching; /* atomic: of them, those that look for a job, without one in hand */
    uint32_t n_idle;      /* atomic, written under idle lock */
    struct plait__mutex idle_lock;
    struct plait__list idle; /* idle lock: the last to fall asleep first */

    struct plait__mutex starts;
    uint32_t n_there;    /* atomic, written under starts lock: workers that have a thread */
    uint32_t n_numbers;  /* atomic, written under starts lock: workers there ever were */
    int64_t failed_ns;   /* atomic: when a worker could not be made last; 0: never */
    uint64_t seen_begun; /* atomic: jobs that had begun, when a job that sleeps looked … */
    int64_t seen_ns;     /* atomic: … and found more of them than before */
    uint64_t n_started;  /* atomic, written under starts lock */
    uint64_t n_recycled; /* so too */

    uint32_t is_closed;      /* atomic */
    uint32_t is_over;        /* atomic: all that run are asked to end, nothing is begun any more */
    uint32_t n_asking;       /* atomic: tasks that look at the frames of others */
    struct plait__mutex ask; /* held by who does */

    /* what lies with others than workers */
    size_t n_room __attribute__((aligned(PLAIT__LINE))); /* atomic: jobs from afar, not ended */
    size_t room_bytes;                                   /* atomic: their input */
    struct plait__mutex ends;
    struct plait__list to_tell;       /* ends lock: ended jobs, oldest first */
    uint32_t n_to_tell;               /* atomic, written under ends lock */
    struct plait__job *ended;         /* atomic: by others than workers, newest first */
    struct plait__gang_counts counts; /* the atomic additions of others than workers */

    struct plait__worker *workers[PLAIT__GANG_MOST]; /* atomic: set once */
};

/* Only for the next functions. */
extern _Thread_local void *plait__worker_of_thread
    __attribute__((tls_model("initial-exec"))); /* owner thread */

/* Where the running task keeps which worker it is; NULL: none. */
static inline void **plait__worker_here(void)
{
    return plait__strand_slot(PLAIT__SLOT_WORKER, &plait__worker_of_thread);
}

/* The worker of this gang that this task is; NULL: none. */
static inline struct plait__worker *plait__gang_me(const struct plait__gang *gang)
{
    struct plait__worker *worker = *plait__worker_here();

    return worker != NULL && worker->gang == gang ? worker : NULL;
}

/* ---- thread_queue.c: jobs to be begun ---- */

/* Queues it; by a worker of the gang, or (NULL) somebody else. -ENOMEM · PLAIT_EPOOL · -EPIPE: the
 * gang has come to its end. */
int plait__gang_put(struct plait__gang *gang, struct plait__worker *worker, struct plait__job *job);
/* The next job for a worker that has none in hand; NULL: there is none. */
struct plait__job *plait__gang_get(struct plait__worker *worker);
/* Queues once more a job from afar that has yielded, so too. */
int plait__gang_put_again(struct plait__gang *gang, struct plait__job *job);
/* Claims this very job, so too. True: by an atomic exchange. */
bool plait__gang_claim(struct plait__gang *gang, struct plait__worker *worker,
                       struct plait__job *job);
/* Any job, by a task that is no worker and wants to get rid of it; NULL: there is none. */
struct plait__job *plait__gang_clear(struct plait__gang *gang);
bool plait__gang_has_work(struct plait__gang *gang);
/* From now on nothing is taken: no worker gets ready. */
void plait__gang_break(struct plait__gang *gang);

/* ---- thread_run.c: jobs that run and end ---- */

/* Runs all items of a job that the worker has claimed; the job has then ended, and nobody was told.
 * False: it has yielded, between two portions, and is to be queued again. */
bool plait__job_run(struct plait__worker *worker, struct plait__job *job);
/* Claims a job, runs it on top of the one that runs, and brings in its end. False: it was not to be
 * had. */
bool plait__job_help(struct plait__worker *worker, struct plait__job *job);
/* Ends a claimed job that is not to be begun. */
void plait__job_drop(struct plait__gang *gang, struct plait__job *job, plait_job_end end,
                     plait_job_cause cause);
/* A job from afar takes no room any more; who waits for that waits for the bell. */
void plait__gang_give_room(struct plait__gang *gang, const struct plait__job *job);
/* It is queued once more. */
void plait__job_count_again(struct plait__gang *gang, struct plait__worker *worker);
/* Leaves it to who pumps, and rings. */
void plait__job_tell_end(struct plait__gang *gang, struct plait__worker *worker,
                         struct plait__job *job);
/* Asks a job that was begun. 0 or -EALREADY. */
int plait__job_ask(struct plait__gang *gang, struct plait__job *job);
/* Asks all that run. */
void plait__gang_ask_all(struct plait__gang *gang);
/* The same, and what is queued is not begun. */
void plait__gang_call_off(struct plait__gang *gang);
/* Nothing is queued and nothing runs. */
bool plait__gang_is_quiet(struct plait__gang *gang);

/* ---- thread_worker.c: workers ---- */

/* Something was queued: sees to it that somebody looks, if not enough do. */
void plait__gang_wake_one(struct plait__gang *gang);
void plait__gang_wake_all(struct plait__gang *gang);
/* Has it come to its end? From then on nothing is taken and no worker started, though somebody may
 * be about to submit. */
bool plait__gang_finish(struct plait__gang *gang);
/* Are more awake than are wanted? */
bool plait__gang_is_crowded(const struct plait__gang *gang);
/* Is the worker to be replaced, by so many tasks or its age? */
bool plait__worker_is_spent(const struct plait__worker *worker);
/* Starts one more worker. 0 · -EAGAIN, limits, ours too · -ENOMEM … */
int plait__gang_start_worker(struct plait__gang *gang);
/* A frame's sleeper is about to sleep, or has slept; as on_sleep of a sleeper. */
int64_t plait__frame_on_sleep(struct plait__sleeper *sleeper, const uint32_t *word, bool begins);
/* The same of one that parks. */
int64_t plait__frame_on_park(struct plait__sleeper *sleeper, const uint32_t *word, bool begins);

/* ---- what they share ---- */

static inline struct plait__worker *plait__gang_worker(struct plait__gang *gang, uint32_t i)
{
    /* acquire: the partner is the release in start_worker: who sees the worker sees it whole */
    return __atomic_load_n(&gang->workers[i], __ATOMIC_ACQUIRE);
}

static inline uint32_t plait__gang_numbers(struct plait__gang *gang)
{
    return __atomic_load_n(&gang->n_numbers, __ATOMIC_SEQ_CST);
}

#endif
