/* The tasks that the keeper forks: what owner and keeper say to each other, and the keeper's side.
 * SPDX-License-Identifier: MIT
 *
 * It has a channel of its own, so that it may be used by any thread of the owner: one request, one
 * answer, under the owner's lock. The answer is the pid or -errno, and the pidfd. What the task is,
 * and how it ended, stands in the family's heap (order.h).
 */
#ifndef PLAIT__TASK_KEEPER_TASKS_H
#define PLAIT__TASK_KEEPER_TASKS_H

#include "os/fd.h"
#include "os/process.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct plait__order;

enum {
    KEEPER_TASK_KEEPS = PLAIT__CHANNEL_FDS - 3 /* with a guard one less */
};

struct keeper_task {
    struct plait__order *order; /* in the family's heap */
    uint64_t ignored;           /* signals that it finds ignored */
    uint32_t token;             /* it begins when its order says this, and else never */
    uint32_t has;               /* bit n: descriptor n comes along */
    pid_t group;                /* the owner's process group */
    int fds[3];                 /* of the owner: become 0, 1 and 2; what is not open is /dev/null */
    bool in_group;              /* it begins in `group` */
    bool tree;                  /* it has a guard, whose channel comes along as the last one */
    uint32_t n_keep;            /* those of its beginning come along too, behind the others */
};

/* `ignored`: what the keeper ignores, and a task does not. */
void plait__kept_tasks_set_up(uint64_t ignored);
/* KEEPER_TASKS: the channel; takes it over. */
void plait__kept_tasks_open(const int *fds, size_t n_fds);
/* The channel, or -1. Readable: plait__kept_tasks_read. */
int plait__kept_tasks_fd(void);
void plait__kept_tasks_read(void);
/* A child has ended. False: it is no task. */
bool plait__kept_tasks_reap(const struct plait__death *death);

#endif
