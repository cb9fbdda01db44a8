/* What owner and keeper say to each other: one message each way for a command.
 * SPDX-License-Identifier: MIT
 *
 * Both are the same program, forked: the structs travel as they are. Behind a request stand its
 * strings, each with its NUL: the file, the working directory, argv, then additions to the
 * environment. When they are too long for one message they come in a memfd instead.
 */
#ifndef PLAIT__TASK_KEEPER_WIRE_H
#define PLAIT__TASK_KEEPER_WIRE_H

#include "os/process.h"

#include <stdbool.h>
#include <stdint.h>

enum keeper_verb {
    KEEPER_RUN = 1, /* start a command; fds: its 0, 1 and 2, then the memfd if there is one */
    KEEPER_LINE_UP, /* the same, when a command is over, in its slot, or at KEEPER_GO; one at most */
    KEEPER_GO,      /* start the command `id` now, in `slot`, if it is still in line */
    KEEPER_STOP, /* end the command `id` and all below it: SIGTERM, after kill_after_ns SIGKILL */
    KEEPER_STOP_ALL, /* the same for everything below the keeper; answered by KEEPER_ALL_ENDED */
    KEEPER_PAUSE,    /* SIGSTOP to everything; time-outs stand still */
    KEEPER_RESUME,   /* SIGCONT to everything */
    KEEPER_GUARD,    /* kill the process `id` when the owner dies; fds: its pidfd */
    KEEPER_CREW,     /* keep the crew at the address `id`; fds: its workers' 1 and 2 */
    KEEPER_TASKS,    /* fork tasks that are asked for on a channel; fds: that */
    KEEPER_BYE,      /* the owner ends in an orderly way: let everything live, and end */
};

struct keeper_request {
    enum keeper_verb verb;
    uint64_t id;
    int64_t timeout_ns; /* 0: none */
    int64_t kill_after_ns;
    uint64_t ignored; /* signals the command finds ignored */
    uint64_t mark;    /* of KEEPER_GUARD: it and all below it; 0: it alone */
    uint32_t slot;    /* 0: none */
    int32_t nice;
    uint32_t n_argv;
    uint32_t n_env;
    uint32_t n_bytes; /* of all strings */
    bool is_timeout;  /* of KEEPER_STOP: the command's time is over */
    bool has_cwd;
    bool has_nice;
    bool in_memfd;
};

enum keeper_word {
    KEEPER_ENDED = 1, /* a command ended, or could not be started */
    KEEPER_ALL_ENDED,
    KEEPER_READY, /* once, first of all; start_error: it could not set itself up */
};

struct keeper_event {
    enum keeper_word word;
    uint64_t id;
    uint64_t next;   /* of KEEPER_ENDED: the command that was in line and takes its slot; 0: none */
    int start_error; /* why it could not be started; 0: it ran */
    char step[16];   /* what failed then */
    struct plait__death death;
    int64_t start_real_ns; /* when it was started, since the epoch */
    int64_t run_ns;        /* how long it ran */
    bool timed_out;
};

enum {
    KEEPER_MESSAGE_BYTES = 64 * 1024
};

/* Each command finds its id in the environment as "PLAIT_JOB_ID=<keeper>.<id>", keeper in
 * hexadecimal digits. */
#define KEEPER_ENV "PLAIT_JOB_ID="

enum {
    KEEPER_ENV_BYTES = 64
};

/* The life of the keeper process; never returns. `channel` and `owner` (a pidfd) are at or above 3.
 */
void plait__keeper_main(int channel, int owner, uint64_t keeper_id) __attribute__((noreturn));

#endif
