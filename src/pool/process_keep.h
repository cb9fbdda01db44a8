/* What the keeper does for a process pool.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__POOL_PROCESS_KEEP_H
#define PLAIT__POOL_PROCESS_KEEP_H

#include "pool/process_block.h"

extern const struct plait__crew_ops plait__process_crew_ops;

/* Each record that an earlier keeper left: nobody can claim it any more, and who had claimed it is
 * remembered until plait__keep_bury finds it dead. */
void plait__keep_take(struct plait__pool_block *block);
/* What those left who are proven dead by now is given to others or ended. How many are not. */
unsigned plait__keep_bury(struct plait__pool_block *block);

#endif
