/* The owner's side of the keeper.
 * SPDX-License-Identifier: MIT
 *
 * The keeper is a small single-threaded child of this process that starts commands, waits for them,
 * kills them, and ends everything when this process dies. A process has at most one; a forked child
 * forgets its parent's.
 */
#ifndef PLAIT__TASK_KEEPER_H
#define PLAIT__TASK_KEEPER_H

#include "os/process.h"
#include <plait/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A command to run. The strings are copied. */
struct plait__command {
    uint64_t id;      /* the caller's; unique among the running ones */
    unsigned slot;    /* the caller's, found by the command as PLAIT_SLOT; 0: none */
    const char *file; /* a path, or a name to look up in PATH */
    char *const *argv;
    size_t n_argv;
    const char *const *env; /* "NAME=value" strings added to the owner's environment */
    size_t n_env;
    int fds[3];      /* become 0, 1 and 2; the caller closes its own */
    const char *cwd; /* NULL: where the owner was when the keeper was made */
    int nice;        /* with has_nice: the niceness itself, not an addition */
    bool has_nice;
    int64_t timeout_ns;    /* after so long the command and all below it are ended; 0: never */
    int64_t kill_after_ns; /* from SIGTERM to SIGKILL */
};

struct plait__command_end {
    uint64_t id;
    uint64_t next;   /* the command that was in line and runs in its slot now; 0: none */
    int start_error; /* positive errno: it could not be started; 0: it ran */
    char step[16];   /* what failed then: "exec", "chdir", "fork" … */
    struct plait__death death;
    int64_t start_real_ns;
    int64_t run_ns;
    bool timed_out;
};

/* As plait_keeper_start, but one that is made must be a fork of this process. */
int plait__keeper_start_forked(void);
/* Is there one, as far as we know? */
bool plait__keeper_is_there(void);
pid_t plait__keeper_pid(void);

/* Starts a command. 0; -ETIMEDOUT, -ECANCELED: it was not started; PLAIT_EKEEPER: the keeper died,
 * ask plait__keeper_next; -ENOMEM and the like. */
int plait__keeper_run(const struct plait__command *command, plait_deadline until);
/* Hands over a command that the keeper starts when another one is over, in its slot, which
 * plait__keeper_next says; only one can be in line. It may cross with the end of the last command:
 * a caller who sees a slot free calls plait__keeper_go. One that is not started for
 * plait__keeper_stop_all ends with -ECANCELED as its start_error. */
int plait__keeper_line_up(const struct plait__command *command, plait_deadline until);
/* Starts the command in line now, in that slot, unless it has been started: then the end of another
 * one says so. */
int plait__keeper_go(uint64_t id, unsigned slot);
/* The next command that ended. 1: *ret says which · 0: all have ended (after
 * plait__keeper_stop_all) · -ETIMEDOUT, -ECANCELED · PLAIT_EKEEPER: the keeper died; all that it
 * ran has been killed, and the next plait__keeper_run makes a new one. */
int plait__keeper_next(struct plait__command_end *ret, plait_deadline until);
/* Readable when plait__keeper_next has something to say; -1: no keeper. */
int plait__keeper_fd(void);

/* These do not wait: -ETIMEDOUT when the keeper takes no requests now; its descriptor is writable
 * when it does again. */
/* The command's time is over: SIGTERM to it and all below it, SIGKILL after kill_after_ns. */
int plait__keeper_time_out(uint64_t id, int64_t kill_after_ns);
/* The same for everything below the keeper; plait__keeper_next then says 0 when all has ended. */
int plait__keeper_stop_all(int64_t kill_after_ns);
/* These wait for a second at most. */
int plait__keeper_pause(void);
int plait__keeper_resume(void);
/* Kill the child `pid`, behind pidfd, when this process dies. Makes a new keeper if the old one is
 * dead. */
int plait__keeper_guard(pid_t pid, int pidfd);
/* The same; with a mark other than 0, while it lives: it and all below it, by parentage or by the mark
 * in the environment. */
int plait__keeper_guard_tree(pid_t pid, int pidfd, uint64_t mark);
/* The mark as it stands there. */
#define PLAIT__TREE_ENV "PLAIT_TREE="

enum {
    PLAIT__TREE_ENV_BYTES = 32
};

void plait__keeper_tree_env(char env[PLAIT__TREE_ENV_BYTES], uint64_t mark);

/* What the keeper has forked. */
struct plait__forked {
    pid_t pid;
    int pidfd;
    uint64_t keeper; /* its generation */
    uint32_t token;  /* what its order must say for it to begin */
    int guard;       /* a channel to its guard; -1: it has none */
};

struct keeper_task;
/* Has the keeper fork a task, which waits for its order's word. Makes a keeper, or a new one if the
 * old one is dead. PLAIT_EKEEPER: the new one died as well; PLAIT_ETHREADS; -EBUSY: there is a keeper,
 * busy with commands, that knows nothing of the family's heap; -errno. After PLAIT_EKEEPER, or when
 * ret->pid is not 0, there may be a process that looks at the order still. One with a guard, which
 * writes there until it has ended, is not tried again with the same order: PLAIT_EKEEPER, and the next
 * keeper is there. */
int plait__keeper_fork(const struct keeper_task *task, struct plait__forked *ret);
/* Asks the kernel whether the keeper has died; if so, it is buried. False: it lives. */
bool plait__keeper_has_died(void);
/* In a forked child: a thread that held the lock of these calls is not there to give it back. */
void plait__keeper_at_fork(void);
/* For a child that is about to be started, from any thread: a copy of the channel to the keeper, which
 * is made if there is none. The descriptor, PLAIT_ETHREADS or -errno. */
int plait__keeper_open_channel(void);
/* In that child, which shares its parent's memory: says there what plait__keeper_guard_tree says of
 * another process. 0; PLAIT_EKEEPER: it is dead; -errno. */
int plait__keeper_guard_self(int channel, uint64_t mark);
/* Another number for each keeper that this process made: what an earlier one guarded must be
 * guarded again. */
uint64_t plait__keeper_generation(void);
/* In a forked child: let go of the parent's keeper, which is not ours. */
void plait__keeper_forget(void);
/* This process ends in an orderly way. Waits for the keeper's end, a second at most. */
void plait__keeper_bye(void);

#endif
