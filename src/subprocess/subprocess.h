/* A subprocess as its files know it.
 * SPDX-License-Identifier: MIT
 *
 *     spawn.c      one program: its arguments, its environment, the guard
 *     start.c      the pipes of one or several, and the public starts
 *     life.c       the end: waiting, signals, destroy
 *     talk.c       communicate
 *     run.c        what is made of these
 */
#ifndef PLAIT__SUBPROCESS_SUBPROCESS_H
#define PLAIT__SUBPROCESS_SUBPROCESS_H

#include "base/buf.h"
#include "base/list.h"
#include "task/keeper.h"
#include "wait/mutex.h"
#include <plait/subprocess.h>

#include <stdint.h>

/* One program of a subprocess. */
struct plait__program {
    pid_t pid;             /* const after start; 0: not started */
    int pidfd;             /* const after start */
    uint32_t has_ended;    /* atomic: stored after `outcome`, with release */
    plait_outcome outcome; /* lock, until it has ended */
    int64_t told_until_ns; /* lock: wait for word of its end until then */
};

struct plait_subprocess {
    struct plait__list node;   /* in the live ones of this process; their lock */
    struct plait__mutex lock;  /* held by who reaps, so that nobody signals one that was reaped */
    pid_t owner;               /* const: the process that started it */
    bool tree, is_detached;    /* const after start */
    uint64_t keeper;           /* lock of the live ones: the keeper that guards it, by generation */
    size_t max_bytes;          /* const after start */
    int in;                    /* our end; -1: none, or closed */
    int outs[2];               /* our ends of out and err, likewise */
    struct plait__buf said[2]; /* what was read of them */
    const char *input;         /* the caller's: what is still to be written */
    size_t input_left;
    bool is_fed;                          /* somebody has given the input */
    bool is_flowing;                      /* our ends do not block any more */
    uint64_t mark;                        /* const after start: of the tree; 0: there is none */
    char mark_env[PLAIT__TREE_ENV_BYTES]; /* likewise: in the environment of all below */
    size_t n;                             /* const */
    struct plait__program programs[];
};

/* What the programs of one subprocess are started with. */
struct plait__subprocess_plan {
    plait_subprocess_opts opts;
    plait_process_opts process; /* environment is set */
    char **environment;         /* with tree: owned, with the mark */
    void *stack;
};

/* Starts one of p's programs, with the descriptors that plan->process names, and with a guard. */
int plait__subprocess_spawn(plait_subprocess *p, struct plait__program *program,
                            const char *const *argv, const struct plait__subprocess_plan *plan);

/* Before a start and after it, whether or not it failed; the end of the process waits in between.
 * -ECANCELED: another thread ends the process; -ENOMEM. */
int plait__subprocess_begin(void);
void plait__subprocess_begun(void);
/* Among the live ones of this process, which end with it. Reaps detached ones that were let go of. */
void plait__subprocess_enlist(plait_subprocess *p);
/* Signals what was started; the programs that have ended are left alone. */
int plait__subprocess_signal(plait_subprocess *p, int number);

#endif
