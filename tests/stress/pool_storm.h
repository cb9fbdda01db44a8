/* A storm over a pool: workers and their keeper are killed and stopped at random, while an oracle
 * knows of each job what may come of it.
 * SPDX-License-Identifier: MIT
 *
 * Three sides share one mapping, which outlives all of them:
 *
 *     the owner    submits jobs, and judges each outcome by the job's story
 *     the workers  write into that story that it was entered, by whom, and that it was finished
 *     the killer   a process of its own, marks a life as killed, and then kills it
 *
 * What a worker has written is true, whatever became of it in the next instruction.
 */
#ifndef PLAIT_TESTS_POOL_STORM_H
#define PLAIT_TESTS_POOL_STORM_H

#include <plait.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "test.h"

enum {
    STORM_WORKERS = 4,
    STORM_STARTS = 3,     /* attempts, at most */
    STORM_MAP_ITEMS = 12, /* jobs of a map */
    STORM_MOST_BYTES = 20000,
    STORM_NESTED_BYTES = 200,
};

/* What a job does. */
enum storm_kind {
    STORM_SQUARE, /* at once */
    STORM_SPIN,   /* for some microseconds */
    STORM_SLEEP,  /* for some hundred */
    STORM_ERROR,  /* returns an error */
    STORM_WRITE,  /* a result of any size, by plait_task_write */
    STORM_LOOP,   /* never ends, under a hard limit */
    STORM_NEST,   /* submits another one, and may wait for it */
    STORM_KINDS
};

/* What a job is given. */
struct storm_order {
    uint32_t number; /* of its story */
    uint32_t kind;
    uint32_t amount;
    uint32_t spare;
};

/* What is known of a job. Written by workers but for the last words, which are the owner's. */
struct storm_story {
    uint32_t entered;             /* atomic: how often */
    uint32_t finished;            /* atomic: how often it got to its end */
    uint32_t running;             /* atomic: the life that runs it, + 1; 0: none */
    uint32_t lives[STORM_STARTS]; /* atomic: who entered it; + 1 */
    uint32_t overlaps;            /* atomic: it was entered while another one was alive in it */
    uint8_t kind, attempts, asked, ended; /* owner; asked to end: 1, with kill: 2 */
};

/* A worker. */
struct storm_life {
    int32_t pid;       /* atomic: 0: not there yet */
    int32_t keeper;    /* its parent */
    uint32_t is_ready; /* atomic: it has begun a job */
    uint32_t in_job;   /* atomic */
    uint32_t killed;   /* atomic, killer: it may have been killed, or its keeper */
    int64_t killed_ns; /* atomic, killer: when */
};

struct storm {
    uint32_t is_over;      /* atomic, owner */
    uint32_t n_lives;      /* atomic */
    uint32_t max_lives;    /* const */
    uint32_t n_stories;    /* const */
    uint64_t jobs_a_kill;  /* const */
    uint64_t seed;         /* const */
    uint64_t round;        /* const */
    uint64_t n_ended;      /* atomic, owner: jobs */
    uint64_t kills;        /* atomic, killer, as the rest */
    uint64_t inside;       /* of them, within a job's function */
    uint64_t keeper_kills; /* not in kills, nor are the workers that died with it */
    uint64_t stops;
    struct storm_life *lives;
    struct storm_story *stories;
};

extern struct storm *storm;

int64_t storm_now_ns(void);
/* From the seed; each process has its own. */
uint32_t storm_random(uint32_t limit);
void storm_reseed(uint64_t number);
/* The byte of a written result at this place. */
unsigned char storm_byte(const struct storm_order *order, size_t at);

/* In the workers. */
int storm_init_worker(void *arg);
int storm_work(const void *in, void *out, void *ctx);
int storm_write(plait_task *task, const void *in, size_t n);

/* In the killer's process: until the storm is over. */
void storm_kill(void);

#endif
