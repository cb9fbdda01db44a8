/* Kills a process after every instruction of a call, and asks the survivors each time.
 * SPDX-License-Identifier: MIT
 *
 *     static const struct step_call acquire = { .name = "acquire a free word", .setup = free_word,
 *                                               .victim = acquire_it, .check = can_be_acquired };
 *     STEP_TEST(a_free_word_survives_death_at_every_instruction_of_acquire, &acquire)
 *
 * For each kill a fresh process, the survivor, makes the state by `setup`, forks a victim that gets
 * as far in the call as is wanted, kills it there and calls `check`. The points where it kills are
 * found by stepping through the whole call a few times: before every instruction, within an
 * instruction that repeats itself, asleep in every system call that sleeps, and behind the call.
 * An instruction that is executed very often is met at its first 64 times, then at growing
 * distances. A call that takes another way than it did in the steps (a wait that was shorter) may
 * return before the point: it is killed behind the call then, and counted so.
 *
 * Without more, a sample is tried for PLAIT_STEP_MS milliseconds: the first time of every
 * instruction before the rest, in an order made of PLAIT_SEED. PLAIT_STEPS=all tries all points,
 * PLAIT_STEPS=N the point N alone, which is what a failure names. With a partner there are up to 10
 * rounds, in which it is elsewhere each time.
 */
#ifndef PLAIT_TESTS_STEP_H
#define PLAIT_TESTS_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "test.h"

enum step_place {
    STEP_BEFORE,  /* an instruction */
    STEP_WITHIN,  /* one that repeats itself, or asleep in a system call */
    STEP_RETURNED /* the call had returned */
};

struct step_result {
    enum step_place place;
    bool was_asleep; /* killed in a system call that slept */
    pid_t victim;    /* its pid, which is free again */
    size_t left;     /* instructions to the return, about; 0 with a partner: nobody knows */
};

struct step_call {
    const char *name;
    /* In the survivor: the state before the call, in memory that is shared. */
    void *(*setup)(void);
    /* In the victim and in the partner, before their work; may be NULL. */
    void (*prepare)(void *state);
    /* In the victim: the call. */
    void (*victim)(void *state);
    /* The call is a part of that: it begins where the victim comes to a trace_mark (trace.h), and
     * ends at the next one; the partner's work begins at one, too. */
    bool marks;
    /* In the survivor, again and again while the victim sleeps in a system call on its way to the
     * point where it will be killed: may end that sleep. May be NULL. */
    void (*asleep)(void *state);
    /* In another process, that is at a random point of this when the victim dies, and then goes
     * on; or the victim sleeps, and it goes on so that it may end that. The survivor's check is
     * called when it is at its end. May be NULL. */
    void (*partner)(void *state);
    /* In the survivor, after the kill: CHECKs that all is well, and says in a word or two what was
     * found. The words are counted. */
    const char *(*check)(void *state, const struct step_result *at);
};

void step_test(const struct step_call *call);

/* A number from the seed, below `limit`; for setup and check. */
uint32_t step_random(uint32_t limit);
/* Until that other process sleeps in a system call, or has ended. */
void step_await_sleep(pid_t pid);

#define STEP_TEST(claim, call)      \
    TEST_LIMIT(claim, STEP_LIMIT_S) \
    {                               \
        step_test(call);            \
    }

enum {
    STEP_LIMIT_S = 50
};

#endif
