/* A storm over programs with several loops, whose coroutines share a queue, a lock and units with those
 * of other processes; the processes are killed at random.
 * SPDX-License-Identifier: MIT
 *
 * A life is what one coroutine does until it ends or its process is killed. It writes into an account
 * of its own, which outlives it, what it has done; so of each life at most one step is open:
 *
 *   who puts    up to which number items are in the queue
 *   who gets    into memory that outlives it, before it counts the item; or which lease it ends
 *   who locks   how often it has changed what the lock guards, which itself knows how often that was
 */
#ifndef PLAIT_TESTS_LOOPS_STORM_H
#define PLAIT_TESTS_LOOPS_STORM_H

#include <plait.h>

#include <stdbool.h>
#include <stdint.h>

#include "test.h"

enum {
    LIVES = 1 << 15,    /* in a round, at most */
    EACH = 1 << 22,     /* items in a round, at most */
    BLOCK = 512,        /* numbers that a life takes at once */
    PROGRAMS = 4096,    /* in a round, at most */
    ITEM_MOST = 200,    /* bytes */
    ACTORS_OF_EACH = 6, /* that put, that get, that lock: of one process */
    UNITS = 5,
};

struct life {
    uint32_t program;    /* const: of that process in this round */
    uint32_t from, done; /* puts: its first number, and behind the last one */
    uint32_t ending;     /* gets: 1 + the number of the item whose lease it ends */
    uint32_t changes;    /* locks: how often it has changed what is guarded */
    _Alignas(16) unsigned char hand[ITEM_MOST];
};

/* What the lock guards: the total, and what each life has added to it. */
struct guarded {
    plait_lock lock;
    plait_held_semaphore units;
    uint32_t who; /* atomic: 1 + the life that is about to set the next two; 0: none */
    uint32_t next_total, next_changes;
    uint32_t total;
    uint32_t changes[LIVES];
};

/* What all processes share of a round. */
struct round {
    uint32_t is_over, is_exhausted;    /* atomic */
    uint32_t next_number, next_life;   /* atomic */
    uint32_t n_quiet;                  /* atomic: processes that put and lock no more */
    uint32_t most_threads;             /* atomic: in which a program's coroutines ran */
    unsigned char is_killed[PROGRAMS]; /* the runner's */
    struct life lives[LIVES];
    unsigned char seen[EACH]; /* atomic: how often each item was counted */
};

extern struct round *loops_round;
extern struct guarded *loops_guarded;
extern plait_queue *loops_queue;

/* A process of the storm, until its end: it has so many loops. */
void loops_storm_act(uint32_t program, unsigned loops);
/* Brings into order what somebody died over. pre: the lock was recovered. */
void loops_storm_repair(void);

struct loops_item {
    uint32_t number, size, sum;
};

/* Is it whole? */
bool loops_storm_is_item(const unsigned char *bytes, struct loops_item *ret);

#endif
