/* How much of their stacks coroutines use.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_CENSUS_H
#define PLAIT__TASK_CENSUS_H

#include "loop/loop.h"

#include <stdint.h>

extern uint32_t plait__census_is_on; /* atomic, relaxed: some are noted more or less */

/* The running coroutine is about to end: notes how deep it was, and makes its stack clean for the next
 * one. */
void plait__census_note(struct plait__strand *strand);
/* In a forked child: whoever had the lock is not there. */
void plait__census_forget(void);

#endif
