/* This program again, from its beginning up to plait_init.
 * SPDX-License-Identifier: MIT
 *
 * The new process finds in its environment its own pid, and which of its descriptors is a channel on
 * which a message waits for it: what it is to become. A variable that somebody else has set, or that
 * was meant for the parent, leads to no such thing.
 *
 * Where the task has a guard (guard.h), the new process becomes that before any constructor of the
 * program has run, and the task is its child, which goes on with them. It needs no keeper: the kernel
 * kills it with its owner until it watches that itself.
 */
#ifndef PLAIT__TASK_REEXEC_H
#define PLAIT__TASK_REEXEC_H

#include "os/memory.h"
#include "os/module.h"

#include <plait/process.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct plait__order;

#define PLAIT__REEXEC_ENV "PLAIT_SPAWN="

enum {
    PLAIT__REEXEC_TOKEN = 1 /* of the order of a spawned task */
};

/* As the struct travels; both are the same build, or the message is refused. */
struct plait__reexec_message {
    uint64_t magic;
    uint32_t bytes; /* of this struct */
    uint32_t id_bytes;
    unsigned char id[PLAIT__MODULE_ID_BYTES]; /* of the build of plait */
    struct plait__shared shared;              /* the family's region; fd is -1: there is none */
    struct plait__order *order;               /* NULL: it is to be the keeper */
    pid_t owner;
    bool tree;                   /* the process becomes the guard of the task */
    bool new_group, new_session; /* then: of the task, not of the guard */
    int owner_pidfd;             /* of the keeper, which has it under this number */
    uint64_t keeper_id;
};

/* In main, at its first line: what the program was started with. 0, -ENOMEM. */
int plait__reexec_remember(int argc, char *const *argv);
/* Was that called? */
bool plait__reexec_is_possible(void);
/* Has the program other privileges than who has started it, by its file (set-uid, capabilities)? Then
 * its environment commands nothing, and it cannot be spawned. */
bool plait__reexec_is_privileged(void);

/* What differs from start to start. */
struct plait__reexec {
    const char *name; /* of the task */
    struct plait__order *order;
    const plait_process_opts *opts; /* NULL: as the caller has it */
    bool tree;                      /* it has a guard, which is the process that is started */
    int keeper;                     /* a copy of the channel to the keeper; not with a guard */
    int owner_pidfd;                /* of what is to be the keeper, at or above 3; else 0 */
    uint64_t keeper_id;
};

/* Starts it, guarded by the keeper or its guard: its pid, a pidfd and our end of the channel, on which it answers
 * with an int32_t, 0 or -errno, when it waits for its order's word. -errno of the step that failed,
 * which the log names; PLAIT_EKEEPER.
 * Without an order it is to be the keeper, whose life is plait__keeper_main: nobody guards it, it has
 * none of the caller's descriptors but the standard ones, and is no child of the caller's. */
pid_t plait__reexec(const struct plait__reexec *what, int *ret_channel, int *ret_pidfd);

/* In the new process: becomes what it is to be, and does not return. Returns in all others. */
void plait__reexec_enter(void);

#endif
