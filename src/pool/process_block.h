/* What a process pool shares: slots for jobs, records of workers, and how they go.
 * SPDX-License-Identifier: MIT
 *
 * One block of the family heap, seen by the owner, the keeper and the workers. A job lies in a slot.
 * Its submitter (the owner, or a worker for nested jobs) has slots of its own and alone frees and
 * fills them, so no free list can be left torn. The slot's word says all of it, each arrow is one
 * compare-and-swap:
 *
 *     FREE --submitter--> QUEUED(i) --worker w--> ENTERED(w, i)         i: the item that is next
 *     ENTERED(w, i) --w commits item i-->  ENTERED(w, i + 1), or OVER(n) behind the last one
 *     ENTERED(w, i) --w has enough-->      QUEUED(i + 1)
 *     ENTERED(w, i) --keeper-->            DOOMED(w, i): w will be killed, and commits nothing more
 *     QUEUED(i)     --anybody-->           OVER(i): the items from i on end as the word says
 *     ENTERED, DOOMED of a worker that is proven dead --keeper--> QUEUED(i), QUEUED(i + 1), OVER
 *     OVER(i) --submitter, who takes the results--> FREE, next generation
 *
 * ENTERED(w, i) stands before the function is entered with item i: an item that a dead worker may
 * have begun is exactly the one that it is ENTERED with. The count of starts of that item is in the
 * word as well: what is in one word cannot be told twice by a keeper that is killed and its
 * successor.
 */
#ifndef PLAIT__POOL_PROCESS_BLOCK_H
#define PLAIT__POOL_PROCESS_BLOCK_H

#include "pool/hints.h"
#include "pool/job.h"
#include "task/crew.h"
#include "wait/sleeper.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum plait__slot_state {
    PLAIT__SLOT_FREE,
    PLAIT__SLOT_QUEUED,
    PLAIT__SLOT_ENTERED,
    PLAIT__SLOT_EXPIRED,   /* doomed: the item ran too long */
    PLAIT__SLOT_CANCELLED, /* doomed: the job was cancelled */
    PLAIT__SLOT_OVER,
};

enum {
    PLAIT__POOL_LANES = 8,
    PLAIT__POOL_DEPTH = 32,  /* jobs inside of one another that a worker's record names */
    PLAIT__POOL_NESTED = 16, /* slots for the jobs that a worker submits */
    PLAIT__POOL_SLOTS = (1 << 20) - 2,
    PLAIT__POOL_STARTS = 255,
    PLAIT__POOL_ITEMS = (1 << 24) - 1,
    PLAIT__POOL_RECORDS = 4000,
    PLAIT__SLOT_ROOM = 96, /* bytes of input, context and output that need no block of their own */
    PLAIT__SAID_ROOM = 64, /* bytes of what an item says that need no parcel */
};

#define PLAIT__SLOT_ALL_VALUES UINT32_MAX /* of first_end: none is written */

/* Words of slots: state:3, worker:13 (of OVER: end:4, cause:4), item:24, starts:8, generation:16. */
struct plait__slot_word {
    enum plait__slot_state state;
    unsigned worker;
    uint32_t item;
    unsigned starts; /* of that item */
    unsigned generation;
};

static inline struct plait__slot_word plait__slot_cut(uint64_t word)
{
    return (struct plait__slot_word){ .state = word & 7,
                                      .worker = word >> 3 & 0x1fff,
                                      .item = (uint32_t)(word >> 16) & 0xffffff,
                                      .starts = word >> 40 & 0xff,
                                      .generation = (unsigned)(word >> 48) };
}

static inline uint64_t plait__slot_glue(struct plait__slot_word word)
{
    return (uint64_t)word.state | (uint64_t)word.worker << 3 | (uint64_t)word.item << 16 |
           (uint64_t)word.starts << 40 | (uint64_t)(word.generation & 0xffff) << 48;
}

static inline unsigned plait__slot_end(plait_job_end end, plait_job_cause cause)
{
    return (unsigned)end | (unsigned)cause << 4;
}

/* How an item ended. */
struct plait__item_end {
    int64_t run_ns;
    int32_t code;
    int32_t pid;
    uint8_t end;    /* enum plait_job_end */
    uint8_t cause;  /* enum plait_job_cause */
    uint8_t starts; /* how often it was entered */
    uint8_t signal; /* that ended its worker; 0: none */
    bool core;
    bool has_said; /* its place among those of struct plait__item_said is filled */
};

/* What an item said: what it wrote, then its message; in `small`, or in a parcel, which is named here
 * before it is left. */
struct plait__item_said {
    uint64_t parcel;  /* 0: none */
    uint64_t wrote;   /* bytes */
    uint64_t message; /* bytes, without a NUL */
    char small[PLAIT__SAID_ROOM];
};

