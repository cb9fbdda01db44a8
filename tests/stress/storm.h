/* A storm: processes that use something shared are killed and stopped at random, and replaced.
 * SPDX-License-Identifier: MIT
 *
 * A scenario is what they use, and an oracle that knows what must come of it. Each process, a
 * life, writes into an account of its own, which outlives it, what it is about to do and what it
 * has done: so after its death only the call that it was in is open, and both answers are looked
 * at.
 *
 * A storm goes in rounds. In a round a scenario's processes are killed a few hundred times; now
 * and then there is a calm, in which nobody is killed and each one has to get on. Then they end,
 * and the oracle speaks.
 */
#ifndef PLAIT_TESTS_STORM_H
#define PLAIT_TESTS_STORM_H

#include <plait.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "test.h"

enum {
    STORM_SLOTS = 8,    /* processes at once, at most */
    STORM_LIVES = 1024, /* in a round, at most */
    STORM_WORDS = 24,
};

/* The account of one process. */
struct life {
    const char *call;            /* atomic: the call that it is in; NULL: none */
    uint32_t number;             /* const: in this round */
    uint32_t slot;               /* const: the place that it took over */
    uint32_t is_dead;            /* atomic: set by the runner when it was reaped */
    uint64_t done;               /* atomic: calls that succeeded */
    uint64_t words[STORM_WORDS]; /* the scenario's */
};

struct scenario {
    const char *name;
    unsigned n_slots; /* processes at once */
    unsigned n_first; /* of them end by themselves when the round is over, before `finish`; the rest
                         after it. 0: all after it */
    void (*begin)(void);               /* in the runner: makes what is shared */
    void (*work)(struct life *life);   /* in a process: until storm_is_over() */
    void (*settle)(struct life *life); /* in the runner: it was killed; may be NULL */
    void (*help)(void);                /* in the runner, when nobody gets on; may be NULL */
    void (*finish)(void);              /* in the runner: ends what they wait for; may be NULL */
    void (*end)(void);                 /* in the runner: the oracle; destroys what begin made */
};

extern const struct scenario storm_queue, storm_full_queue, storm_queue_one, storm_queue_to_one;
extern const struct scenario storm_lock, storm_rlock, storm_rwlock;
extern const struct scenario storm_semaphore, storm_held_semaphore;
extern const struct scenario storm_condition, storm_event, storm_barrier, storm_once;
extern const struct scenario storm_heap, storm_pipe;

/* ---- for scenarios ---- */

/* Is the round over? */
bool storm_is_over(void);
/* The round ends soon: the scenario has no numbers left. */
void storm_exhausted(void);
/* Differs from round to round; never 0. */
uint32_t storm_round(void);
/* A life of this round. */
struct life *storm_life(uint32_t number);
/* Lives that have begun in this round. */
uint32_t storm_lives(void);
/* From the seed; each process has its own. */
uint32_t storm_random(uint32_t limit);
/* Mostly for ever, now and then not at all or a little. */
plait_deadline storm_until(void);
/* Waits until the runner has reaped it. CHECKs that this comes. */
void storm_await_death(uint32_t number);
/* Memory that all share, zeroed, never given back. */
void *storm_share(size_t bytes);
/* In the runner: that nobody got on since the last kill was right. */
void storm_forget_kill(void);
/* So many blocks of the heap died with their owners. */
void storm_leaked(uint64_t blocks);
void storm_enter(struct life *life, const char *call);
/* Counts it if it succeeded. Returns rc. */
ssize_t storm_leave(struct life *life, ssize_t rc);

/* A call of the library, on the account of this process. */
#define STORM_CALL(life, call) ((void)storm_enter((life), #call), storm_leave((life), (call)))

/* ---- claims: each of the numbers 1, 2, 3 … is claimed exactly once ---- */

struct claims {
    uint64_t cells[65536]; /* atomic: the last number of those that share the cell */
};

/* CHECKs that nobody has claimed it, and that the one before it in its cell was claimed. */
void storm_claim(struct claims *claims, uint64_t number);
/* Claims it unless a killed process did so already. */
void storm_claim_again(struct claims *claims, uint64_t number);
/* CHECKs that the numbers up to this one were claimed, and no others. */
void storm_check_claims(const struct claims *claims, uint64_t last);

#endif
