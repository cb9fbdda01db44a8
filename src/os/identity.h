/* Which process is meant, for ever: a pid alone is given to another one some day.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_IDENTITY_H
#define PLAIT__OS_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct plait__identity {
    pid_t pid;
    uint64_t start;     /* when it was started, in clock ticks after boot; 0: not known */
    uint64_t namespace; /* of its pid; 0: not known */
    uint64_t clock;     /* namespace of that clock; 0: there are none, or not known */
};

/* Who we are. What /proc does not tell stays 0. */
void plait__os_identity_of_self(struct plait__identity *ret);

/* Is it certain that no thread of that process will ever execute another instruction? Taken from
 * the kernel, never guessed: what cannot be found out (a pid of another namespace, no descriptor
 * left) is not certain. `self` is who asks. */
bool plait__os_identity_is_dead(const struct plait__identity *who,
                                const struct plait__identity *self);

/* Do the numbers in /proc mean what they mean to us? False also when there is no /proc. */
bool plait__os_proc_is_ours(void);

#endif