struct plait__function;
struct plait__executor_ops;

/* Who runs a small job reads and writes the first and the third line of it; what seldom changes is
 * elsewhere and not written again, so that it stays in the caches of both. */
struct plait__slot {
    _Alignas(64) uint64_t word; /* atomic */
    /* the submitter, while it is FREE; const then */
    uintptr_t fn;                           /* plait_pool_fn, or plait_pool_text_fn */
    const struct plait__function *function; /* NULL: fn means the same in all processes */
    const char *in;
    char *out;
    void *ctx;
    uint32_t n;
    uint32_t submitter; /* a worker's number plus one; 0: the owner */
    /* Nobody asks how each item ended as long as all do in values: then nothing is written of them
     * but own_end.run_ns, the sum. The first that does not, or its keeper, says here which it is
     * before it writes its end; from there on each has one. */
    uint32_t first_end;
    bool is_summed;

    size_t in_bytes;
    size_t out_bytes;
    struct plait__item_end *ends;   /* of n items: by the worker that has it, or the keeper */
    struct plait__item_said *saids; /* so too; NULL: nobody wants to know */
    int64_t soft_ns, hard_ns;
    uint8_t lane;
    uint8_t attempts;
    bool is_text;
    uint32_t is_asked;   /* atomic: submitter: the job was cancelled */
    uint32_t is_touched; /* atomic: held by the worker for a commit, by the keeper for a cancel */

    struct plait__item_end own_end;
    _Alignas(16) char room[PLAIT__SLOT_ROOM];

    _Alignas(64) int64_t
        kill_at_ns; /* atomic: submitter: cancelled, its worker is killed then; or 0 */
    uint64_t progress_done, progress_total; /* atomic: worker */
    /* what has no room in the slot; 0, NULL: none. A worker may be killed, so it takes parcels */
    uint64_t parcel;
    char *memory;        /* a block of the family heap … */
    size_t memory_bytes; /* … so large */
    struct plait__sleeper
        sleeper; /* of what runs; its cancel is set by the submitter and the keeper */
    struct plait__item_said own_said;
};

enum plait__worker_state {
    PLAIT__WORKER_NONE,     /* nobody is there, nothing of anybody's is left */
    PLAIT__WORKER_STARTING, /* forked */
    PLAIT__WORKER_READY,    /* its init function has returned */
};

/* One of the workers, and those that took its place. */
struct plait__worker {
    uint64_t
        claim; /* atomic: epoch << 32 | member id of the worker; 0: it has touched nothing yet */
    uint32_t left;  /* keeper: member id of one whose death is not proven yet; 0: none */
    uint32_t state; /* atomic: enum plait__worker_state */
    pid_t pid;      /* atomic: the worker itself */
    /* atomic: worker: generation << 20 | slot + 1 of what it runs or is about to; the last that is
     * not 0 is the innermost */
    uint64_t current[PLAIT__POOL_DEPTH];
    int64_t
        started_ns[PLAIT__POOL_DEPTH]; /* atomic: worker: when that item was entered, or later */
    uint32_t is_deep;     /* atomic: worker: it ran more inside of one another than that */
    uint64_t done;        /* atomic: as plait__pool_block's, of the jobs that it submitted */
    uint32_t *bell;       /* atomic: that wakes it when one of those ends; NULL: it has none yet */
    uint64_t n_items;     /* atomic: worker: that it ended */
    uint32_t must_retire; /* atomic: keeper: there are too many */
    uint32_t is_idle;     /* atomic: worker */
};

enum plait__worker_exit { /* statuses by which a worker ends itself between jobs */
    PLAIT__WORKER_RETIRED = 0,
    PLAIT__WORKER_RECYCLED = 71,
    PLAIT__WORKER_INIT_FAILED = 72,
};

struct plait__pool_block {
    struct plait__crew crew;
    /* const after create */
    uint32_t n_own;     /* slots of the owner */
    uint32_t n_slots;   /* all: those of the workers behind them */
    uint32_t n_records; /* most workers there can be */
    uint32_t n_lanes;
    struct plait__slot *slots;
    struct plait__worker *workers;
    uint64_t *done;       /* atomic: one bit for each slot of the owner: look whether it is OVER */
    uint32_t *owner_bell; /* of the owner: rung behind that */
    /* the handle that a worker makes for its jobs within jobs, and what makes it */
    const struct plait__executor_ops *handle_ops;
    int (*make_handle)(struct plait__pool_block *block, unsigned worker, plait_pool **ret);
    const struct plait__function *init_function;
    plait_pool_init_fn *init;
    void *init_arg;
    void *init_memory; /* block of the family heap with a copy of it; NULL: none */
    unsigned max_tasks;
    unsigned poison_limit;
    size_t max_rss_kib;
    int64_t max_age_ns;
    bool is_wearing; /* one of these three is set */
    char name[32];

