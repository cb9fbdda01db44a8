/* What the owner knows of its keeper. For the files of the owner's side only.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_KEEPER_LINK_H
#define PLAIT__TASK_KEEPER_LINK_H

#include "wait/mutex.h"
#include <plait/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    PLAIT__KEEPER_PATIENCE_MS = 1000 /* with one that takes no requests, as it is stopped */
};

struct plait__keeper_link {
    pid_t owner; /* whose keeper this is; 0: nobody's yet */
    pid_t pid;   /* 0: there is none */
    int pidfd;
    int channel;
    int tasks; /* lock: the channel of keeper_tasks.h; 0: there is none yet */
    uint64_t id;
    uint64_t generation; /* lock to write, atomic: counts the keepers that got ready */
    uint64_t ignored;    /* signals that were ignored when the first keeper was made */
    bool knows_ignored;
    bool knows_family; /* it has the family's heap */
    bool is_executed;  /* it is the program again, not a fork of it: addresses differ */
    size_t n_running;  /* commands whose end we have not been told */
    bool has_lost;     /* some of them died with a keeper, and plait__keeper_next has not said so */
    /* between the threads that put something in its hands; commands are run by one thread, in a
     * program that does not do the others at the same time */
    struct plait__mutex lock;
};

extern struct plait__keeper_link plait__keeper;

/* Makes sure that there is a keeper. PLAIT_ETHREADS, or -errno. pre: the lock. */
int plait__keeper_need(void);
/* The same of one that is a fork, unless there is one. pre: the lock. */
int plait__keeper_need_forked(void);
/* For commands: whose cost would grow by that of a heap that they do not need. */
int plait__keeper_start_without_heap(void);
/* The keeper is dead or of no use: reaps it, kills what it ran. */
void plait__keeper_bury(void);
/* Sends a request; waits while the channel is full. PLAIT_EKEEPER: it is dead. */
int plait__keeper_send(const void *bytes, size_t n, const int *fds, size_t n_fds,
                       plait_deadline until);
/* The same while the lock is held: the whole thread sleeps, for another coroutine of it may wait for the
 * lock, and then the one that has it would never go on. */
int plait__keeper_send_locked(const void *bytes, size_t n, const int *fds, size_t n_fds);

#endif
