/* The one word of this process on which everybody waits for ends.
 * SPDX-License-Identifier: MIT
 *
 * Everything that ends rings it, in whatever pool. Who waits for any futures looks, announces
 * itself, looks again, and sleeps on it: src/chan/bell.h has the protocol. It lies in this
 * process's entry of the table of members, so that workers that are processes can ring it; while
 * there is no memory for a family, in private memory. It never moves.
 */
#ifndef PLAIT__POOL_BELL_H
#define PLAIT__POOL_BELL_H

#include "family/self.h"

#include <plait/time.h>

#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

/* Before the first pool of this process: makes the bell. Which process of our line of forks we are:
 * never 0, and no other process that may have inherited our memory is the same. With 0 there is no
 * family: the bell is private, and who we are is a matter of getpid. */
uint32_t plait__ends_begin(void);

/* Are we that process? */
static inline bool plait__ends_is_here(uint32_t process, int pid)
{
    if (process != 0)
        return __atomic_load_n(&plait__myself()->pools, __ATOMIC_ACQUIRE) == process;
    return getpid() == pid;
}

/* The bell of this process; after plait__ends_begin. */
uint32_t *plait__ends_bell(void);
/* Something has ended, and can be seen to: wakes who waits; a load if nobody does. From any process
 * of the family; `bell` is the owner's. */
void plait__ends_ring(uint32_t *bell);
/* The same of this process, by a task that found it for others: nobody but itself may wait. */
void plait__ends_pass_on(void);

/* This task may sleep on the bell, from before its last look; or does not any more. */
void plait__ends_count(bool waits);

enum plait__ends_look {
    PLAIT__ENDS_NOTHING,
    PLAIT__ENDS_DONE,
    PLAIT__ENDS_AGAIN, /* something was done: look again */
};

typedef enum plait__ends_look plait__ends_look_fn(void *arg, bool will_sleep);
/* Runs what is waited for, or a part of it, here, if it is not begun and that may be. */
typedef bool plait__ends_help_fn(void *arg);

/* Waits until `look` says DONE; will_sleep: nothing but sleep is left, look thoroughly. 0,
 * -ETIMEDOUT, -ECANCELED; what is there already is 0 in each case. */
int plait__ends_wait(plait__ends_look_fn *look, void *arg, plait_deadline until);
/* The same, and helps before it waits any longer: only without a deadline, as what it runs might
 * not keep that. */
int plait__ends_help(plait__ends_look_fn *look, plait__ends_help_fn *help, void *arg,
                     plait_deadline until);

#endif