    _Alignas(64) uint32_t task_bell; /* atomic: where workers sleep */
    uint32_t is_incomplete; /* atomic: a hint found no place: who finds none looks at all slots */
    uint32_t wanted;        /* atomic: owner: workers */
    uint32_t stops;         /* atomic: owner: no worker is needed any more, and none is refilled */
    uint32_t kills;         /* atomic: owner: also those that run are to end, killed */
    uint32_t is_gone;       /* atomic: keeper: no worker is left, and the keeper has let go */
    uint32_t epoch;         /* atomic: counts keepers */
    uint32_t is_broken;     /* atomic: keeper: workers die before they are ready */
    uint32_t has_limits;    /* atomic: jobs with limits, or that are to be killed, were submitted */
    uint64_t n_started, n_deaths, n_recycled; /* atomic: keeper */
    uint64_t n_nested[6]; /* atomic: nested items that have ended, by plait_job_end */

    /* keeper */
    int64_t retry_ns;        /* no worker is started before; 0: at once */
    int64_t last_failure_ns; /* when the last worker died without having ended an item */
    int64_t early_since_ns;  /* the first of n_early */
    /* atomic, both: counted by the keeper, 0 again by a worker that has ended its first item … */
    uint32_t n_failures; /* of those in a row */
    /* … or is ready */
    uint32_t n_early; /* deaths before that in a row, for the circuit breaker */
    struct plait__hints lanes[PLAIT__POOL_LANES];
};

struct plait__block_shape {
    uint32_t n_own;
    uint32_t n_records;
    uint32_t n_lanes;
};

/* A block, zero but for its shape. -ENOMEM. */
int plait__block_create(struct plait__pool_block **ret, const struct plait__block_shape *shape);
void plait__block_destroy(struct plait__pool_block *block);

static inline uint64_t plait__slot_load(const struct plait__slot *slot)
{
    return __atomic_load_n(&slot->word, __ATOMIC_SEQ_CST);
}

/* One arrow. */
static inline bool plait__slot_change(struct plait__slot *slot, uint64_t from,
                                      struct plait__slot_word to)
{
    return __atomic_compare_exchange_n(&slot->word, &from, plait__slot_glue(to), false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static inline uint32_t plait__slot_number(const struct plait__pool_block *block,
                                          const struct plait__slot *slot)
{
    return (uint32_t)(slot - block->slots);
}

/* Where the end of an item is to be written. pre: those before have ended, and the slot is ours. */
static inline struct plait__item_end *plait__slot_end_of(struct plait__slot *slot, uint32_t item)
{
    if (slot->is_summed && slot->first_end == PLAIT__SLOT_ALL_VALUES)
        __atomic_store_n(&slot->first_end, item, __ATOMIC_SEQ_CST);
    return &slot->ends[item];
}

/* The hint that says where it is; never 0. Generations are cut. */
static inline uint32_t plait__slot_hint(const struct plait__pool_block *block,
                                        const struct plait__slot *slot, unsigned generation)
{
    return (generation & 0xfff) << 20 | (plait__slot_number(block, slot) + 1);
}

/* The slot that a hint names. */
static inline struct plait__slot *plait__slot_hinted(struct plait__pool_block *block, uint64_t hint)
{
    return &block->slots[(hint & 0xfffff) - 1];
}

static inline bool plait__slot_is_meant(uint64_t hint, unsigned generation)
{
    return (hint >> 20 & 0xfff) == (generation & 0xfff);
}

/* Drops a parcel that shared memory names, if it was left. */
void plait__block_drop(uint64_t *at);
/* It is QUEUED: whoever looks for work finds it. */
void plait__block_hint(struct plait__pool_block *block, struct plait__slot *slot,
                       unsigned generation);
/* What workers took and have not begun, as they may have been stopped in between: others find it,
 * too. */
void plait__block_hint_again(struct plait__pool_block *block);
/* It is OVER: its submitter finds it. May be said more than once. */
void plait__block_tell(struct plait__pool_block *block, struct plait__slot *slot);
/* QUEUED becomes OVER, whatever item is next. False: it is not QUEUED. */
bool plait__block_give_up(struct plait__pool_block *block, struct plait__slot *slot,
                          plait_job_end end, plait_job_cause cause);
/* It is QUEUED again, by us: whoever looks for work finds it, or if it was cancelled meanwhile, it is
 * OVER. */
void plait__block_requeued(struct plait__pool_block *block, struct plait__slot *slot,
                           unsigned generation);
/* What a worker that is dead, and nobody else, had in hand: given to others or over. `cause` of its
 * death: DEATH or KEEPER. */
void plait__block_recover(struct plait__pool_block *block, unsigned worker,
                          const struct plait__death *death, plait_job_cause cause);

#endif
