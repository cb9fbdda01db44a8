/* What a process begins with that the keeper forks: the options, in the family's heap.
 * SPDX-License-Identifier: MIT
 *
 * The starter checks them, looks up what there is to look up and hands over the descriptors; the
 * process does the rest, and says how it went before it waits for its order's word.
 */
#ifndef PLAIT__TASK_BEGINNING_H
#define PLAIT__TASK_BEGINNING_H

#include "os/child.h"

#include <stdbool.h>
#include <stdint.h>

struct plait__verdict;

struct plait__beginning {
    struct plait__child_setup setup; /* of descriptors it has none but `keep` */
    const char *environment; /* NULL: the keeper's; else its strings, one behind the other */
    uint32_t n_environment;
    /* atomic, a futex word: whoever waits for this token with the order has told how it went */
    uint32_t told;
};

/* A copy of both, with all that they point to. -ENOMEM. */
int plait__beginning_make(struct plait__beginning **ret, const struct plait__child_plan *plan,
                          const plait_process_opts *opts);
/* NULL is fine. */
void plait__beginning_free(struct plait__beginning *beginning);

/* In the process, whose descriptors are set: the rest. It does not return if that fails. */
void plait__beginning_set_up(struct plait__beginning *beginning, struct plait__verdict *verdict,
                             uint32_t token);
/* In the starter: waits until it has been done, or the process behind the pidfd has died. True: what
 * is in the verdict is there. */
bool plait__beginning_await(const struct plait__beginning *beginning, uint32_t token, int pidfd);

#endif
