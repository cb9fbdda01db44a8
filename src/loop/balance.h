/* Loops that share what has not begun.
 * SPDX-License-Identifier: MIT
 *
 * A loop that takes part and has nothing to do says that it is hungry, and sleeps. One that has more
 * fresh ones than it can begin at once, and sees that somebody is hungry, puts the newer half of them
 * where all can take them. While all are busy no lock is taken, but for each half of many.
 */
#ifndef PLAIT__LOOP_BALANCE_H
#define PLAIT__LOOP_BALANCE_H

#include <stdbool.h>

struct plait__loop;

/* From now on it takes part. */
void plait__balance_join(struct plait__loop *loop);
/* Not any more: it takes nothing from now on, and what it has not begun of the others' is theirs. Its
 * thread is about to end. */
void plait__balance_leave(struct plait__loop *loop);
/* If somebody is hungry and it has enough, or it has very many: shares some. */
void plait__balance_give(struct plait__loop *loop);
/* Takes some of what is shared: true; else the loop is hungry from now on. */
bool plait__balance_take(struct plait__loop *loop);
/* It has found something to do. */
void plait__balance_is_fed(struct plait__loop *loop);
/* Is there something to be taken? For who is about to sleep and has said so. */
bool plait__balance_has_any(void);
/* In a forked child. */
void plait__balance_reset(void);

#endif
