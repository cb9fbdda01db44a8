/* What a process task leaves to its parent: some bytes that both see.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_VERDICT_H
#define PLAIT__TASK_VERDICT_H

#include "os/process.h"

#include <stdint.h>

struct plait__verdict {
    /* atomic: the child releases `code` by it; read after the child has ended */
    uint32_t has_returned;
    int code;
    /* where the child has something to say before it goes on; read when it has said so */
    pid_t pid;
    int error;     /* of its set-up, -errno; 0: it went well */
    char step[16]; /* what failed then */
    /* where it has a guard: how it ended, when the guard has released it by has_died (atomic) */
    struct plait__death death;
    uint32_t has_died;
};

/* In the child: how its set-up went; if it failed, at that step. */
void plait__verdict_set_error(struct plait__verdict *verdict, int error, const char *step);

/* One that nobody else uses, shared with the children that are forked from now on. -ENOMEM. */
int plait__verdict_take(struct plait__verdict **ret);
/* pre: this process took it, and whoever may write to it has ended. */
void plait__verdict_give(struct plait__verdict *verdict);
/* In a forked child, which has one thread: none of the parent's is ours. */
void plait__verdicts_reset(void);

#endif
